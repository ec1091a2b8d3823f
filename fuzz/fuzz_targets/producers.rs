//! Producers of a fake child. Whatever they, the program and the child do, each producer gets the
//! calls that the documentation of `Producer` promises, and accepted data arrives in order.
#![no_main]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use procession_core::Signal;
use procession_protocol::{
    ChildFd, ExitReason, FakeFd, FakeProcess, Pace, Process, ProcessProtocol, Producer, Transport,
};

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Act {
    Write(u8),
    /// Closes its own descriptor.
    Close,
    Abort,
    ShutDown,
    Unregister,
    CloseAll,
    Terminate,
    Limits(u8, u8),
}

#[derive(Debug, Clone, Arbitrary)]
enum Fact {
    /// Registers a producer that does one act in each call, until its plan is empty.
    Register {
        fd: u8,
        pull: bool,
        plan: Vec<Act>,
    },
    /// The program does an act.
    Do {
        fd: u8,
        act: Act,
    },
    Hold(u8),
    Read(u8, u8),
    Release(u8),
    ChildCloses(u8),
    Exit(bool),
}

#[derive(Debug, Arbitrary)]
struct Input {
    facts: Vec<Fact>,
}

/// The expected state of one descriptor.
#[derive(Debug, Default)]
struct FdModel {
    taken: Vec<u8>,
    next: u8,
    /// The number of the registered producer.
    producer: Option<usize>,
    /// A close was asked for. A producer may delay it.
    close_asked: bool,
    /// The descriptor may be lost although it has a producer.
    may_be_lost: bool,
    lost: bool,
}

/// The shared state.
#[derive(Default)]
struct Table {
    fds: RefCell<BTreeMap<i32, FdModel>>,
    alive: Cell<usize>,
    next: Cell<usize>,
}

impl Table {
    fn act(&self, process: &Process, fd: ChildFd, act: Act, by_producer: bool) {
        let known = |change: &dyn Fn(&mut FdModel)| {
            change(self.fds.borrow_mut().entry(fd.as_raw()).or_default());
        };
        match act {
            Act::Write(length) => {
                let data = {
                    let mut fds = self.fds.borrow_mut();
                    let known = fds.entry(fd.as_raw()).or_default();
                    let data: Vec<u8> = (0..length).map(|at| known.next.wrapping_add(at)).collect();
                    known.next = known.next.wrapping_add(length);
                    // Change this before the write, which may call a producer that writes as well.
                    known.taken.extend(&data);
                    data
                };
                let before = process.write_buffered(fd);
                if process.write_to_child(fd, data).is_err() {
                    assert_eq!(process.write_buffered(fd), before, "what is refused is not queued");
                    known(&|known| {
                        let kept = known.taken.len() - usize::from(length);
                        known.taken.truncate(kept);
                    });
                }
            }
            Act::Close | Act::ShutDown => {
                known(&|known| known.close_asked = true);
                if by_producer {
                    known(&|known| known.may_be_lost = true);
                }
                match act {
                    Act::Close => process.close_child_fd(fd),
                    _ => process.shutdown_write(fd),
                }
            }
            Act::Abort => {
                known(&|known| known.may_be_lost = true);
                process.abort_connection(fd);
            }
            Act::Unregister => {
                let had = self.fds.borrow_mut().entry(fd.as_raw()).or_default().producer.take();
                assert_eq!(process.unregister_producer(fd), had.is_some());
            }
            Act::CloseAll => {
                for known in self.fds.borrow_mut().values_mut() {
                    known.close_asked = true;
                }
                if by_producer {
                    known(&|known| known.may_be_lost = true);
                }
                process.close_all();
            }
            Act::Terminate => {
                for known in self.fds.borrow_mut().values_mut() {
                    known.may_be_lost = true;
                }
                // This includes descriptors that have no entry yet.
                for fd in 0..4 {
                    self.fds.borrow_mut().entry(fd).or_default().may_be_lost = true;
                }
                drop(process.terminate(Signal::TERM, Duration::from_secs(1)));
            }
            Act::Limits(high, low) => {
                process.set_write_limits(fd, usize::from(high), usize::from(low)).ok();
            }
        }
    }
}

struct PlannedProducer {
    process: Process,
    fd: ChildFd,
    table: Rc<Table>,
    number: usize,
    pull: bool,
    paused: bool,
    /// A pull producer was asked once. The first time, at its registration, the queue may have
    /// data.
    asked: bool,
    inside: bool,
    stopped: bool,
    /// The acts, the last one first.
    plan: Vec<Act>,
}

impl PlannedProducer {
    fn enter(&mut self) {
        assert!(!std::mem::replace(&mut self.inside, true), "it is called inside of its call");
        assert!(!self.stopped, "nothing comes after the stop");
        let registered =
            self.table.fds.borrow().get(&self.fd.as_raw()).and_then(|known| known.producer);
        assert_eq!(registered, Some(self.number), "it is not registered any more");
    }

