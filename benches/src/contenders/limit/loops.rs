//! The delays that the timer rows share, and a wake-up with an eventfd.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

use crate::clock::Stopwatch;
use crate::contenders::rounds;
use crate::job::{Job, Ready};

/// The longest delay of a timer.
pub(crate) const TIMER_SPREAD: Duration = Duration::from_millis(100);

/// Pseudorandom delays in whole microseconds, the same for every contender.
#[derive(Debug)]
pub(crate) struct Delays {
    left: u64,
    state: u64,
}

impl Delays {
    pub(crate) fn new(count: u64) -> Self {
        Self { left: count, state: 0x9E37_79B9_7F4A_7C15 }
    }
}

impl Iterator for Delays {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.left = self.left.checked_sub(1)?;
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        Some(Duration::from_micros(self.state % 100_000))
    }
}

/// Writes an eventfd that the other thread reads. That thread answers over a channel.
pub(super) fn wake(job: &Job) -> Result<Ready> {
    let count = job.count;
    Ok(Ready::rounds(move || {
        let event = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let (answer, answered) = mpsc::channel();
        let caller = {
            let event = Arc::clone(&event);
            thread::spawn(move || {
                let watch = Stopwatch::start();
                for _ in 0..count {
                    write(&event, &1_u64.to_ne_bytes())?;
                    answered.recv()?;
                }
                anyhow::Ok(watch.micros_each(count))
            })
        };
        for _ in 0..count {
            read(&event, &mut [0; 8])?;
            answer.send(())?;
        }
        rounds::join(caller)
    }))
}
