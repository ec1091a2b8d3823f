//! Sources whose `as_fd` returns a different descriptor at each call. The loop deletes the one that
//! it registered.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/reexec.rs"]
mod reexec;
#[path = "changing_sources/sys.rs"]
mod sys;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::io::{self, PipeReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_reactor::{Interest, Reactor};
use reexec::reexec;
use until::until;

/// Returns the next of its descriptors at each call. The test keeps copies of all of them open.
struct ChangingFd {
    fds: Vec<Rc<PipeReader>>,
    asked: Cell<usize>,
}

impl ChangingFd {
    fn new(fds: Vec<Rc<PipeReader>>) -> Self {
        Self { fds, asked: Cell::new(0) }
    }
}

impl AsFd for ChangingFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let asked = self.asked.replace(self.asked.get() + 1);
        self.fds[asked % self.fds.len()].as_fd()
    }
}

/// Makes a pipe that stays readable.
fn readable() -> Rc<PipeReader> {
    let (read, mut write) = io::pipe().expect("descriptors are left");
    write.write_all(b"x").expect("there is room");
    Rc::new(read)
}

/// Returns how many turns the loop makes in a tenth of a second: one or two if nothing happens.
fn turns(reactor: &mut Reactor) -> usize {
    let end = reactor.now() + Duration::from_millis(100);
    let mut turns = 0;
    while reactor.now() < end {
        let left = end.saturating_sub(reactor.now());
        reactor.turn(Some(left)).expect("a turn");
        turns += 1;
    }
    turns
}

/// A source that is closed, paused, or dropped with the reactor leaves nothing in the poller.
#[test]
fn what_was_registered_is_what_is_deleted() {
    each_loop(|mut reactor| {
        for fds in 2..5 {
            let fds: Vec<_> = (0..fds).map(|_| readable()).collect();
            let called = Rc::new(Cell::new(0));
            let count = Rc::clone(&called);
            let source = ChangingFd::new(fds.clone());
            let registered = reactor
                .register(source, Interest::READABLE, move |_, _| count.set(count.get() + 1))
                .unwrap();
            until(&mut reactor, || called.get() > 2);
            registered.set_interest(Interest::PAUSED).unwrap();
            assert!(turns(&mut reactor) < 5, "it is paused");
            registered.set_interest(Interest::READABLE).unwrap();
            let before = called.get();
            until(&mut reactor, || called.get() > before + 2);
            // A change while it is watched: the poller watches it once, for the new interest.
            registered.set_interest(Interest::WRITABLE).unwrap();
            registered.set_interest(Interest::READABLE).unwrap();
            let before = called.get();
            until(&mut reactor, || called.get() > before + 2);
            registered.close();
            assert!(turns(&mut reactor) < 5, "it is closed");
            let after = called.get();
            assert!(turns(&mut reactor) < 5);
            assert_eq!(called.get(), after, "it is not called any more");
            drop(fds);
        }
    });
}

/// Returns its first descriptor while the test keeps it open, then the second.
struct ReplacedFd(Rc<RefCell<Option<PipeReader>>>, PipeReader);

impl AsFd for ReplacedFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        let first = self.0.borrow().as_ref().map(AsRawFd::as_raw_fd);
        match first {
            Some(number) => sys::borrow(number),
            None => self.1.as_fd(),
        }
    }
}

/// If the descriptor was closed meanwhile, another source may have its number. That source stays
/// registered.
#[test]
fn another_source_of_the_same_number_stays() {
    // The test is alone in its process, so nothing else takes the number.
    let output = reexec("another_source_of_the_same_number_stays", || {
        each_loop(|mut reactor| {
            let (first, _first_writer) = io::pipe().unwrap();
            let (second, _second_writer) = io::pipe().unwrap();
            let number = first.as_raw_fd();
            let slot = Rc::new(RefCell::new(Some(first)));
            let source = ReplacedFd(Rc::clone(&slot), second);
            let registered = reactor.register(source, Interest::READABLE, |_, _| {}).unwrap();
            drop(slot.borrow_mut().take()); // closes it: the number is free, and epoll forgets it
            let (other, mut writer) = io::pipe().unwrap();
            assert_eq!(other.as_raw_fd(), number, "the lowest free number");
            let heard = Rc::new(Cell::new(false));
            let hear = Rc::clone(&heard);
            let _other = reactor
                .register(other, Interest::READABLE, move |pipe, _| {
                    assert_eq!(pipe.read(&mut [0; 8]).unwrap(), 1);
                    hear.set(true);
                })
                .unwrap();
            registered.close();
            writer.write_all(b"x").unwrap();
            until(&mut reactor, || heard.get());
        });
    });
    if let Some(output) = output {
        assert!(output.status.success(), "{output:?}");
    }
}
