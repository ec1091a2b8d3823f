//! The runtime without children: timers, and wake-ups from another thread.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread;

use anyhow::{Result, anyhow, ensure};
use rustix::io::{read, write};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::sync::mpsc::unbounded_channel;
use tokio::task::LocalSet;
use tokio::time::{Sleep, sleep};

use super::runtime;
use crate::clock::Stopwatch;
use crate::contenders::limit::loops::{Delays, TIMER_SPREAD};
use crate::contenders::rounds;
use crate::job::{Job, Ready};
use crate::sys;

/// Sets timers, cancels every second one, and lets the others fire. Returns milliseconds.
///
/// This is tokio's cheapest way: one task polls `Sleep` futures once, and then awaits them in turn.
pub(super) fn timers(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let watch = Stopwatch::start();
            let mut timers: Vec<Option<Pin<Box<Sleep>>>> = Vec::new();
            for delay in Delays::new(count) {
                let mut timer = Box::pin(sleep(delay));
                // The first poll inserts the timer.
                let poll = poll_fn(|context| Poll::Ready(timer.as_mut().poll(context))).await;
                // A delay of zero is over at once, and the await below may not poll that timer
                // again.
                timers.push(poll.is_pending().then_some(timer));
            }
            for timer in timers.iter_mut().step_by(2) {
                drop(timer.take());
            }
            sleep(TIMER_SPREAD).await;
            for timer in timers.into_iter().flatten() {
                timer.await;
            }
            Ok(watch.elapsed().as_secs_f64() * 1e3)
        })
    }))
}

/// Does the same as a program whose timers do something: one task per timer.
pub(super) fn timers_in_tasks(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.crowd;
    Ok(Ready::rounds(move || {
        LocalSet::new().block_on(&runtime, async {
            let fired = Rc::new(Cell::new(0_u64));
            let watch = Stopwatch::start();
            let mut tasks = Vec::new();
            for delay in Delays::new(count) {
                let fired = Rc::clone(&fired);
                tasks.push(tokio::task::spawn_local(async move {
                    sleep(delay).await;
                    fired.set(fired.get() + 1);
                }));
            }
            tokio::task::yield_now().await;
            for task in tasks.iter().step_by(2) {
                task.abort();
            }
            for task in tasks.into_iter().skip(1).step_by(2) {
                task.await?;
            }
            // Some of the timers to cancel were due already.
            ensure!(fired.get() >= count / 2, "{} timers fired", fired.get());
            Ok(watch.elapsed().as_secs_f64() * 1e3)
        })
    }))
}

/// Answers messages from another thread over a channel. Returns the microseconds of both ways.
pub(super) fn wake(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.count;
    Ok(Ready::rounds(move || {
        let (call, mut calls) = unbounded_channel();
        let caller = thread::spawn(move || {
            rounds::calls(count, |answer| {
                let boxed: Box<dyn FnOnce() + Send> =
                    Box::new(move || answer.send(()).unwrap_or(()));
                call.send(boxed).map_err(|_| anyhow!("nobody listens"))
            })
        });
        runtime.block_on(async {
            while let Some(call) = calls.recv().await {
                call();
            }
        });
        rounds::join(caller)
    }))
}

/// Reads a pipe whenever it is readable, and writes it again. Returns the microseconds of a turn.
pub(super) fn dispatch(job: &Job) -> Result<Ready> {
    let runtime = runtime()?;
    let count = job.count;
    Ok(Ready::rounds(move || {
        runtime.block_on(async {
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
            let reader = sys::readable(reader)?;
            write(&writer, b"x")?;
            let watch = Stopwatch::start();
            for _ in 0..count {
                let mut ready = reader.readable().await?;
                read(reader.get_ref(), &mut [0; 8])?;
                ready.clear_ready();
                write(&writer, b"x")?;
            }
            Ok(watch.micros_each(count))
        })
    }))
}
