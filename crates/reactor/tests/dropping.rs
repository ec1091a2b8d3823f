//! Dropping a reactor.

#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "util/reexec.rs"]
mod reexec;

use std::cell::{Cell, RefCell};
use std::fs;
use std::future::{pending, poll_fn};
use std::hint::spin_loop;
use std::io::{ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use each_loop::each_loop;
use procession_core::Signal;
use procession_reactor::driver::{EndWatch, EventHandler, Key, OnEnd, Outlasting, Ready};
use procession_reactor::{Handle, Interest, Phase, Reactor, SystemEvent, TimerError};
use reexec::reexec;

#[test]
fn everything_that_was_handed_in_is_dropped_although_handles_live_on() {
    each_loop(|mut reactor| {
        let alive = Rc::new(());
        let keep = || {
            let alive = Rc::clone(&alive);
            move || drop(alive)
        };
        let handle = reactor.handle();
        let (here, mut there) = UnixStream::pair().unwrap();
        let kept = Rc::clone(&alive);
        let source = reactor.register(here, Interest::READABLE, move |_, _| {
            assert!(Rc::strong_count(&kept) > 0);
        });
        let (later, soon, trigger, watched) = (keep(), keep(), keep(), Rc::clone(&alive));
        let timer = reactor.call_later(Duration::from_secs(60), move |_| later());
        let task = keep();
        let join = reactor.spawn_local(async move {
            let _task = task;
            pending::<()>().await;
        });
        reactor.turn(None).unwrap();
        reactor.call_soon(move |_| soon());
        reactor.add_system_event_trigger(Phase::After, SystemEvent::Shutdown, move |_| trigger());
        let watch = reactor
            .on_signal(Signal::WINCH, move |_| assert!(Rc::strong_count(&watched) > 0))
            .unwrap();
        assert_eq!(Rc::strong_count(&alive), 7);
        drop(reactor);
        assert_eq!(Rc::strong_count(&alive), 1);
        assert_eq!(there.read(&mut [0; 8]).unwrap(), 0, "the descriptor is closed");
        assert!(!source.unwrap().is_open());
        assert!(join.is_finished());
        drop(watch);
        assert_eq!(timer.try_cancel(), Err(TimerError::AlreadyCancelled));

        let soon = keep();
        handle.call_soon(move |_| soon());
        let later = keep();
        assert!(!handle.call_later(Duration::ZERO, move |_| later()).is_active());
        let task = keep();
        assert!(handle.spawn_local(async move { task() }).is_finished());
        let error = handle.on_signal(Signal::WINCH, |_| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        let error = handle.register(there, Interest::READABLE, |_, _| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotConnected);
        assert_eq!(Rc::strong_count(&alive), 1);
    });
}

#[test]
fn a_future_is_dropped_in_its_thread_although_another_thread_holds_a_waker() {
    each_loop(|mut reactor| {
        let alive = Rc::new(());
        let inside = Rc::clone(&alive);
        let (send, receive) = mpsc::channel::<Waker>();
        let (gone, dropped) = mpsc::channel::<()>();
        let other = thread::spawn(move || {
            let waker = receive.recv().unwrap();
            waker.wake_by_ref();
            dropped.recv().unwrap();
            waker.wake();
        });
        reactor.spawn_local(poll_fn(move |context| -> Poll<()> {
            assert!(Rc::strong_count(&inside) > 0);
            // It may be polled again after the other thread has its waker.
            send.send(context.waker().clone()).ok();
            Poll::Pending
        }));
        reactor.turn(None).unwrap();
        drop(reactor);
        assert_eq!(Rc::strong_count(&alive), 1);
        gone.send(()).unwrap();
        other.join().unwrap();
    });
}

const READY: u32 = 1;
const GO: u32 = 2;
const TRIES: u32 = 5_000;
const DELAYS: u32 = 500;

/// The time between marking a task as woken and queueing it is short, so the test tries many delays
/// many times.
#[test]
fn a_future_is_dropped_with_its_reactor_while_another_thread_wakes_it() {
    let alive = Rc::new(());
    let (send, receive) = mpsc::channel::<(Waker, Arc<AtomicU32>, u32)>();
    let other = thread::spawn(move || {
        for (waker, gate, delay) in receive {
            gate.store(READY, SeqCst);
            while gate.load(SeqCst) == READY {
                thread::yield_now();
            }
            for _ in 0..delay {
                spin_loop();
            }
            waker.wake();
        }
    });
    for n in 0..TRIES {
        let mut reactor = Reactor::new().unwrap();
        let inside = Rc::clone(&alive);
        let slot = Rc::<Cell<Option<Waker>>>::default();
        let fill = Rc::clone(&slot);
        reactor.spawn_local(poll_fn(move |context| -> Poll<()> {
            assert!(Rc::strong_count(&inside) > 0);
            fill.set(Some(context.waker().clone()));
            Poll::Pending
        }));
        reactor.turn(None).unwrap();
        let gate = Arc::new(AtomicU32::new(0));
        send.send((slot.take().unwrap(), Arc::clone(&gate), n % DELAYS)).unwrap();
        while gate.load(SeqCst) != READY {
            thread::yield_now();
        }
        gate.store(GO, SeqCst);
        drop(reactor);
        assert_eq!(Rc::strong_count(&alive), 1, "after {n} tries");
    }
    drop(send);
    other.join().unwrap();
}

#[derive(Default)]
struct EndRecorder {
    reactor: RefCell<Option<Handle>>,
    keys: RefCell<Vec<Key>>,
    times: Cell<u32>,
    end: RefCell<Option<EndWatch>>,
}

impl EventHandler for EndRecorder {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

impl OnEnd for EndRecorder {
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        self.times.set(self.times.get() + 1);
        let reactor = self.reactor.borrow().clone().expect("it was given one");
        assert!(Handle::try_current().is_some());
        for &key in &*self.keys.borrow() {
            assert!(reactor.io().with_fd(key, |_| ()).is_some(), "still open");
        }
    }
}

#[test]
fn a_transport_is_notified_once_while_its_descriptors_are_open() {
    each_loop(|reactor| {
        let recorder = Rc::new(EndRecorder::default());
        recorder.reactor.replace(Some(reactor.handle()));
        let watched: Rc<dyn OnEnd> = recorder.clone();
        recorder.end.replace(Some(reactor.io().watch_end(Rc::downgrade(&watched))));
        drop(watched);
        for token in 0..3 {
            let (here, _there) = UnixStream::pair().unwrap();
            let fd = OwnedFd::from(here);
            let key =
                reactor.io().add_source(fd, Interest::READABLE, recorder.clone(), token).unwrap();
            recorder.keys.borrow_mut().push(key);
        }
        drop(reactor);
        assert_eq!(recorder.times.get(), 1);
        assert_eq!(Rc::strong_count(&recorder), 1);
    });
}

#[test]
fn a_panic_while_dropping_leaves_the_thread_without_a_reactor() {
    struct Bomb(Rc<()>);
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose");
        }
    }
    each_loop(|reactor| {
        let alive = Rc::new(());
        for _ in 0..2 {
            let bomb = Bomb(Rc::clone(&alive));
            reactor.call_soon(move |_| assert!(Rc::strong_count(&bomb.0) > 0));
        }
        catch_unwind(AssertUnwindSafe(|| drop(reactor))).unwrap_err();
        assert_eq!(Rc::strong_count(&alive), 1);
        assert!(Handle::try_current().is_none());
        drop(Reactor::new().unwrap());
    });
}

/// Case FL-07.
#[test]
fn two_hundred_reactors_leave_no_descriptor() {
    let output = reexec("two_hundred_reactors_leave_no_descriptor", || {
        let open = || fs::read_dir("/proc/self/fd").unwrap().count();
        let before = open();
        for n in 0..200 {
            let build = if n % 2 == 0 { Reactor::new } else { Reactor::new_portable };
            let mut reactor = build().unwrap();
            let (handle, remote) = (reactor.handle(), reactor.remote());
            let (here, _there) = UnixStream::pair().unwrap();
            reactor.register(here, Interest::READABLE, |_, _| {}).unwrap();
            reactor.call_soon(Handle::stop);
            reactor.run().unwrap();
            drop(reactor);
            assert_eq!(open(), before + 1, "the peer, although handles live on");
            drop((handle, remote));
        }
        assert_eq!(open(), before);
    });
    if let Some(output) = output {
        assert!(output.status.success(), "{output:?}");
    }
}
