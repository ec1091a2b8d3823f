//! The programs that the tests put on a terminal: each runs a child by [`Run`], in its own way, and says
//! what came of it. It is a binary of its own, since the main thread of a program is what is tested.
//!
//! `PROCESSION_TEST_ON_TERMINAL` names the program, `PROCESSION_TEST_CHILD` is the script of its child,
//! `PROCESSION_TEST_GRACE` the milliseconds that its group has between TERM and KILL.

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

/// A descriptor that this program was started with.
fn inherited(number: i32, options: &OpenOptions) -> File {
    options.open(format!("/proc/self/fd/{number}")).expect("it was started with it")
}

fn lines() -> File {
    inherited(3, OpenOptions::new().write(true))
}

fn say(line: &str) {
    lines().write_all(format!("{line}\n").as_bytes()).expect("the test reads");
}

/// The child, which says what it says on 3 and is told what it is told on 4.
fn child(script: &str) -> Run {
    let words = inherited(4, OpenOptions::new().read(true));
    let child = Command::new("/bin/sh").args(["-c", script]);
    let child = child.child_fd(3, Fd::inherit(lines())).child_fd(4, Fd::inherit(words));
    let grace =
        env::var("PROCESSION_TEST_GRACE").map_or(2000, |grace| grace.parse().expect("a number"));
    Run::from(child).kill_grace(Duration::from_millis(grace))
}

/// Says how many lines the child wrote, and whether they are those of `seq`.
fn tell_of(outcome: &Outcome) {
    let lines = outcome.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let count = lines.clone().count();
    let whole = (1..=count).map(|number| number.to_string());
    let as_counted = lines.eq(whole.map(String::into_bytes));
    let code = outcome.exit_code();
    say(&format!("outcome={code:?} {count} lines {}", if as_counted { "whole" } else { "broken" }));
}

/// For ever, whatever comes.
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
            tell_of(&outcome);
            Ok(Stopped::Called)
        }
        "run_main" => run_main(async {
            tell_of(&run.await?);
            Ok(())
        }),
        // The child runs before its callback comes.
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
        // One that has ended before the one that is waited for.
        "after another" => {
            let mut reactor = Reactor::new()?;
            let left = "(read word <&4; echo daemon still here >&3) & echo daemon=$! >&3";
            let outcome = reactor.block_on(child(left).drain_after_exit(Duration::ZERO))?;
            say(&format!("left={:?}", outcome.exit_code()));
            tell_of(&reactor.block_on(run)?);
            Ok(Stopped::Called)
        }
        "after another, run_main" => run_main(async {
            let left = "(read word <&4; echo daemon still here >&3) & echo daemon=$! >&3";
            let outcome = child(left).drain_after_exit(Duration::ZERO).await?;
            say(&format!("left={:?}", outcome.exit_code()));
            tell_of(&run.await?);
            Ok(())
        }),
        other => Err(format!("no program {other}").into()),
    }
}
