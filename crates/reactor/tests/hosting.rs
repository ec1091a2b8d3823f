//! A host loop waits on the reactor's descriptor.

#[path = "util/block.rs"]
mod block;
#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::Cell;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::Duration;

use block::block;
use each_loop::each_loop;
use procession_reactor::{Interest, Reactor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Returns whether the host sees the descriptor as readable.
fn is_readable(reactor: &Reactor) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut fds = [PollFd::new(reactor, PollFlags::IN)];
    poll(&mut fds, Some(&now)).expect("the descriptor is open") == 1
}

/// Runs one turn, as a host does when the descriptor is readable or a deadline is set. Returns
/// false if the host would wait for ever.
fn host(reactor: &mut Reactor) -> bool {
    let due = reactor.next_deadline().is_some();
    if !due && !is_readable(reactor) {
        return false;
    }
    reactor.turn(Some(Duration::ZERO)).expect("waiting does not fail");
    true
}

#[test]
fn the_descriptor_is_readable_when_something_is_due_and_not_otherwise() {
    each_loop(|mut reactor| {
        assert!(reactor.as_raw_fd() >= 0);
        while is_readable(&reactor) {
            reactor.turn(Some(Duration::ZERO)).unwrap();
        }
        assert_eq!(reactor.next_deadline(), None);

        let called = Rc::new(Cell::new(0));
        let add = |n: u32| {
            let called = Rc::clone(&called);
            move || called.set(called.get() + n)
        };
        let soon = add(1);
        reactor.call_soon(move |_| soon());
        assert!(is_readable(&reactor));
        while host(&mut reactor) {}
        assert_eq!(called.get(), 1);

        reactor.remote().call(|_| ());
        assert!(is_readable(&reactor));
        while host(&mut reactor) {}

        let task = add(10);
        reactor.spawn_local(async move { task() });
        assert!(is_readable(&reactor));
        while host(&mut reactor) {}
        assert_eq!(called.get(), 11);

        let (reader, mut writer) = io::pipe().unwrap();
        let data = add(100);
        reactor
            .register(reader, Interest::READABLE, move |source, _| {
                data();
                source.close();
            })
            .unwrap();
        assert!(!is_readable(&reactor));
        writer.write_all(b"x").unwrap();
        assert!(is_readable(&reactor));
        while host(&mut reactor) {}
        assert_eq!(called.get(), 111);
        assert!(!is_readable(&reactor));
    });
}

#[test]
fn a_new_timer_wakes_the_host_which_asks_for_the_deadline() {
    each_loop(|mut reactor| {
        assert!(reactor.as_raw_fd() >= 0);
        while host(&mut reactor) {}
        let fired = Rc::new(Cell::new(false));
        let set = Rc::clone(&fired);
        // It is due in an hour, and then in 5 ms.
        let timer = reactor.call_later(Duration::from_secs(3600), move |_| set.set(true));
        assert!(is_readable(&reactor), "the host has another deadline to wait for");
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(!is_readable(&reactor));
        assert!(reactor.next_deadline().is_some());
        timer.reset(Duration::from_millis(5));
        block(&reactor, Duration::from_millis(6));
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(fired.get());
        assert_eq!(reactor.next_deadline(), None);
    });
}

#[test]
fn calls_left_for_the_next_turn_keep_the_descriptor_readable() {
    each_loop(|mut reactor| {
        assert!(reactor.as_raw_fd() >= 0);
        reactor.call_soon(|reactor| reactor.call_soon(|_| ()));
        reactor.turn(Some(Duration::ZERO)).unwrap();
        assert!(is_readable(&reactor));
        while host(&mut reactor) {}
        assert!(!is_readable(&reactor));
    });
}
