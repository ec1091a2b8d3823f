//! A closed source leaves the poller at once, even while its descriptor is borrowed. The descriptor
//! may be registered again immediately, and no event of the closed source ends a wait.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use each_loop::each_loop;
use procession_reactor::driver::{EventHandler, Ready};
use procession_reactor::{Handle, Interest, Reactor, Registered, Registration};
use until::until;

const SHORT: Duration = Duration::from_millis(30);

/// A socket that several sources share. Its `as_fd` and its drop use the reactor, which would panic
/// if the reactor had something borrowed.
struct SharedSocket {
    socket: Rc<UnixStream>,
    reactor: Handle,
}

impl SharedSocket {
    fn pair(reactor: &Handle) -> (Self, UnixStream) {
        let (here, there) = UnixStream::pair().expect("descriptors are left");
        (Self { socket: Rc::new(here), reactor: reactor.clone() }, there)
    }

    /// Returns another source with the same descriptor.
    fn again(&self) -> Self {
        Self { socket: Rc::clone(&self.socket), reactor: self.reactor.clone() }
    }

    fn use_reactor(&self) {
        let (other, _peer) = UnixStream::pair().expect("descriptors are left");
        match self.reactor.register(other, Interest::PAUSED, |_, _| ()) {
            Ok(registration) => registration.close(),
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotConnected, "the reactor is gone"),
        }
    }
}

impl AsFd for SharedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.use_reactor();
        self.socket.as_fd()
    }
}

impl Drop for SharedSocket {
    fn drop(&mut self) {
        self.use_reactor();
    }
}

/// The place for a registration that its own callback closes.
type RegistrationSlot = Rc<RefCell<Option<Registration>>>;

/// Registers a callback that reads one byte and counts its calls.
fn counting(
    reactor: &Handle,
    source: SharedSocket,
    count: &Rc<Cell<usize>>,
) -> io::Result<Registration> {
    let count = Rc::clone(count);
    let read = move |source: &mut Registered<'_, SharedSocket>, _| {
        assert_eq!((&*source.socket).read(&mut [0]).expect("there is a byte"), 1);
        count.set(count.get() + 1);
    };
    reactor.register(source, Interest::READABLE, read)
}

/// Checks that the new registration gets its events, also after the callback of the old one has
/// returned.
fn serves(reactor: &mut Reactor, there: &mut UnixStream, count: &Rc<Cell<usize>>) {
    for _ in 0..2 {
        let before = count.get();
        there.write_all(b"x").expect("it is open");
        until(reactor, || count.get() > before);
        assert_eq!(count.get(), before + 1);
    }
    reactor.turn(Some(SHORT)).expect("a turn");
}

#[test]
fn a_source_that_closes_itself_can_be_registered_again_in_its_callback() {
    each_loop(|mut reactor| {
        for by_registration in [false, true] {
            let (source, mut there) = SharedSocket::pair(&reactor);
            let (again, count) = (source.again(), Rc::new(Cell::new(0)));
            let (own, new) = (RegistrationSlot::default(), RegistrationSlot::default());
            let (mine, given, seen) = (Rc::clone(&own), Rc::clone(&new), Rc::clone(&count));
            let call = move |source: &mut Registered<'_, SharedSocket>, _| {
                for _ in 0..2 {
                    if by_registration {
                        mine.borrow().as_ref().expect("it is registered").close();
                    } else {
                        source.close();
                    }
                }
                let error = source.set_interest(Interest::READABLE).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::NotConnected);
                // The callback still has the source.
                assert_eq!((&*source.socket).read(&mut [0]).unwrap(), 1);
                for _ in 0..3 {
                    let new = counting(source.reactor(), again.again(), &seen).unwrap();
                    let old = given.borrow_mut().replace(new);
                    assert!(old.is_none());
                    let error = counting(source.reactor(), again.again(), &seen).unwrap_err();
                    assert_eq!(error.kind(), ErrorKind::AlreadyExists, "it is in the poller");
                    given.take().expect("it was registered").close();
                }
                let new = counting(source.reactor(), again.again(), &seen).unwrap();
                given.replace(Some(new));
            };
            let registration = reactor.register(source, Interest::READABLE, call).unwrap();
            own.replace(Some(registration.clone()));
            there.write_all(b"x").unwrap();
            until(&mut reactor, || !registration.is_open());
            serves(&mut reactor, &mut there, &count);
            let new = new.take().expect("it was registered");
            assert!(new.is_open());
            new.close();
            assert_eq!(there.read(&mut [0]).unwrap(), 0, "the last owner has closed it");
        }
    });
}

