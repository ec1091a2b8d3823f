//! The programs that the tests put on a terminal. Each runs a child with [`Run`] in its own way,
//! and reports the outcome. It is a separate binary, because the tests concern the main thread of a
//! program.
//!
//! `PROCESSION_TEST_ON_TERMINAL` names the program, `PROCESSION_TEST_CHILD` is the script of its
//! child, and `PROCESSION_TEST_GRACE` is the time in milliseconds between TERM and KILL for the
//! child's group.

use std::env;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::future::pending;
use std::io::Write;
use std::thread;
use std::time::Duration;

use procession_process_transport::{Command, Fd};
use procession_reactor::{Handle, Reactor, Stopped, run_main};
use procession_utils::{Outcome, Run};

type Ended = Result<Stopped, Box<dyn Error>>;

/// Opens a descriptor that this program was started with.
fn inherited(number: i32, options: &OpenOptions) -> File {
    options.open(format!("/proc/self/fd/{number}")).expect("it was started with it")
}

fn lines() -> File {
    inherited(3, OpenOptions::new().write(true))
}

fn say(line: &str) {
    lines().write_all(format!("{line}\n").as_bytes()).expect("the test reads");
}

/// Returns the child. It reports on descriptor 3, and reads words from 4.
fn child(script: &str) -> Run {
    let words = inherited(4, OpenOptions::new().read(true));
    let child = Command::new("/bin/sh").args(["-c", script]);
    let child = child.child_fd(3, Fd::inherit(lines())).child_fd(4, Fd::inherit(words));
    let grace =
        env::var("PROCESSION_TEST_GRACE").map_or(2000, |grace| grace.parse().expect("a number"));
    Run::from(child).kill_grace(Duration::from_millis(grace))
}

/// Reports how many lines the child wrote, and whether they are those of `seq`.
fn report_outcome(outcome: &Outcome) {
    let lines = outcome.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let count = lines.clone().count();
    let whole = (1..=count).map(|number| number.to_string());
    let as_counted = lines.eq(whole.map(String::into_bytes));
    let code = outcome.exit_code();
    say(&format!("outcome={code:?} {count} lines {}", if as_counted { "whole" } else { "broken" }));
}

/// Blocks forever, ignoring everything.
fn block(_: &Handle) {
    say("blocked");
    loop {
        thread::park();
    }
}

fn main() -> Ended {
    say(&format!("program={}", std::process::id()));
    let run = child(&env::var("PROCESSION_TEST_CHILD")?);
    match env::var("PROCESSION_TEST_ON_TERMINAL")?.as_str() {
        "block_on" => {
            let outcome = Reactor::new()?.block_on(run)?;
            report_outcome(&outcome);
            Ok(Stopped::Called)
        }
        "run_main" => run_main(async {
            report_outcome(&run.await?);
            Ok(())
        }),
        // The child runs before its callback is called.
        "block_on, blocked" => {
            let mut reactor = Reactor::new()?;
            let _running = run.start_on(&reactor);
            reactor.call_soon(block);
            reactor.block_on(pending::<()>());
            Err("nobody is back from there".into())
        }
        "run_main, blocked" => {
            let reactor = Reactor::new()?;
            let running = run.start_on(&reactor);
            reactor.call_soon(block);
            reactor.run_main(async {
                running.await?;
                Ok(())
            })
        }
        "left by a run" => {
            let mut reactor = Reactor::new()?;
            let running = run.start_on(&reactor);
            reactor.call_when_running(|_| say("running"));
            say(&reactor.run()?.to_string());
            block(&reactor);
            drop(running);
            Ok(Stopped::Called)
        }
        // The first child ends before the child that this waits for.
        "after another" => {
            let mut reactor = Reactor::new()?;
            let left = "(read word <&4; echo daemon still here >&3) & echo daemon=$! >&3";
            let outcome = reactor.block_on(child(left).drain_after_exit(Duration::ZERO))?;
            say(&format!("left={:?}", outcome.exit_code()));
            report_outcome(&reactor.block_on(run)?);
            Ok(Stopped::Called)
        }
        "after another, run_main" => run_main(async {
            let left = "(read word <&4; echo daemon still here >&3) & echo daemon=$! >&3";
            let outcome = child(left).drain_after_exit(Duration::ZERO).await?;
            say(&format!("left={:?}", outcome.exit_code()));
            report_outcome(&run.await?);
            Ok(())
        }),
        other => Err(format!("no program {other}").into()),
    }
}
