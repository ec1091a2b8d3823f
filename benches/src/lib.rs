//! What is measured: the same work done by procession, by its peers, and by the bare system calls
//! that are the limit.
//!
//! The unit is a *contender*: one library at one row of the comparison, in a process of its own, so
//! that no contender pays for another's signal handlers, threads or memory. [`contenders`] has them
//! all; the program `compare` runs them in turns. The criterion benches use [`run`] and
//! [`contenders::ours`] directly.

pub mod clock;
pub mod contenders;
pub mod job;
pub mod programs;
mod sys;
pub mod tcp;

use std::error::Error;

use procession::ProcessTerminated;
use procession::prelude::*;

/// What a child is given on its standard input: the same chunk, some times over.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// One write; cloning it copies no bytes.
    pub chunk: Bytes,
    /// How often it is written. The next write waits until the queue is drained.
    pub times: u64,
}

/// Runs a child to its end and returns the number of bytes that it wrote to its standard output.
///
/// # Errors
///
/// The child cannot be started, or does not exit with status 0.
pub fn run(reactor: &mut Reactor, command: Command, input: Input) -> Result<u64, Box<dyn Error>> {
    let (ended, result) = Deferred::new();
    reactor.spawn_process(Counter { input, received_bytes: 0, ended }, command)?;
    Ok(reactor.block_on(result)?)
}

/// Feeds a child, counts what comes back, and gives the count when the child has ended.
#[derive(Debug)]
pub struct Counter {
    input: Input,
    received_bytes: u64,
    ended: Promise<u64, ProcessTerminated>,
}

impl Counter {
    /// Makes the protocol and the result that it completes.
    #[must_use]
    pub fn new(input: Input) -> (Self, Deferred<u64, ProcessTerminated>) {
        let (ended, result) = Deferred::new();
        (Self { input, received_bytes: 0, ended }, result)
    }

    fn feed(&mut self, process: &Process) {
        if self.input.times == 0 {
            process.close_stdin();
        } else {
            self.input.times -= 1;
            process.write(self.input.chunk.clone());
        }
    }
}

impl ProcessProtocol for Counter {
    fn connection_made(&mut self, process: &Process) {
        self.feed(process);
    }

    fn child_write_buffer_drained(&mut self, process: &Process, _: ChildFd) {
        self.feed(process);
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.received_bytes += data.len() as u64;
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.ended.complete(reason.map(|_| self.received_bytes));
    }
}
