//! Runs two programs, one after the other, and prints their exit statuses: the howto's
//! `getProcessValue`.

use std::process::ExitCode;

use procession::get_process_value;
use procession::prelude::*;

fn print_value(program: &str, value: i32) {
    println!("{program} exits with rc={value}");
}

fn run() -> anyhow::Result<Stopped> {
    let reactor = Reactor::new()?;
    let both = get_process_value("/bin/true")
        .and_then(|value| {
            print_value("/bin/true", value);
            get_process_value("/bin/false")
        })
        .map(|value| print_value("/bin/false", value));
    reactor.run_main(async { Ok(both.await?) })
}

fn main() -> ExitCode {
    procession_examples::end("true_and_false", run())
}
