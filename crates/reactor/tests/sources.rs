//! Sources: descriptors that the loop watches.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/reexec.rs"]
mod reexec;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use bound::bound;
use each_loop::each_loop;
use procession_reactor::driver::{EventHandler, Key, Ready};
use procession_reactor::{Handle, Interest, Reactor, Registered};
use reexec::reexec;
use rustix::process::{Resource, getrlimit, setrlimit};
use until::until;

const SHORT: Duration = Duration::from_millis(30);

#[derive(Default)]
struct EventLog {
    seen: RefCell<Vec<Ready>>,
    close: Cell<bool>,
    others: RefCell<Vec<Key>>,
}

impl EventHandler for EventLog {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        self.seen.borrow_mut().push(ready);
        if self.close.get() {
            assert!(reactor.io().close(ready.key));
            assert!(!reactor.io().close(ready.key), "twice is harmless");
        }
        for &other in &*self.others.borrow() {
            reactor.io().close(other);
        }
    }
}

fn pair() -> (OwnedFd, UnixStream) {
    let (here, there) = UnixStream::pair().expect("descriptors are left");
    (here.into(), there)
}

/// Case RT-21.
#[test]
fn more_sources_than_one_batch_are_all_served() {
    let output = reexec("more_sources_than_one_batch_are_all_served", || {
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        setrlimit(Resource::Nofile, limit).unwrap();
        each_loop(|mut reactor| {
            let log = Rc::new(EventLog::default());
            log.close.set(true);
            for token in 0..2000 {
                let (here, mut there) = io::pipe().unwrap();
                there.write_all(b"x").unwrap();
                reactor
                    .io()
                    .add_source(here.into(), Interest::READABLE, log.clone(), token)
                    .unwrap();
            }
            let start = reactor.now();
            until(&mut reactor, || log.seen.borrow().len() == 2000);
            assert!(reactor.now() - start < bound(Duration::from_secs(1)));
            let mut tokens: Vec<_> = log.seen.borrow().iter().map(|ready| ready.token).collect();
            tokens.sort_unstable();
            assert!(tokens.into_iter().eq(0..2000));
        });
    });
    if let Some(output) = output {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn an_event_of_a_source_that_was_closed_in_the_same_batch_is_dropped() {
    each_loop(|mut reactor| {
        let log = Rc::new(EventLog::default());
        let mut peers = Vec::new();
        for token in 0..3 {
            let (here, mut there) = pair();
            there.write_all(b"x").unwrap();
            peers.push(there);
            let key =
                reactor.io().add_source(here, Interest::READABLE, log.clone(), token).unwrap();
            log.others.borrow_mut().push(key);
        }
        reactor.turn(None).unwrap();
        assert_eq!(log.seen.borrow().len(), 1, "the first has closed all three");
        reactor.turn(Some(SHORT)).unwrap();
        assert_eq!(log.seen.borrow().len(), 1);
        assert!(log.others.borrow().iter().all(|&key| !reactor.io().is_open(key)));
    });
}

#[test]
fn a_slot_is_used_again_under_another_key() {
    each_loop(|reactor| {
        let log = Rc::new(EventLog::default());
        let (first, _peer) = pair();
        let first = reactor.io().add_source(first, Interest::READABLE, log.clone(), 0).unwrap();
        reactor.io().close(first);
        let (second, _peer) = pair();
        let second = reactor.io().add_source(second, Interest::READABLE, log, 0).unwrap();
        assert_ne!(first, second);
        assert!(!reactor.io().is_open(first) && reactor.io().is_open(second));
        let error = reactor.io().set_interest(first, Interest::READABLE).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert!(reactor.io().with_fd(first, |_| ()).is_none());
    });
}

#[test]
fn a_paused_source_whose_peer_has_gone_does_not_end_the_wait() {
    each_loop(|mut reactor| {
        let log = Rc::new(EventLog::default());
        let (here, there) = pair();
        let key = reactor.io().add_source(here, Interest::READABLE, log.clone(), 0).unwrap();
        reactor.io().set_interest(key, Interest::PAUSED).unwrap();
        drop(there);
        let start = reactor.now();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(reactor.now() - start >= SHORT, "one turn, the whole wait");
        assert!(log.seen.borrow().is_empty());
        reactor.io().set_interest(key, Interest::READABLE).unwrap();
        reactor.turn(Some(SHORT)).unwrap();
        let seen = log.seen.borrow();
        assert!(seen[0].readiness.hangup && seen[0].readiness.readable);
        assert_eq!(seen[0].key, key);
    });
}

#[test]
fn a_late_source_is_served_after_the_others() {
    each_loop(|mut reactor| {
        let log = Rc::new(EventLog::default());
        let mut peers = Vec::new();
        for (token, interest) in [Interest::READABLE_LATE, Interest::READABLE].iter().enumerate() {
            let (here, mut there) = pair();
            there.write_all(b"x").unwrap();
            peers.push(there);
            let token = u32::try_from(token).unwrap();
            reactor.io().add_source(here, *interest, log.clone(), token).unwrap();
        }
        let tokens = || log.seen.borrow().iter().map(|ready| ready.token).collect::<Vec<_>>();
        reactor.turn(None).unwrap();
        assert_eq!(tokens(), [1, 0]);
        for ready in log.seen.borrow().iter() {
            reactor.io().set_interest(ready.key, Interest::PAUSED).unwrap();
        }
        reactor.turn(Some(SHORT)).unwrap();
        assert_eq!(tokens(), [1, 0], "each event is delivered once");
    });
}

#[test]
fn a_descriptor_that_is_taken_back_is_open_and_not_watched() {
    each_loop(|mut reactor| {
        let log = Rc::new(EventLog::default());
        let (here, mut there) = pair();
        let key = reactor.io().add_source(here, Interest::READABLE, log.clone(), 0).unwrap();
        let lent = reactor.io().with_fd(key, |_| reactor.io().take_fd(key)).flatten();
        let mut here = UnixStream::from(lent.unwrap());
        assert!(!reactor.io().is_open(key));
        there.write_all(b"x").unwrap();
        reactor.turn(Some(SHORT)).unwrap();
        assert!(log.seen.borrow().is_empty());
        assert_eq!(here.read(&mut [0; 8]).unwrap(), 1);

        let key = reactor.io().add_source(here.into(), Interest::READABLE, log, 0).unwrap();
        assert!(reactor.io().take_fd(key).is_some());
        assert!(reactor.io().take_fd(key).is_none());
    });
}

#[test]
fn a_regular_file_is_refused_and_leaves_nothing_behind() {
    let reactor = Reactor::new().unwrap();
    let log = Rc::new(EventLog::default());
    let file = File::open("Cargo.toml").unwrap();
    let error =
        reactor.io().add_source(file.into(), Interest::READABLE, log.clone(), 0).unwrap_err();
    assert_eq!(error.error.raw_os_error(), Some(libc::EPERM));
    assert_eq!(Rc::strong_count(&log), 1);
}

#[test]
fn a_closure_can_close_its_source_and_is_dropped_with_it() {
    each_loop(|mut reactor| {
        let (here, mut there) = UnixStream::pair().unwrap();
        let alive = Rc::new(Cell::new(0));
        let count = Rc::clone(&alive);
        let echo = move |socket: &mut Registered<'_, UnixStream>, _| {
            let mut buffer = [0; 8];
            let n = socket.read(&mut buffer).unwrap();
            if n == 0 {
                return socket.close();
            }
            socket.write_all(&buffer[..n]).unwrap();
            count.set(count.get() + 1);
        };
        let registration = reactor.register(here, Interest::READABLE, echo).unwrap();
        there.write_all(b"x").unwrap();
        until(&mut reactor, || alive.get() == 1);
        assert_eq!(there.read(&mut [0; 8]).unwrap(), 1);
        there.shutdown(std::net::Shutdown::Write).unwrap();
        until(&mut reactor, || !registration.is_open());
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(there.read(&mut [0; 8]).unwrap(), 0);
        registration.close();
    });
}

#[test]
fn a_flush_requested_in_a_callback_runs_when_the_callback_returns() {
    struct Flush(RefCell<Vec<&'static str>>);
    impl EventHandler for Flush {
        fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
        fn flush(self: Rc<Self>, _: &Handle) {
            self.0.borrow_mut().push("flush");
        }
    }
    each_loop(|mut reactor| {
        let handler = Rc::new(Flush(RefCell::default()));
        reactor.io().flush_later(handler.clone()); // outside of a turn: runs before the wait
        for _ in 0..2 {
            let handler = Rc::clone(&handler);
            reactor.call_soon(move |reactor| {
                handler.0.borrow_mut().push("call");
                reactor.io().flush_later(handler.clone());
            });
        }
        reactor.turn(None).unwrap();
        assert_eq!(*handler.0.borrow(), ["flush", "call", "flush", "call", "flush"]);
    });
}

#[test]
fn an_expected_event_is_found_and_a_missing_one_does_not_shorten_the_wait() {
    each_loop(|mut reactor| {
        let log = Rc::new(EventLog::default());
        let (here, mut there) = pair();
        reactor.io().add_source(here, Interest::READABLE, log.clone(), 1).unwrap();
        for round in 0..200 {
            reactor.io().expect_soon();
            let begun = reactor.now();
            let wait = if round < 3 { SHORT } else { Duration::from_micros(50) };
            reactor.turn(Some(wait)).unwrap();
            assert!(reactor.now() - begun >= wait, "round {round}");
        }
        assert!(log.seen.borrow().is_empty());
        there.write_all(b"x").unwrap();
        for round in 1..=200 {
            reactor.io().expect_soon();
            reactor.turn(Some(Duration::from_secs(60))).unwrap();
            assert_eq!(log.seen.borrow().len(), round);
        }
        assert!(reactor.now() < bound(Duration::from_secs(30)));
    });
}
