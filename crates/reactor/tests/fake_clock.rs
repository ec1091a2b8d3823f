//! The fake clock of a reactor: no time is waited for.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::RefCell;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_reactor::driver::{EventHandler, Ready};
use procession_reactor::{Handle, Interest};

const HOUR: Duration = Duration::from_secs(3600);

/// Logs what happens, with the time.
#[derive(Default)]
struct Log(RefCell<Vec<(&'static str, Duration)>>);

impl Log {
    fn add(&self, what: &'static str, reactor: &Handle) {
        self.0.borrow_mut().push((what, reactor.now()));
    }
}

struct Reads(Rc<Log>);

impl EventHandler for Reads {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        self.0.add("read", reactor);
        reactor.io().close(ready.key);
    }
}

/// Case FC-09.
#[test]
fn what_is_ready_comes_before_time_moves() {
    each_loop(|mut reactor| {
        reactor.use_fake_clock();
        let begun = reactor.now();
        let log = Rc::new(Log::default());
        for (after, what) in [(HOUR * 2, "second"), (HOUR, "first")] {
            let log = Rc::clone(&log);
            reactor.call_later(after, move |reactor| log.add(what, reactor));
        }
        let (here, mut there) = UnixStream::pair().unwrap();
        there.write_all(b"x").unwrap();
        let fd: OwnedFd = here.into();
        let reads = Rc::new(Reads(Rc::clone(&log)));
        reactor.io().add_source(fd, Interest::READABLE, reads, 0).unwrap();
        reactor.block_on(reactor.sleep(HOUR * 3));
        let found: Vec<_> = log.0.borrow().iter().map(|(what, at)| (*what, *at - begun)).collect();
        assert_eq!(found, [("read", Duration::ZERO), ("first", HOUR), ("second", HOUR * 2)]);
        assert_eq!(reactor.now() - begun, HOUR * 3);
    });
}

/// Case FC-09.
#[test]
fn a_turn_moves_the_clock_by_its_limit_and_without_one_it_waits() {
    each_loop(|mut reactor| {
        reactor.use_fake_clock();
        let begun = reactor.now();
        reactor.turn(Some(HOUR)).unwrap();
        assert_eq!(reactor.now() - begun, HOUR);
        // Work that is queued comes first.
        reactor.call_soon(|_| ());
        reactor.turn(Some(HOUR)).unwrap();
        assert_eq!(reactor.now() - begun, HOUR);

        // A call from another thread ends the wait; there is no timer to go to.
        let remote = reactor.remote();
        let thread = std::thread::spawn(move || remote.call(|reactor| reactor.stop()));
        reactor.run().unwrap();
        thread.join().unwrap();
        assert_eq!(reactor.now() - begun, HOUR);
    });
}
