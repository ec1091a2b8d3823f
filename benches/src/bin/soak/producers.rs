//! The acts of producers: push and pull, on pipes and socketpairs. The program closes some of them,
//! or their child ends early.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::{Pace, Producer, ReadProducer, Transport};

use super::World;
use super::acts::{self, plain};
use super::model::{ChildState, Expected};

/// A child that reads a descriptor, and the data that it should read.
struct Reader {
    process: Process,
    life: Rc<RefCell<ChildState>>,
    fd: i32,
    data: Vec<u8>,
    /// The child reads all of the data.
    whole: bool,
}

/// Starts a child that reads any descriptor, to its end or for some bytes.
fn reader(world: &Rc<World>, reactor: &Handle) -> Option<Reader> {
    let numbers = &world.numbers;
    let data = numbers.bytes(400_000);
    let whole = numbers.below(4) > 0;
    let most = numbers.index(data.len() + 1);
    let read = match whole {
        true => "cat".to_owned(),
        false => format!("head -c {most}"),
    };
    let output = if whole { data.clone() } else { data[..most].to_vec() };
    let (fd, given) = match numbers.below(3) {
        0 => (0, None),
        1 => (3, Some(Fd::socketpair())),
        _ => (4, Some(Fd::to_child())),
    };
    let mut expected = Expected { output: Some(output), ..plain(Some(0)) };
    let mut command = Command::new("/bin/sh").args(["-c", &format!("exec {read} <&{fd}")]);
    if let Some(given) = given {
        command = command.child_fd(fd, given);
        expected.pipes.push(fd);
    }
    if fd == 3 {
        expected.readable.push(fd);
    }
    let (process, life) = acts::child_and_life(world, reactor, command, expected)?;
    let high = numbers.index(100_000);
    // A callback may have closed it; then the producer is dropped.
    process.set_write_limits(fd, high, high / 2).ok();
    Some(Reader { process, life, fd, data, whole })
}

/// Starts a child whose input comes from a producer of the library, paced by the queue.
pub(super) fn of_a_reader(world: &Rc<World>, reactor: &Handle) {
    let Some(Reader { process, life, fd, data, whole }) = reader(world, reactor) else { return };
    let length = u64::try_from(data.len()).unwrap_or(0);
    let (producer, sent) = ReadProducer::new(io::Cursor::new(data));
    process.register_producer(fd, Pace::Pull, producer).ok();
    close_meanwhile(world, reactor, &process, fd);
    world.begin();
    let me = world.clone();
    sent.done(move |result| {
        let all = result.as_ref().is_ok_and(|sent| *sent == length);
        if !all && whole && !life.borrow().disturbed {
            me.violation(format!("a producer of {length} bytes had {result:?}"));
        }
        me.count("producers of readers");
        me.finish();
    });
}

/// Closes the descriptor of a producer. The close waits for the producer.
fn close_meanwhile(world: &World, reactor: &Handle, process: &Process, fd: i32) {
    if world.numbers.below(3) == 0 {
        let process = process.clone();
        let after = Duration::from_micros(world.numbers.below(3000));
        reactor.call_later(after, move |_| process.shutdown_write(fd));
    }
}

/// The state that a producer shares with the code that drives it.
struct Source {
    world: Rc<World>,
    life: Rc<RefCell<ChildState>>,
    pace: Pace,
    data: Bytes,
    at: Cell<usize>,
    whole: bool,
    paused: Cell<bool>,
    /// A pull producer was asked once.
    asked: Cell<bool>,
    /// A push producer continues later.
    waits: Cell<bool>,
    stopped: Cell<bool>,
    /// All data is written.
    done: Cell<bool>,
    inside: Cell<bool>,
}

impl Source {
    /// Writes until it is paused, stopped or done. A pull producer writes once.
    fn produce(self: &Rc<Self>, transport: &Transport) {
        while !self.paused.get() && !self.stopped.get() && !self.done.get() {
            let left = self.data.slice(self.at.get()..);
            if left.is_empty() {
                self.done.set(true);
                if !transport.unregister_producer() {
                    self.broken("it is not registered at its end");
                }
                return transport.shutdown_write();
            }
            let some = left.slice(..left.len().min(self.world.numbers.index(40_000) + 1));
            let bytes = some.len();
            // Change this before the write, which may call this function.
            self.at.set(self.at.get() + bytes);
            if transport.try_write(some).is_err() {
                self.at.set(self.at.get() - bytes);
                return; // full or closed: a callback reports either
            }
            if self.pace == Pace::Pull || self.rests(transport) {
                return;
            }
        }
    }

    /// Returns whether a push producer has no data for a while, full or not.
    fn rests(self: &Rc<Self>, transport: &Transport) -> bool {
        if self.waits.get() || self.world.numbers.below(3) > 0 {
            return self.waits.get();
        }
        self.waits.set(true);
        let (me, transport) = (self.clone(), transport.clone());
        Handle::current().call_later(Duration::from_micros(500), move |_| {
            me.waits.set(false);
            me.produce(&transport);
        });
        true
    }

    fn broken(&self, what: &str) {
        let (pace, at, paused) = (self.pace, self.at.get(), self.paused.get());
        self.world.violation(format!("a producer ({pace:?}, at {at}, paused {paused}): {what}"));
    }

    fn enter(&self) {
        if self.stopped.get() || self.done.get() {
            self.broken("it is called after its end");
        }
        if self.inside.replace(true) {
            self.broken("it is called inside of its call");
        }
    }
}

/// The producer that is registered.
struct Registered(Rc<Source>);

impl Producer for Registered {
    fn resume(&mut self, transport: &Transport) {
        let source = &self.0;
        source.enter();
        match source.pace {
            // At its registration it is asked, whatever is queued.
            Pace::Pull if source.asked.replace(true) && transport.write_buffered() > 0 => {
                source.broken("it is asked too early");
            }
            Pace::Push if !source.paused.get() => source.broken("it is resumed unpaused"),
            _ => source.paused.set(false),
        }
        source.produce(transport);
        source.inside.set(false);
    }

    fn pause(&mut self, _: &Transport) {
        let source = &self.0;
        source.enter();
        if source.paused.replace(true) || source.pace == Pace::Pull {
            source.broken("it is paused out of turn");
        }
        source.inside.set(false);
    }

    fn stop(&mut self, _: &Transport) {
        self.0.enter();
        self.0.stopped.set(true);
        self.0.inside.set(false);
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let source = &self.0;
        let cut = source.whole && !source.done.get() && !source.life.borrow().disturbed;
        if cut {
            source.broken("it is dropped before its end, and nobody meddled");
        }
        source.world.count("producers");
        source.world.finish();
    }
}

/// Starts a child whose input comes from a producer of the program's own.
pub(super) fn of_its_own(world: &Rc<World>, reactor: &Handle) {
    let Some(Reader { process, life, fd, data, whole }) = reader(world, reactor) else { return };
    let pace = if world.numbers.below(2) == 0 { Pace::Push } else { Pace::Pull };
    let source = Rc::new(Source {
        world: world.clone(),
        life,
        pace,
        data: data.into(),
        at: Cell::new(0),
        whole,
        paused: Cell::new(false),
        asked: Cell::new(false),
        waits: Cell::new(false),
        stopped: Cell::new(false),
        done: Cell::new(false),
        inside: Cell::new(false),
    });
    world.begin();
    // A callback may have closed it, or terminated the child.
    let is_registered = process.register_producer(fd, pace, Registered(source.clone())).is_ok();
    close_meanwhile(world, reactor, &process, fd);
    if is_registered && pace == Pace::Push {
        source.produce(&process.transport(fd));
    }
}
