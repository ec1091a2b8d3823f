//! Errors of results, of values, and of the loop without children or connections.

use std::fs::File;
use std::rc::Rc;
use std::time::Duration;

use procession::driver::core::{Answer, Direction, Gone};
use procession::driver::reactor::{EventHandler, Pipe, Ready};
use procession::{
    AlreadyCompleted, Deferred, FakeClock, Handle, NotRunning, Reactor, Signal, Stopped, TimerError,
};

use crate::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = results();
    let mut reactor = Reactor::new().expect("a reactor");
    let call = reactor.call_later(Duration::from_secs(60), |_| ());
    call.cancel();
    let late: TimerError = call.try_cancel().expect_err("it fails");
    let text = "cannot change the delayed call: it was cancelled already";
    rows.push(row("TimerError::AlreadyCancelled", &late, text));
    let call = reactor.call_later(Duration::ZERO, |_| ());
    reactor.turn(Some(Duration::ZERO)).expect("a turn");
    let late = call.try_reset(Duration::ZERO).expect_err("it fails");
    let text = "cannot change the delayed call: it was made already";
    rows.push(row("TimerError::AlreadyCalled", &late, text));
    let idle: NotRunning = reactor.try_stop().expect_err("it fails");
    rows.push(row("NotRunning", &idle, "cannot stop the reactor: it is not running"));
    let stopped = reactor.run_until(async {
        Handle::current().stop();
        std::future::pending::<()>().await;
    });
    rows.push(row("Stopped::Called", &stopped.expect_err("it fails"), "stopped by the program"));
    // A provoked signal would end the test, and no call fails with `Finished`.
    rows.push(row("Stopped::Signal", &Stopped::Signal(Signal::TERM), "stopped by SIGTERM"));
    rows.push(row("Stopped::Finished", &Stopped::Finished, "finished"));
    let handle = reactor.handle();
    drop(reactor);
    let null = File::open("/dev/null").expect("it is there");
    let refused = Pipe::open(&handle, null.into(), Direction::Read, Rc::new(Nobody), 0);
    let text = "the reactor cannot take the descriptor: the reactor is gone";
    rows.push(row("OpenError", &refused.expect_err("it fails"), text));
    rows
}

struct Nobody;

impl EventHandler for Nobody {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

fn results() -> Vec<Row> {
    let (reply, answer) = Answer::<()>::new();
    drop(reply);
    let gone: Gone = answer.wait().expect_err("it fails");
    let gone = row("Gone", &gone, "the sender was dropped without an answer");
    let taken = |deferred: Deferred<(), Signalless>| {
        deferred.try_take().expect("at once").expect_err("it fails")
    };
    let (promise, deferred) = Deferred::new();
    promise.complete(Err(Signalless));
    let twice: AlreadyCompleted = promise.try_complete(Ok(())).expect_err("it fails");
    let error = row("Failed::Error", &taken(deferred), "no text");
    let (promise, deferred) = Deferred::new();
    drop(promise);
    let text = "abandoned: the promise was dropped without a result";
    let abandoned = row("Failed::Abandoned", &taken(deferred), text);
    let (_promise, deferred) = Deferred::new();
    deferred.cancel();
    let cancelled = row("Failed::Cancelled", &taken(deferred), "cancelled");
    let clock = FakeClock::new();
    let (_promise, deferred) = Deferred::new();
    let deferred = deferred.timeout_on(Duration::from_secs(1), &clock);
    clock.advance(Duration::from_secs(1));
    let timed_out = row("Failed::TimedOut", &taken(deferred), "timed out");
    let twice = row("AlreadyCompleted", &twice, "the promise was completed already");
    let name = "NOSIG".parse::<Signal>().expect_err("it fails");
    let name = row("ParseSignalError", &name, r#"no signal is called "NOSIG""#);
    vec![error, abandoned, cancelled, timed_out, twice, name, gone]
}

/// An error of another library.
#[derive(Debug, thiserror::Error)]
#[error("no text")]
struct Signalless;
