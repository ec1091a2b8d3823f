//! Extreme times, signals, descriptors and keys either work as documented or return an error. They
//! never panic, and the loop continues.

#[path = "util/each_loop.rs"]
mod each_loop;

use std::cell::Cell;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::Signal;
use procession_core::driver::Direction;
use procession_reactor::driver::{EventHandler, Pipe, ReadEvent, Ready};
use procession_reactor::{Handle, Interest, Reactor};

struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

/// Drives the loop until a call with delay zero has run.
fn goes_on(reactor: &mut Reactor) {
    let called = Rc::new(Cell::new(false));
    let call = called.clone();
    reactor.call_later(Duration::ZERO, move |_| call.set(true));
    for _ in 0..100 {
        if called.get() {
            return;
        }
        reactor.turn(Some(Duration::from_millis(10))).expect("a turn");
    }
    panic!("the loop does not go on");
}

#[test]
fn delays_of_any_length_are_accepted() {
    each_loop(|mut reactor| {
        for after in [Duration::MAX, Duration::from_secs(u64::MAX), Duration::from_secs(1 << 40)] {
            let call = reactor.call_later(after, |_| unreachable!("not in this life"));
            goes_on(&mut reactor);
            assert!(call.is_active());
            call.delay(Duration::MAX);
            call.try_delay(Duration::ZERO).unwrap();
            call.reset(Duration::MAX);
            call.try_reset(after).unwrap();
            reactor.next_deadline(); // a deadline beyond the clock's range is no deadline
            goes_on(&mut reactor);
            call.reset(Duration::ZERO);
            call.delay(Duration::MAX);
            call.cancel();
            assert!(call.try_reset(Duration::ZERO).is_err() && call.try_delay(after).is_err());
        }
        let judgement = reactor.call_at_deadline(Duration::MAX, |_| unreachable!("nor this"));
        drop(reactor.call_every(Duration::MAX, |_, _| unreachable!("nor this")));
        let ticks = Rc::new(Cell::new(0));
        let count = ticks.clone();
        let ticking = reactor.call_every(Duration::ZERO, move |_, _| count.set(count.get() + 1));
        while ticks.get() < 3 {
            reactor.turn(Some(Duration::from_millis(10))).expect("a turn");
        }
        drop(ticking);
        goes_on(&mut reactor);
        judgement.cancel();
        let far = reactor.sleep(Duration::MAX);
        reactor.block_on(reactor.handle().sleep(Duration::ZERO));
        drop(far);
        // A turn without a time limit ends with the first due call.
        reactor.call_later(Duration::from_millis(1), |_| ());
        reactor.turn(Some(Duration::MAX)).unwrap();
        goes_on(&mut reactor);
    });
}

#[test]
fn signals_that_cannot_be_watched_are_errors() {
    each_loop(|mut reactor| {
        let numbers = [i32::MIN, -1, 0, libc::SIGKILL, libc::SIGSTOP, libc::SIGSEGV, 65, i32::MAX];
        for number in numbers {
            let watch = reactor.on_signal(Signal::from_raw(number), |_| ());
            let error = watch.expect_err("it cannot be watched");
            assert!(!error.to_string().is_empty(), "{number}");
        }
        goes_on(&mut reactor);
    });
}

#[test]
fn unpollable_descriptors_and_stale_keys_are_errors() {
    each_loop(|mut reactor| {
        let file = || OwnedFd::from(regular_file());
        let error =
            reactor.io().add_source(file(), Interest::READABLE, Rc::new(IgnoreEvents), u32::MAX);
        assert_eq!(error.expect_err("a regular file").error.raw_os_error(), Some(libc::EPERM));
        let handle = reactor.handle();
        let pipe = Pipe::open(&handle, file(), Direction::Both, Rc::new(IgnoreEvents), 0);
        let mut pipe = pipe.expect("it is always ready");
        assert!(pipe.is_always_ready());
        let whole = [
            (0, Pipe::READ_BUFFER_BYTES),
            (1, Pipe::READ_BUFFER_BYTES),
            (usize::MAX, Pipe::READ_BULK_BYTES),
        ];
        for (budget, most) in whole {
            let ReadEvent::Data(data) = pipe.read_within(&handle, budget) else {
                panic!("this program is larger than that");
            };
            assert_eq!(data.len(), most);
        }
        pipe.set_adaptive();
        pipe.on_moved(&handle, usize::MAX); // a file has no pipe size that could grow
        let past = pipe.key();
        drop(pipe.close(&handle));
        assert!(!reactor.io().is_open(past) && !reactor.io().close(past));
        assert!(reactor.io().take_fd(past).is_none());
        assert!(reactor.io().with_fd(past, |_| ()).is_none());
        let error = reactor.io().set_interest(past, Interest::BOTH).expect_err("it is closed");
        assert_ne!(error.kind(), ErrorKind::WouldBlock);
        let error = reactor.register(regular_file(), Interest::READABLE, |_, _| ());
        assert_eq!(error.expect_err("a regular file").raw_os_error(), Some(libc::EPERM));
        // The number of a closed source may be used again, but its key may not.
        let (a, b) = UnixStream::pair().unwrap();
        let key =
            reactor.io().add_source(a.into(), Interest::PAUSED, Rc::new(IgnoreEvents), 0).unwrap();
        assert_ne!(key, past);
        assert!(reactor.io().close(key) && !reactor.io().close(key));
        drop(b);
        goes_on(&mut reactor);
    });
}

/// Opens a regular file, which epoll refuses.
fn regular_file() -> File {
    File::open(std::env::current_exe().expect("this test binary")).expect("it is there")
}
