//! A crowd of children, each of which copies its input to its output.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::mem::take;
use std::rc::Rc;

use anyhow::Result;
use procession::prelude::*;
use procession::{ProcessTerminated, gather};

use crate::contenders::crowd_life::{self, EchoingCrowd};
use crate::job::{Job, Ready};

/// Measures a crowd from the spawn to the end.
pub(super) fn life(job: &Job) -> Result<Ready> {
    procession::reserve_spawn_fds()?;
    let command = Command::new(job.program("cat")).child_fd(2, Fd::null());
    let (reactor, ring) = (Reactor::new()?, Rc::new(Ring::default()));
    crowd_life::rounds(job, Cats { reactor, command, ring, ended: Vec::new() })
}

struct Cats {
    reactor: Reactor,
    command: Command,
    ring: Rc<Ring>,
    ended: Vec<Deferred<(), ProcessTerminated>>,
}

/// The children, and the way of a byte through all of them.
#[derive(Default)]
struct Ring {
    cats: RefCell<Vec<Process>>,
    /// The index of the child that has the byte next.
    next: Cell<usize>,
    done: RefCell<Option<Promise<(), Infallible>>>,
}

impl Ring {
    /// Sends the byte to the next child. After the last one, the round is done.
    fn pass_on(&self) {
        let at = self.next.get();
        self.next.set(at + 1);
        match self.cats.borrow().get(at) {
            Some(cat) => cat.write("x"),
            None => self.done.take().into_iter().for_each(|done| done.complete(Ok(()))),
        }
    }
}

struct Cat {
    ring: Rc<Ring>,
    ended: Promise<(), ProcessTerminated>,
}

impl ProcessProtocol for Cat {
    fn out_received(&mut self, _: &Process, _: Bytes) {
        self.ring.pass_on();
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.ended.complete(reason.map(drop));
    }
}

impl EchoingCrowd for Cats {
    fn spawn(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let (promise, ended) = Deferred::new();
            let cat = Cat { ring: Rc::clone(&self.ring), ended: promise };
            let process = self.reactor.spawn_process(cat, self.command.clone())?;
            self.ring.cats.borrow_mut().push(process);
            self.ended.push(ended);
        }
        Ok(())
    }

    fn echo(&mut self) -> Result<()> {
        let (done, result) = Deferred::new();
        self.ring.next.set(0);
        self.ring.done.replace(Some(done));
        self.ring.pass_on();
        Ok(self.reactor.block_on(result)?)
    }

    fn end(&mut self) -> Result<()> {
        self.ring.cats.take().iter().for_each(Process::close_stdin);
        self.reactor.block_on(gather(take(&mut self.ended)))?;
        Ok(())
    }
}
