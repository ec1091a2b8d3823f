//! The end of every example: status 0, the signal that stopped it, or one line on stderr and status
//! 1. The module [`idle`] is a part of two of them.

pub mod idle;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::{ExitCode, Termination};

/// Ends an example as `main` would with this outcome, but prints the whole chain of causes on one
/// line.
pub fn end<T: Termination, E: Display>(name: &str, outcome: Result<T, E>) -> ExitCode {
    match outcome {
        Ok(done) => done.report(),
        Err(error) => {
            // The terminal may be gone.
            writeln!(io::stderr(), "{name}: {error:#}").ok();
            ExitCode::FAILURE
        }
    }
}
