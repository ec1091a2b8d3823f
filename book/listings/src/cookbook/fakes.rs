//! Tests code that starts programs, without starting any.

// ANCHOR: listing
use std::error::Error;
use std::io::ErrorKind;
use std::time::Duration;

use procession::{FakeChildren, Reactor, Run};

/// The code under test.
async fn version() -> Result<String, Box<dyn Error>> {
    let git = Run::new("git").args(["rev-parse", "HEAD"]).check();
    Ok(git.timeout(Duration::from_secs(60)).await?.stdout_utf8()?.trim().to_owned())
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?;
    let fakes = FakeChildren::install(&reactor);
    fakes.when(["git", "rev-parse"]).once().stdout("abc123\n").exit(0);
    fakes.when(["git", "rev-parse"]).once().stderr("fatal: no repository\n").exit(128);
    fakes.when(["git", "rev-parse"]).once().fails_to_start(ErrorKind::NotFound);
    fakes.when_program("git"); // from now on it hangs, and the minute passes at once
    for _ in 0..4 {
        match reactor.block_on(version()) {
            Ok(version) => println!("{version}"),
            Err(error) => println!("{error}"),
        }
    }
    Ok(())
}
// ANCHOR_END: listing

listing!();
