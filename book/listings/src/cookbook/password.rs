//! Types a password at a prompt, on a terminal.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::prelude::*;
use procession::{Pattern, StartDialogue};

fn main() -> Result<Stopped, Box<dyn Error>> {
    Reactor::new()?.run_main(async {
        let mut login = Handle::current().dialogue(login().pty(Pty::new()))?;
        login.expect("Password: ").within(Duration::from_secs(5)).await?;
        // This waits until the terminal does not show what is typed.
        login.send_secret("swordfish").await?;
        let rest = login.expect(Pattern::end()).within(Duration::from_secs(5)).await?;
        println!("{}", String::from_utf8_lossy(&rest.before).trim());
        login.ended().await?;
        println!("all of it: {:?}", login.transcript()); // without the password
        Ok(())
    })
}

/// Asks for a password, as `ssh` and `sudo` do.
fn login() -> Command {
    let script = "stty -echo; printf 'Password: '; read word; stty echo; echo; \
                  test $word = swordfish && echo welcome";
    Command::new("sh").args(["-c", script])
}
// ANCHOR_END: listing

listing!();
