//! Starts a program again when it fails.

// ANCHOR: listing
use std::error::Error;
use std::time::Duration;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    // It fails at first, as a download does.
    let script = "test -e ready || { touch ready; exit 1; }; echo downloaded";
    let download = Run::new("sh").args(["-c", script]).timeout(Duration::from_secs(30));
    // At most three attempts, with pauses of 10 ms and 20 ms.
    let outcome = download.check().retry(3, Duration::from_millis(10)).output_blocking()?;
    print!("{}", outcome.stdout_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();
