//! Shows which step of a start failed, and why.

// ANCHOR: listing
use std::io::ErrorKind;

use procession::{Command, Step};

fn explain(command: Command) {
    match command.spawn() {
        Ok(_) => println!("it runs"),
        Err(error) => match (error.step(), error.kind()) {
            (Step::Exec, ErrorKind::NotFound) => {
                println!("install {} first", error.subject().display());
            }
            (step, _) => println!("at {step:?}: {error}"),
        },
    }
}

fn main() {
    explain(Command::new("no-such-program"));
    explain(Command::new("/etc/passwd"));
    explain(Command::new("true").current_dir("/no/such/directory"));
    explain(Command::new("true").user("nobody-has-this-name"));
}
// ANCHOR_END: listing

listing!();
