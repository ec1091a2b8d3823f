//! The task `busy`: the suite several times in a row, beside a process for each processor that
//! never rests. `cargo xtask busy [--times N]`.

use std::io;
use std::process::{Child, Command};
use std::thread::available_parallelism;

use anyhow::{Context, Result};
use xshell::Shell;

use crate::arguments::Arguments;
use crate::test;

/// Runs the suite; the first run that fails ends it.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let times = arguments.option::<u32>("--times")?.unwrap_or(5);
    arguments.end()?;
    // The tests' support code multiplies its bounds on time by 4, and says so.
    let _bounds = sh.push_env("PROCESSION_BUSY_MACHINE", "1");
    let _spinners = Spinners::start().context("what keeps the processors busy does not start")?;
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
            // It runs until now: neither call has a reason to fail.
            spinner.kill().and_then(|()| spinner.wait()).ok();
        }
    }
}
