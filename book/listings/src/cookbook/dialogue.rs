//! Asks a program questions, and waits for each answer.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::prelude::*;
use procession::{Pattern, StartDialogue};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        // A calculator that answers each line with one line, as `bc` does.
        let script = "while read question; do echo $(($question)); done";
        let calculator = Command::new("sh").args(["-c", script]);
        let mut calculator = Handle::current().dialogue(calculator)?;
        for question in ["6 * 7", "2 + 2"] {
            calculator.send_line(question).await?;
            let answer = calculator.expect(Pattern::next_line());
            let answer = answer.within(Duration::from_secs(5)).await?;
            println!("{question} = {}", answer.text());
        }
        calculator.end_input();
        calculator.ended().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();