#[test]
fn a_source_that_another_callback_closes_can_be_registered_there() {
    each_loop(|mut reactor| {
        let (first, mut to_first) = SharedSocket::pair(&reactor);
        let (second, mut to_second) = SharedSocket::pair(&reactor);
        let (again, count) = (second.again(), Rc::new(Cell::new(0)));
        let other = counting(&reactor, second, &count).unwrap();
        let seen = Rc::clone(&count);
        let call = move |source: &mut Registered<'_, SharedSocket>, _| {
            other.close();
            counting(source.reactor(), again.again(), &seen).unwrap();
            source.close();
        };
        let first = reactor.register(first, Interest::READABLE, call).unwrap();
        to_first.write_all(b"x").unwrap();
        until(&mut reactor, || !first.is_open());
        serves(&mut reactor, &mut to_second, &count);
    });
}

/// When a callback panics, its locals are dropped while it still has the source.
#[test]
fn a_source_whose_callback_panics_can_be_registered_again_in_a_drop() {
    struct Again(SharedSocket, Rc<Cell<usize>>);
    impl Drop for Again {
        fn drop(&mut self) {
            counting(&self.0.reactor, self.0.again(), &self.1).unwrap();
        }
    }
    each_loop(|mut reactor| {
        let (source, mut there) = SharedSocket::pair(&reactor);
        let count = Rc::new(Cell::new(0));
        let again = Again(source.again(), Rc::clone(&count));
        let call = move |source: &mut Registered<'_, SharedSocket>, _| {
            let _again = &again;
            assert_eq!((&*source.socket).read(&mut [0]).unwrap(), 1);
            panic!("expected");
        };
        let registration = reactor.register(source, Interest::READABLE, call).unwrap();
        there.write_all(b"x").unwrap();
        let turned = catch_unwind(AssertUnwindSafe(|| until(&mut reactor, || false)));
        let panic = turned.unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"expected"));
        assert!(!registration.is_open());
        serves(&mut reactor, &mut there, &count);
    });
}

/// A handler that calls a closure.
struct HandlerFn<F>(F);

impl<F: Fn(&Handle, Ready) + 'static> EventHandler for HandlerFn<F> {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        (self.0)(reactor, ready);
    }
}

#[test]
fn a_descriptor_that_its_handler_takes_back_can_be_given_again() {
    each_loop(|mut reactor| {
        for lent in [false, true] {
            let (count, new) = (Rc::new(Cell::new(0)), RegistrationSlot::default());
            let (seen, given) = (Rc::clone(&count), Rc::clone(&new));
            let taken = move |reactor: &Handle, ready: Ready| {
                let fd = if lent {
                    reactor.io().with_fd(ready.key, |_| reactor.io().take_fd(ready.key)).flatten()
                } else {
                    reactor.io().take_fd(ready.key)
                };
                let mut socket = UnixStream::from(fd.unwrap());
                assert_eq!(socket.read(&mut [0]).unwrap(), 1);
                let seen = Rc::clone(&seen);
                let count = move |socket: &mut Registered<'_, UnixStream>, _| {
                    assert_eq!(socket.read(&mut [0]).unwrap(), 1);
                    seen.set(seen.get() + 1);
                };
                let new = reactor.register(socket, Interest::READABLE, count).unwrap();
                given.replace(Some(new));
            };
            let (here, mut there) = UnixStream::pair().unwrap();
            let handler = Rc::new(HandlerFn(taken));
            reactor.io().add_source(here.into(), Interest::READABLE, handler, 0).unwrap();
            there.write_all(b"x").unwrap();
            reactor.turn(None).unwrap();
            serves(&mut reactor, &mut there, &count);
            new.take().expect("it was registered").close();
        }
    });
}

#[test]
fn a_source_that_is_closed_while_it_is_lent_ends_no_wait() {
    each_loop(|mut reactor| {
        for takes in [false, true] {
            let handler = Rc::new(HandlerFn(|_: &Handle, _| panic!("it is closed")));
            let (here, mut there) = UnixStream::pair().unwrap();
            let kept = here.try_clone().unwrap();
            let key = reactor.io().add_source(here.into(), Interest::READABLE, handler, 0).unwrap();
            let handle = reactor.handle();
            let lent = handle.io().with_fd(key, |fd| {
                if takes {
                    drop(handle.io().take_fd(key));
                } else {
                    assert!(handle.io().close(key));
                }
                assert!(!handle.io().is_open(key));
                there.write_all(b"x").unwrap();
                let begun = reactor.now();
                reactor.turn(Some(SHORT)).unwrap();
                assert!(reactor.now() - begun >= SHORT, "one turn, the whole wait");
                // The descriptor stays open while it is borrowed.
                assert!(fd.try_clone_to_owned().is_ok());
            });
            assert!(lent.is_some());
            let begun = reactor.now();
            reactor.turn(Some(SHORT)).unwrap();
            assert!(reactor.now() - begun >= SHORT, "a duplicate is no source");
            drop(kept);
            assert_eq!(there.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        }
    });
}
