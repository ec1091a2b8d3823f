//! Runs a shell script with arguments that the shell does not interpret.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

const SCRIPT: &str = r#"
set -eu
for name in "$@"; do
    printf 'hello %s\n' "$name" | tr a-z A-Z
done
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let names = ["o'brien", "$(reboot)"];
    let run = Run::new("sh").args(["-c", SCRIPT, "greet"]).args(names).check();
    print!("{}", run.output_blocking()?.stdout_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();
