//! The task `busy`: runs the suite several times in a row while other processes keep every
//! processor busy. `cargo xtask busy [--times N]`.

use std::io;
use std::process::{Child, Command};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use xshell::Shell;

use crate::arguments::Arguments;
use crate::test;

/// Runs the suite, up to the first run that fails.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let times = arguments.option::<u32>("--times")?.unwrap_or(5);
    arguments.end()?;
    // The tests' support code then multiplies its time limits by 4 and prints a line about it.
    let _bounds = sh.push_env("PROCESSION_BUSY_MACHINE", "1");
    let _spinners =
        Spinners::start().context("the processes that keep the processors busy do not start")?;
    for time in 1..=times {
        println!("with PROCESSION_BUSY_MACHINE=1, {time} of {times}");
        test::run(sh)?;
    }
    Ok(())
}

/// Processes that keep every processor busy until this is dropped.
struct Spinners(Vec<Child>);

impl Spinners {
    fn start() -> io::Result<Self> {
        let mut spinners = Self(Vec::new());
        for _ in 0..available_parallelism()?.get() {
            spinners.0.push(Command::new("sh").args(["-c", "while :; do :; done"]).spawn()?);
        }
        Ok(spinners)
    }
}

impl Drop for Spinners {
    fn drop(&mut self) {
        for spinner in &mut self.0 {
            // The process has run until now, so neither call fails.
            spinner.kill().and_then(|()| spinner.wait()).ok();
        }
    }
}
