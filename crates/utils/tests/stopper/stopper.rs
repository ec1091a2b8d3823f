//! A program that is stopped and continued, for the tests of what it owns. It is a separate program
//! because only a run of the main thread claims SIGTSTP, and the harness runs tests on other
//! threads.
//!
//! Usage: `procession-stopper MODE MILLISECONDS`. The second argument is the time limit of its
//! children. They report on its standard output.

use std::env;
use std::error::Error;
use std::thread;
use std::time::Duration;

use procession_core::{Failed, Signal};
use procession_process_transport::Command;
use procession_reactor::{Handle, Reactor, Stopped, run_main};
use procession_utils::{OutputError, Run};

type Ended = Result<Stopped, Box<dyn Error>>;

/// A group of two processes that report their pids.
const GROUP: &str = "echo leader=$$; sh -c 'echo member=$$; exec sleep 600'; exit";

/// How long the program sleeps. Every test ends it earlier.
const LONG: Duration = Duration::from_secs(600);

/// Returns a run of a script that passes each line on.
fn reported(script: &str) -> Run {
    let run = Run::from(Command::new("/bin/sh").args(["-c", script]));
    run.for_each_line(|line| println!("{}", line.text.escape_ascii()))
}

fn main() -> Ended {
    let mut words = env::args().skip(1);
    let (Some(mode), Some(limit)) = (words.next(), words.next()) else {
        return Err("a mode and a time".into());
    };
    let limit = Duration::from_millis(limit.parse()?);
    println!("program={}", std::process::id());
    match mode.as_str() {
        "timeout" => timeout(limit),
        "threads" => threads(limit),
        "twice" => twice(),
        "watch" => watch(),
        "ready" => run_main(async { wait_for_usr1("ready").await }),
        "without_signals" => without_signals(limit),
        "halted" => halted(),
        "deaf" => deaf(limit),
        other => Err(format!("no mode {other}").into()),
    }
}

fn timeout(limit: Duration) -> Ended {
    run_main(async move {
        println!("{}", reported(GROUP).timeout(limit).await.expect_err("a timeout"));
        Ok(())
    })
}

fn threads(limit: Duration) -> Ended {
    let other = thread::spawn(move || {
        let mut reactor = Reactor::new().expect("a reactor");
        let run = reported("echo other=$$; exec sleep 600").timeout(limit);
        let result = reactor.block_on(run);
        assert!(matches!(result, Err(Failed::Error(OutputError::TimedOut { .. }))));
        println!("timed out");
    });
    let ended = run_main(async move {
        let result = reported(GROUP).start().timeout(limit).await;
        assert!(matches!(result, Err(Failed::TimedOut)), "{result:?}");
        println!("gave up");
        Handle::current().sleep(limit).await;
        println!("slept");
        Ok(())
    });
    other.join().expect("no panic");
    ended
}

/// Prints a word, and waits for USR1.
async fn wait_for_usr1(word: &str) -> Result<(), Box<dyn Error>> {
    let (promise, told) = procession_core::Deferred::<(), procession_core::NoError>::new();
    let mut promise = Some(promise);
    let watch = Handle::current().on_signal(Signal::USR1, move |_| {
        if let Some(promise) = promise.take() {
            promise.complete(Ok(()));
        }
    })?;
    println!("{word}");
    told.await?;
    drop(watch);
    println!("told");
    Ok(())
}

/// Stops during a run, and after it, when no run claims the signal.
fn twice() -> Ended {
    let mut reactor = Reactor::new()?;
    reactor.run_until(wait_for_usr1("ready"))??;
    reactor.block_on(wait_for_usr1("again"))?;
    let outcome = reactor.block_on(Run::new("echo").arg("a child"))?;
    println!("{}", outcome.stdout_utf8()?);
    Ok(Stopped::Called)
}

fn watch() -> Ended {
    run_main(async {
        let watch = Handle::current().on_signal(Signal::TSTP, |_| println!("seen"))?;
        wait_for_usr1("ready").await?;
        drop(watch);
        wait_for_usr1("without").await
    })
}

fn without_signals(limit: Duration) -> Ended {
    let mut reactor = Reactor::new()?.without_signals();
    let timed_out = reactor.run_until(reported(GROUP).timeout(limit))?;
    println!("{}", timed_out.expect_err("a timeout"));
    Ok(Stopped::Called)
}

fn halted() -> Ended {
    run_main(async {
        let halted = reported("echo halted=$$; kill -STOP $$; sleep 600").start();
        let running = reported(GROUP).start();
        Handle::current().sleep(LONG).await;
        drop((halted, running));
        Ok(())
    })
}

fn deaf(limit: Duration) -> Ended {
    run_main(async move {
        let run = reported("trap '' TERM; echo leader=$$; exec sleep 600").kill_grace(limit);
        let running = run.start();
        Handle::current().sleep(LONG).await;
        drop(running);
        Ok(())
    })
}
