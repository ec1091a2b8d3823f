//! How every example ends: with status 0, or with one line on stderr and status 1.

use std::fmt::Display;
use std::process::ExitCode;

/// Turns the outcome of an example into its exit status; prints the whole chain of causes.
pub fn end<E: Display>(name: &str, outcome: Result<(), E>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
