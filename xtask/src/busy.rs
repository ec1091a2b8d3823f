//! The task `busy`: runs the suite several times in a row while this process keeps every
//! processor busy. `cargo xtask busy [--times N]`.

use std::hint::spin_loop;
use std::thread::{available_parallelism, spawn};

use anyhow::{Context, Result, bail};
use xshell::Shell;

use crate::{arguments, test};

/// Runs the suite, up to the first run that fails.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let times = match &arguments()[..] {
        [] => 5,
        [option, times] if option == "--times" => times.parse()?,
        _ => bail!("the only argument is --times N"),
    };
    // The tests' support code then multiplies its time limits by 4 and prints a line about it.
    let _bounds = sh.push_env("PROCESSION_BUSY_MACHINE", "1");
    for _ in 0..available_parallelism().context("no number of processors")?.get() {
        // It ends with this process.
        spawn(|| {
            loop {
                spin_loop();
            }
        });
    }
    for time in 1..=times {
        println!("with PROCESSION_BUSY_MACHINE=1, {time} of {times}");
        test::run(sh)?;
    }
    Ok(())
}
