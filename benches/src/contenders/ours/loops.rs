//! The loop without children: timers, and wake-ups from another thread.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::thread;

use anyhow::{Result, ensure};
use procession::prelude::*;
use rustix::io::{read, write};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::clock::Stopwatch;
use crate::contenders::limit::loops::{Delays, TIMER_SPREAD};
use crate::contenders::rounds;
use crate::job::{Job, Ready};

/// Sets timers, cancels every second one, and lets the others fire. Returns milliseconds.
pub(super) fn timers(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        let fired = Rc::new(Cell::new(0_u64));
        let watch = Stopwatch::start();
        let mut timers = Vec::new();
        for delay in Delays::new(count) {
            let fired = Rc::clone(&fired);
            timers.push(reactor.call_later(delay, move |_| fired.set(fired.get() + 1)));
        }
        for timer in timers.iter().step_by(2) {
            timer.cancel();
        }
        let (done, all) = Deferred::<(), Infallible>::new();
        reactor.call_later(TIMER_SPREAD, move |_| done.complete(Ok(())));
        reactor.block_on(all)?;
        drop(timers); // as tokio drops its own
        let millis = watch.elapsed().as_secs_f64() * 1e3;
        ensure!(fired.get() == count / 2, "{} timers fired", fired.get());
        Ok(millis)
    }))
}

/// Answers calls from another thread over a channel. Returns the microseconds of both ways.
pub(super) fn wake(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let count = job.count;
    Ok(Ready::rounds(move || {
        let remote = reactor.remote();
        let caller = thread::spawn(move || {
            let figure = rounds::calls(count, |answer| {
                remote.call(move |_| answer.send(()));
                Ok(())
            });
            remote.call(|reactor| reactor.stop());
            figure
        });
        reactor.run()?;
        rounds::join(caller)
    }))
}

/// Reads a pipe whenever it is readable, and writes it again. Returns the microseconds of a turn.
pub(super) fn dispatch(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    let count = job.count;
    Ok(Ready::rounds(move || {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
        write(&writer, b"x")?;
        let (done, all) = Deferred::<(), Infallible>::new();
        let mut left = count;
        let watched = reactor.register(reader, Interest::READABLE, move |reader, _| {
            let moved = read(&**reader, &mut [0; 8]).and_then(|_| write(&writer, b"x"));
            left -= 1;
            if moved.is_err() || left == 0 {
                done.complete(Ok(()));
            }
        })?;
        let watch = Stopwatch::start();
        reactor.block_on(all)?;
        let figure = watch.micros_each(count);
        drop(watched);
        Ok(figure)
    }))
}