    fn act(&mut self) {
        if let Some(act) = self.plan.pop() {
            self.table.act(&self.process, self.fd, act, true);
        }
        self.inside = false;
    }
}

impl Producer for PlannedProducer {
    fn resume(&mut self, transport: &Transport) {
        self.enter();
        if self.pull {
            let is_first = !std::mem::replace(&mut self.asked, true);
            let is_empty = transport.write_buffered() == 0;
            assert!(is_first || is_empty, "it is asked when the queue is empty");
        } else {
            assert!(std::mem::replace(&mut self.paused, false), "it was not paused");
        }
        self.act();
    }

    fn pause(&mut self, _: &Transport) {
        self.enter();
        assert!(!self.pull, "a pull producer is not paused");
        assert!(!std::mem::replace(&mut self.paused, true), "it is paused already");
        self.act();
    }

    fn stop(&mut self, _: &Transport) {
        self.enter();
        self.stopped = true;
        self.table.fds.borrow_mut().entry(self.fd.as_raw()).or_default().producer = None;
        self.act();
    }
}

impl Drop for PlannedProducer {
    fn drop(&mut self) {
        self.table.alive.set(self.table.alive.get() - 1);
    }
}

struct Watch(Rc<Table>);

impl ProcessProtocol for Watch {
    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        let mut fds = self.0.fds.borrow_mut();
        let known = fds.entry(fd.as_raw()).or_default();
        assert!(!std::mem::replace(&mut known.lost, true));
        assert_eq!(known.producer, None, "its producer hears of the loss before");
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        assert!(self.0.fds.borrow().values().all(|known| known.producer.is_none()));
    }
}

fuzz_target!(|input: Input| {
    let table = Rc::new(Table::default());
    let kinds = [
        (0, FakeFd::ToChild),
        (1, FakeFd::Socketpair),
        (2, FakeFd::FromChild),
        (3, FakeFd::ToChild),
    ];
    let mut fake = FakeProcess::with_fds(Watch(table.clone()), kinds);
    let fd = |raw: u8| ChildFd::from(i32::from(raw % 5));
    let mut exited = false;
    for fact in input.facts.iter().take(100) {
        match fact.clone() {
            Fact::Register { fd: raw, pull, plan } => {
                let fd = fd(raw);
                let number = table.next.get();
                table.next.set(number + 1);
                table.alive.set(table.alive.get() + 1);
                let before = table.fds.borrow().get(&fd.as_raw()).and_then(|known| known.producer);
                let producer = PlannedProducer {
                    process: fake.process().clone(),
                    fd,
                    table: table.clone(),
                    number,
                    pull,
                    paused: false,
                    asked: false,
                    inside: false,
                    stopped: false,
                    plan,
                };
                if before.is_none() {
                    table.fds.borrow_mut().entry(fd.as_raw()).or_default().producer = Some(number);
                }
                let pace = if pull { Pace::Pull } else { Pace::Push };
                let result = fake.process().register_producer(fd, pace, producer);
                if before.is_some() {
                    assert!(result.is_err(), "one has the descriptor");
                } else if result.is_err() {
                    table.fds.borrow_mut().entry(fd.as_raw()).or_default().producer = None;
                }
                drop(result);
            }
            Fact::Do { fd: raw, act } => table.act(fake.process(), fd(raw), act, false),
            Fact::Hold(raw) => fake.hold_writes(fd(raw)),
            Fact::Read(raw, bytes) => fake.child_reads(fd(raw), usize::from(bytes)),
            Fact::Release(raw) => fake.release_writes(fd(raw)),
            Fact::ChildCloses(raw) => {
                table.fds.borrow_mut().entry(fd(raw).as_raw()).or_default().may_be_lost = true;
                fake.child_closes(fd(raw));
            }
            Fact::Exit(whole) => {
                exited = true;
                if whole {
                    for raw in 0..5 {
                        table.fds.borrow_mut().entry(raw).or_default().may_be_lost = true;
                    }
                    fake.exit(0);
                } else {
                    fake.reap(Ok(Default::default()));
                }
            }
        }
        fake.turn();
        for (raw, known) in table.fds.borrow().iter() {
            let written = fake.written(*raw);
            let waiting = fake.process().write_buffered(*raw);
            assert!(known.taken.starts_with(&written), "what arrives is what was taken");
            let has_all = written.len() + waiting == known.taken.len();
            assert!(has_all || known.may_be_lost || known.lost, "nothing is dropped");
            let is_held = known.producer.is_some() && !known.may_be_lost;
            assert!(!is_held || !known.lost, "a producer keeps its descriptor open");
            assert!(known.producer.is_none() || !known.lost, "a loss ends its producer");
            let is_due = known.close_asked && known.producer.is_none() && waiting == 0;
            assert!(!is_due || fake.is_closed(*raw) || *raw == 1, "a close is not forgotten");
        }
    }
    assert!(exited || !fake.is_ended());
    drop(fake);
    assert_eq!(table.alive.get(), 0, "every producer is dropped with the child");
});
