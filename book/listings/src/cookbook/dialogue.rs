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
        let mut calculator = Handle::current().dialogue(Command::new("sh").args(["-c", script]))?;
        for question in ["6 * 7", "2 + 2"] {
            calculator.send_line(question).await?;
            let answer = calculator.expect(Pattern::next_line());
            println!("{question} = {}", answer.within(Duration::from_secs(5)).await?.text());
        }
        calculator.end_input();
        calculator.ended().await?;
        Ok(())
    })
}
// ANCHOR_END: listing

listing!();
