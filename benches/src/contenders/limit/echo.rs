//! One byte to `cat` and back, with epoll: wait, read, write.

use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags, add, create, wait};
use rustix::io::{read, write};

use super::crowd;
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};

/// Makes round trips of three system calls. Returns microseconds.
pub(super) fn one_byte(job: &Job) -> Result<Ready> {
    let crowd = crowd::start(job)?;
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (input, out) = (cat.stdin.take(), cat.stdout.take());
    let (input, out) = (input.context("no stdin")?, out.context("no stdout")?);
    let poller = create(CreateFlags::CLOEXEC)?;
    add(&poller, &out, EventData::new_u64(0), EventFlags::IN)?;
    for child in &crowd.1 {
        let out = child.stdout.as_ref().context("no stdout")?;
        add(&poller, out, EventData::new_u64(1), EventFlags::IN)?;
    }
    let count = job.count;
    Ok(Ready::rounds(move || {
        let _held = (&crowd, &cat);
        let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 64];
        let mut byte = [b'x'; 4096];
        let watch = Stopwatch::start();
        for _ in 0..count {
            write(&input, &byte[..1])?;
            wait(&poller, &mut events, None)?;
            read(&out, &mut byte)?;
        }
        Ok(watch.micros_each(count))
    }))
}
