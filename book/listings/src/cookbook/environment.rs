//! Sets, removes and clears variables of the environment.

// ANCHOR: listing
use std::error::Error;

use procession::Run;

fn main() -> Result<(), Box<dyn Error>> {
    let script = "echo ${GREETING:-none} ${HOME:-none}";
    let sh = || Run::new("sh").args(["-c", script]).env("GREETING", "hello").check();
    let changed = sh().env_remove("HOME").output_blocking()?;
    print!("two changes:  {}", changed.stdout_utf8()?);

    let clean = Run::new("env").env_clear().env("LANG", "C").check();
    print!("nothing else: {}", clean.output_blocking()?.stdout_utf8()?);
    Ok(())
}
// ANCHOR_END: listing

listing!();
