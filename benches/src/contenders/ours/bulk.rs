//! Bytes from a child, through a child, and between two children.

use anyhow::Result;
use procession::Target;
use procession::prelude::*;

use super::any;
use crate::contenders::rounds;
use crate::job::{Job, Ready};
use crate::{Counter, Input, run};

static CHUNK: [u8; 128 << 10] = [b'x'; 128 << 10];

/// Reads from a child that writes chunks of the row's size. Returns gigabytes per second.
pub(super) fn from_child(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::bulk(job, move |job| run(&mut reactor, flood(job), Input::default()).map_err(any))
}

/// Sends bytes to `cat` and back.
pub(super) fn through_cat(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::bulk(job, move |job| {
        let chunk = Bytes::from_static(&CHUNK);
        let input = Input { times: job.count / chunk.len() as u64, chunk };
        run(&mut reactor, Command::new(job.program("cat")), input).map_err(any)
    })
}

/// Moves bytes from one child to another. Returns gigabytes per second.
pub(super) fn forward(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::bulk(job, move |job| move_all(&mut reactor, job))
}

/// Does the same. Returns milliseconds of this process's processor time per gigabyte.
pub(super) fn forward_cpu(job: &Job) -> Result<Ready> {
    let mut reactor = Reactor::new()?;
    rounds::bulk_cpu(job, move |job| move_all(&mut reactor, job))
}

fn move_all(reactor: &mut Reactor, job: &Job) -> Result<u64> {
    let (protocol, sink_ended) = Counter::new(Input::default());
    let sink = Command::new(job.program("sink"));
    // The forwarding closes its stdin.
    let sink = reactor.spawn_process(KeepStdin(protocol), sink)?;
    let (protocol, flood_ended) = Counter::new(Input::default());
    let flood = reactor.spawn_process(protocol, flood(job))?;
    let moved = reactor.block_on(flood.forward(1, Target::child(&sink, 0)))?;
    reactor.block_on(flood_ended)?;
    reactor.block_on(sink_ended)?;
    Ok(moved)
}

fn flood(job: &Job) -> Command {
    Command::new(job.program("flood")).args(job.flood_args())
}

/// Reports the end, and does not touch the child's input.
struct KeepStdin(Counter);

impl ProcessProtocol for KeepStdin {
    fn process_ended(&mut self, process: &Process, reason: ExitReason) {
        self.0.process_ended(process, reason);
    }
}
