//! The comparison: the same work done by procession, by its peers, and by the bare system calls,
//! which are the limit.
//!
//! Its unit is a *contender*: one library at one row of the comparison. It runs in its own process,
//! so that the signal handlers, threads and memory of one contender do not slow another.
//! [`contenders`] has all of them, and the program `compare` runs them in turns. The criterion
//! benches use [`run`] and [`contenders::ours`] directly.

pub mod clock;
pub mod contenders;
pub mod job;
pub mod programs;
pub mod sshd;
mod sys;
pub mod tcp;

use std::error::Error;

use procession::ProcessTerminated;
use procession::prelude::*;

/// The standard input of a child: the same chunk, some number of times.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// The data of one write. A clone copies no bytes.
    pub chunk: Bytes,
    /// How often the chunk is written. The next write waits until the queue is drained.
    pub times: u64,
}

/// Runs a child to its end. Returns the number of bytes that it wrote to its standard output.
///
/// # Errors
///
/// If the child cannot be started, or does not exit with status 0.
pub fn run(reactor: &mut Reactor, command: Command, input: Input) -> Result<u64, Box<dyn Error>> {
    let (ended, result) = Deferred::new();
    reactor.spawn_process(Counter { input, received_bytes: 0, ended }, command)?;
    Ok(reactor.block_on(result)?)
}

/// Writes the input of a child, counts its output, and gives the count when the child has ended.
#[derive(Debug)]
pub struct Counter {
    input: Input,
    received_bytes: u64,
    ended: Promise<u64, ProcessTerminated>,
}

impl Counter {
    /// Creates the protocol, and the result that it completes.
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
