//! The soak: a random mix of the whole API, for some minutes, checked against a model of legal
//! callbacks. `cargo xtask soak --minutes N [--seed S]` starts it.
//!
//! It prints its seed first. The same seed gives the same sequence of acts. The kernel's behaviour
//! between the acts differs from run to run.
//! between differs from run to run.

#[path = "mix.rs"]
mod mix;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use procession::prelude::*;

/// The option that makes this program the child that the mix starts as its echo.
const ECHO: &str = "--echo";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut minutes = 1.0;
    let mut seed = u64::from(std::process::id());
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        if arg == ECHO {
            let most = args.next().map(|most| most.parse()).transpose()?;
            return Ok(ExitCode::from(u8::try_from(mix::stdio::echo(most)?)?));
        }
        let value = args.next().ok_or_else(|| format!("{arg} takes a value"))?;
        match arg.as_str() {
            "--minutes" => minutes = value.parse()?,
            "--seed" => seed = value.parse()?,
            _ => return Err(format!("unknown argument {arg}").into()),
        }
    }
    println!("seed {seed}");
    let time = Duration::try_from_secs_f64(minutes * 60.0)?;
    let this = Command::new(std::env::current_exe()?).arg(ECHO);
    let mut reactor = Reactor::new()?.without_signals();
    match mix::run(&mut reactor, seed, time, Some(this)) {
        Ok(counts) => {
            println!("{counts}");
            println!("clean: no rule was broken, nothing is left");
            Ok(ExitCode::SUCCESS)
        }
        Err(violation) => {
            println!("seed {seed}: {violation}");
            Ok(ExitCode::FAILURE)
        }
    }
}
