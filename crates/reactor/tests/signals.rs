//! Signals. Each test runs in a process of its own, because dispositions belong to the process.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/reexec.rs"]
mod reexec;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Output;
use std::rc::Rc;
use std::time::Duration;

use bound::bound;
use procession_core::driver::{Direction, Spent};
use procession_core::{Deferred, Signal};
use procession_reactor::driver::{EventHandler, FlushOutcome, Pipe, Ready};
use procession_reactor::{DelayedCall, Handle, Phase, Reactor, SignalWatch, Stopped, SystemEvent};
use procession_test_support::sys;
use reexec::reexec;
use signal_hook::low_level;
use until::until;

fn raise(signal: Signal) {
    low_level::raise(signal.as_raw()).expect("the signal exists");
}

fn assert_succeeded(output: Option<Output>) {
    if let Some(output) = output {
        assert!(output.status.success(), "{output:?}");
    }
}

/// Printed just before the signal that must kill, as proof that no earlier signal did.
const ALIVE: &str = "alive until here";

fn assert_died_by(output: Option<Output>, signal: Signal) {
    if let Some(output) = output {
        assert!(String::from_utf8_lossy(&output.stdout).contains(ALIVE), "{output:?}");
        assert_eq!(output.status.signal(), Some(signal.as_raw()), "{output:?}");
    }
}

fn count(reactor: &Reactor, signal: Signal) -> (Rc<Cell<u32>>, SignalWatch) {
    let counter = Rc::new(Cell::new(0));
    let inside = Rc::clone(&counter);
    let watch = reactor
        .on_signal(signal, move |_| inside.set(inside.get() + 1))
        .expect("it can be watched");
    (counter, watch)
}

/// Case RT-17.
#[test]
fn watchers_are_called_until_their_watch_ends_and_the_default_returns_with_the_last() {
    let test = "watchers_are_called_until_their_watch_ends_and_the_default_returns_with_the_last";
    let output = reexec(test, || {
        for signal in [Signal::USR1, Signal::USR2] {
            sys::default_action(signal.as_raw());
        }
        let mut reactor = Reactor::new().unwrap();
        let (first, first_watch) = count(&reactor, Signal::USR1);
        let (second, second_watch) = count(&reactor, Signal::USR1);
        let (other, _other_watch) = count(&reactor, Signal::USR2);
        raise(Signal::USR1);
        until(&mut reactor, || first.get() == 1 && second.get() == 1);
        assert_eq!(other.get(), 0);
        raise(Signal::USR2);
        until(&mut reactor, || other.get() == 1);
        drop(first_watch);
        raise(Signal::USR1);
        until(&mut reactor, || second.get() == 2);
        assert_eq!(first.get(), 1);
        drop(second_watch);
        let (again, again_watch) = count(&reactor, Signal::USR1);
        raise(Signal::USR1);
        until(&mut reactor, || again.get() == 1);
        assert_eq!((first.get(), second.get()), (1, 2));
        drop(again_watch);
        println!("{ALIVE}");
        raise(Signal::USR1);
        unreachable!("nobody watches it");
    });
    assert_died_by(output, Signal::USR1);
}

/// Case RT-17.
#[test]
fn an_own_handler_runs_before_during_and_after_a_watch() {
    assert_succeeded(reexec("an_own_handler_runs_before_during_and_after_a_watch", || {
        sys::count_signal(Signal::USR1.as_raw());
        let mut reactor = Reactor::new().unwrap();
        let (seen, watch) = count(&reactor, Signal::USR1);
        raise(Signal::USR1);
        until(&mut reactor, || seen.get() == 1);
        drop(watch);
        raise(Signal::USR1);
        assert_eq!(sys::counted(), 2);
    }));
}

#[test]
fn a_signal_that_was_ignored_is_ignored_after_a_watch() {
    assert_succeeded(reexec("a_signal_that_was_ignored_is_ignored_after_a_watch", || {
        sys::ignore(Signal::USR1.as_raw());
        let reactor = Reactor::new().unwrap();
        drop(count(&reactor, Signal::USR1));
        raise(Signal::USR1);
    }));
}

#[cfg(target_os = "linux")]
#[test]
fn a_realtime_signal_kills_again_after_a_watch() {
    let test = "a_realtime_signal_kills_again_after_a_watch";
    let signal = Signal::from_raw(libc::SIGRTMIN() + 3);
    let output = reexec(test, || {
        let mut reactor = Reactor::new().unwrap();
        let (seen, watch) = count(&reactor, signal);
        raise(signal);
        until(&mut reactor, || seen.get() == 1);
        drop(watch);
        println!("{ALIVE}");
        raise(signal);
    });
    assert_died_by(output, signal);
}

/// Case RT-19.
#[test]
fn an_interrupt_stops_the_run_and_the_next_one_after_it_kills() {
    let test = "an_interrupt_stops_the_run_and_the_next_one_after_it_kills";
    let output = reexec(test, || {
        sys::default_action(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        for signal in [Signal::TERM, Signal::INT] {
            reactor.call_when_running(move |_| raise(signal));
            assert_eq!(reactor.run().unwrap(), Stopped::Signal(signal));
        }
        println!("{ALIVE}");
        raise(Signal::INT);
        unreachable!("the run is over");
    });
    assert_died_by(output, Signal::INT);
}

/// Case RT-19.
#[test]
fn a_second_interrupt_while_the_shutdown_is_pending_acts_by_default() {
    let test = "a_second_interrupt_while_the_shutdown_is_pending_acts_by_default";
    let output = reexec(test, || {
        sys::default_action(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |reactor| {
            println!("{ALIVE}");
            reactor.call_soon(|_| raise(Signal::INT));
            let (promise, deferred) = Deferred::<(), io::Error>::new();
            reactor.call_later(Duration::from_secs(60), move |_| drop(promise));
            deferred
        });
        reactor.call_when_running(|_| raise(Signal::INT));
        reactor.run().unwrap();
    });
    assert_died_by(output, Signal::INT);
}

#[test]
fn a_signal_while_the_startup_is_pending_ends_it() {
    assert_succeeded(reexec("a_signal_while_the_startup_is_pending_ends_it", || {
        sys::default_action(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        let _deadline = deadline(&reactor);
        for signal in [Signal::INT, Signal::TERM] {
            let (promise, deferred) = Deferred::<(), io::Error>::new();
            reactor.add_system_event_trigger(Phase::Before, SystemEvent::Startup, move |_| {
                raise(signal);
                deferred
            });
            assert_eq!(reactor.run().unwrap(), Stopped::Signal(signal));
            drop(promise);
        }
    }));
}

/// No turn comes after the last phase, so the run itself checks for signals.
#[test]
fn a_signal_in_any_phase_of_the_shutdown_is_the_reason_of_the_stop() {
    let test = "a_signal_in_any_phase_of_the_shutdown_is_the_reason_of_the_stop";
    assert_succeeded(reexec(test, || {
        sys::default_action(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        for phase in [Phase::Before, Phase::During, Phase::After] {
            for signal in [Signal::INT, Signal::TERM] {
                reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                    raise(signal);
                });
                reactor.call_when_running(Handle::stop);
                assert_eq!(reactor.run().unwrap(), Stopped::Signal(signal), "{phase:?}");
            }
        }
    }));
}

#[test]
fn a_signal_in_the_last_shutdown_trigger_reaches_its_watchers_and_stops_one_run() {
    let test = "a_signal_in_the_last_shutdown_trigger_reaches_its_watchers_and_stops_one_run";
    assert_succeeded(reexec(test, || {
        let mut reactor = Reactor::new().unwrap().with_signals();
        let (seen, _watch) = count(&reactor, Signal::TERM);
        reactor.add_system_event_trigger(Phase::After, SystemEvent::Shutdown, |_| {
            raise(Signal::TERM);
        });
        reactor.call_when_running(Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Signal(Signal::TERM));
        assert_eq!(seen.get(), 0, "nothing turns any more");
        reactor.call_when_running(|reactor| reactor.call_soon(Handle::stop));
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(seen.get(), 1);
    }));
}

fn panic_now(_: &Handle) {
    panic!("on purpose");
}

fn panics(reactor: &mut Reactor) {
    let caught = catch_unwind(AssertUnwindSafe(|| reactor.run()));
    let payload = caught.expect_err("a callback panics");
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"on purpose"));
    assert!(!reactor.is_running());
}

/// Adds a call that panics if nothing stops the run.
fn deadline(reactor: &Reactor) -> DelayedCall {
    let within = bound(Duration::from_secs(10));
    reactor.call_later(within, |_| panic!("nothing has stopped the run"))
}

/// The panic comes before the turn sees the signal, while its call is queued, after that call, or
/// in the shutdown.
#[test]
fn a_signal_before_a_panic_stops_the_next_run_once() {
    let test = "a_signal_before_a_panic_stops_the_next_run_once";
    assert_succeeded(reexec(test, || {
        let unseen = |reactor: &Reactor| {
            reactor.call_soon(|_| -> () {
                raise(Signal::TERM);
                panic!("on purpose");
            });
        };
        let queued = |reactor: &Reactor| {
            reactor.call_soon(|reactor| {
                raise(Signal::TERM);
                reactor.call_soon(panic_now);
            });
        };
        let after_the_call = |reactor: &Reactor| {
            // Remote calls run after the turn's own calls, which include the one that stops the
            // run.
            reactor.call_soon(|reactor| {
                raise(Signal::TERM);
                reactor.remote().call(panic_now);
            });
        };
        let in_shutdown = |reactor: &Reactor| {
            reactor.call_soon(|_| raise(Signal::TERM));
            reactor.add_system_event_trigger(Phase::During, SystemEvent::Shutdown, panic_now);
        };
        for prepare in [unseen as fn(&Reactor), queued, after_the_call, in_shutdown] {
            let mut reactor = Reactor::new().unwrap().with_signals();
            prepare(&reactor);
            panics(&mut reactor);
            let order = Rc::new(RefCell::new(Vec::new()));
            for event in [SystemEvent::Startup, SystemEvent::Shutdown] {
                let order = Rc::clone(&order);
                reactor.add_system_event_trigger(Phase::Before, event, move |reactor| {
                    assert!(reactor.is_running());
                    order.borrow_mut().push(event);
                });
            }
            let deadline = deadline(&reactor);
            assert_eq!(reactor.run().unwrap(), Stopped::Signal(Signal::TERM));
            assert_eq!(*order.borrow(), [SystemEvent::Startup, SystemEvent::Shutdown]);
            deadline.cancel();
            reactor.call_later(Duration::from_millis(5), Handle::stop);
            assert_eq!(reactor.run().unwrap(), Stopped::Called);
        }
    }));
}

#[test]
fn a_signal_before_a_panic_reaches_its_watchers_once() {
    assert_succeeded(reexec("a_signal_before_a_panic_reaches_its_watchers_once", || {
        let mut reactor = Reactor::new().unwrap().with_signals();
        let (seen, _watch) = count(&reactor, Signal::TERM);
        reactor.call_soon(|_| -> () {
            raise(Signal::TERM);
            panic!("on purpose");
        });
        panics(&mut reactor);
        until(&mut reactor, || seen.get() == 1);
        let _deadline = deadline(&reactor);
        assert_eq!(reactor.run().unwrap(), Stopped::Signal(Signal::TERM));
        reactor.call_later(Duration::from_millis(5), Handle::stop);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(seen.get(), 1);
    }));
}

#[test]
fn a_second_signal_after_a_panic_acts_by_default_while_the_shutdown_is_pending() {
    let test = "a_second_signal_after_a_panic_acts_by_default_while_the_shutdown_is_pending";
    let output = reexec(test, || {
        let mut reactor = Reactor::new().unwrap().with_signals();
        reactor.call_soon(|_| -> () {
            raise(Signal::TERM);
            panic!("on purpose");
        });
        panics(&mut reactor);
        reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, |_| {
            println!("{ALIVE}");
            raise(Signal::TERM);
        });
        let _deadline = deadline(&reactor);
        reactor.run().unwrap();
    });
    assert_died_by(output, Signal::TERM);
}

/// This also holds after a watch has ended, which leaves a handler that does nothing.
#[test]
fn an_interrupt_that_is_ignored_does_not_stop_the_run() {
    assert_succeeded(reexec("an_interrupt_that_is_ignored_does_not_stop_the_run", || {
        sys::ignore(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        for _ in 0..2 {
            reactor.call_when_running(|reactor| {
                raise(Signal::INT);
                reactor.call_later(Duration::from_millis(5), Handle::stop);
            });
            assert_eq!(reactor.run().unwrap(), Stopped::Called);
            let (seen, watch) = count(&reactor, Signal::INT);
            raise(Signal::INT);
            until(&mut reactor, || seen.get() == 1);
            drop(watch);
        }
        // A watch of the program is called, and the run continues.
        let (seen, _watch) = count(&reactor, Signal::INT);
        reactor.call_when_running(|reactor| {
            raise(Signal::INT);
            reactor.call_later(Duration::from_millis(5), Handle::stop);
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(seen.get(), 1);
        raise(Signal::INT);
    }));
}

#[test]
fn a_termination_that_is_ignored_stops_the_run() {
    assert_succeeded(reexec("a_termination_that_is_ignored_stops_the_run", || {
        sys::ignore(Signal::TERM.as_raw());
        let mut reactor = Reactor::new().unwrap().with_signals();
        let _deadline = deadline(&reactor);
        for _ in 0..2 {
            reactor.call_when_running(|_| raise(Signal::TERM));
            assert_eq!(reactor.run().unwrap(), Stopped::Signal(Signal::TERM));
            raise(Signal::TERM);
        }
    }));
}

#[test]
fn a_reactor_without_signals_and_a_turn_leave_the_interrupt_alone() {
    let test = "a_reactor_without_signals_and_a_turn_leave_the_interrupt_alone";
    assert_succeeded(reexec(test, || {
        sys::count_signal(Signal::INT.as_raw());
        let mut reactor = Reactor::new().unwrap().without_signals();
        reactor.call_soon(|reactor| {
            raise(Signal::INT);
            reactor.call_later(Duration::from_millis(5), Handle::stop);
        });
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        reactor.call_soon(|_| raise(Signal::INT));
        reactor.turn(None).unwrap();
        assert_eq!(sys::counted(), 2);
    }));
}

/// Case RT-20.
#[test]
fn a_watch_that_ends_while_its_signal_is_pending_is_not_called() {
    assert_succeeded(reexec("a_watch_that_ends_while_its_signal_is_pending_is_not_called", || {
        let mut reactor = Reactor::new().unwrap();
        let (seen, watch) = count(&reactor, Signal::USR1);
        raise(Signal::USR1);
        drop(watch);
        reactor.turn(Some(Duration::from_millis(5))).unwrap();
        // This also holds if the call is queued already: the first watch ends the second one.
        let second: Rc<Cell<Option<SignalWatch>>> = Rc::default();
        let end = Rc::clone(&second);
        let first = reactor.on_signal(Signal::USR1, move |_| drop(end.take())).unwrap();
        let watch = {
            let seen = Rc::clone(&seen);
            reactor.on_signal(Signal::USR1, move |_| seen.set(99)).unwrap()
        };
        second.set(Some(watch));
        raise(Signal::USR1);
        reactor.turn(Some(Duration::from_millis(5))).unwrap();
        reactor.turn(Some(Duration::from_millis(5))).unwrap();
        assert_eq!(seen.get(), 0);
        assert_eq!(first.signal(), Signal::USR1);
    }));
}

#[test]
fn signals_that_cannot_be_watched_are_refused() {
    let reactor = Reactor::new().unwrap();
    for signal in [Signal::KILL, Signal::STOP, Signal::SEGV, Signal::from_raw(999)] {
        let error = reactor.on_signal(signal, |_| {}).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "{signal}");
    }
}

struct IgnoreEvents;

impl EventHandler for IgnoreEvents {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
}

/// Flushes a pipe without a reader.
fn flush_a_broken_pipe(reactor: &Handle) {
    let (reader, writer) = io::pipe().expect("two descriptors");
    drop(reader);
    let (writer, handler) = (writer.into(), Rc::new(IgnoreEvents));
    let mut pipe =
        Pipe::open(reactor, writer, Direction::Write, handler, 0).expect("a pipe is polled");
    pipe.queue().expect("it is a writer").on_write("x".into()).expect("it is open");
    assert!(matches!(pipe.flush(reactor, &mut Spent::new()), FlushOutcome::Lost(_)));
    drop(pipe.close(reactor));
}

/// Dies by SIGPIPE, which shows that the disposition is the default and the mask is unchanged.
fn die_by_a_broken_pipe() {
    let (reader, mut writer) = io::pipe().expect("two descriptors");
    drop(reader);
    println!("{ALIVE}");
    writer.write_all(b"x").expect_err("nobody reads it");
    unreachable!("the signal comes first");
}

#[test]
fn a_broken_pipe_does_not_kill_in_a_turn_and_does_outside_of_one() {
    let test = "a_broken_pipe_does_not_kill_in_a_turn_and_does_outside_of_one";
    let output = reexec(test, || {
        sys::default_action(Signal::PIPE.as_raw());
        let mut reactor = Reactor::new().unwrap();
        let lost = Rc::new(Cell::new(0));
        let inside = Rc::clone(&lost);
        let broken = move |reactor: &Handle| {
            flush_a_broken_pipe(reactor);
            inside.set(inside.get() + 1);
        };
        let again = broken.clone();
        reactor.call_soon(broken);
        reactor.turn(None).unwrap();
        reactor.block_on(async move { again(&Handle::current()) });
        assert_eq!(lost.get(), 2);
        die_by_a_broken_pipe();
    });
    assert_died_by(output, Signal::PIPE);
}

#[test]
fn a_flush_outside_of_a_turn_does_not_kill_and_the_programs_own_write_does() {
    let test = "a_flush_outside_of_a_turn_does_not_kill_and_the_programs_own_write_does";
    let output = reexec(test, || {
        sys::default_action(Signal::PIPE.as_raw());
        let reactor = Reactor::new().unwrap();
        flush_a_broken_pipe(&reactor);
        flush_a_broken_pipe(&reactor);
        die_by_a_broken_pipe();
    });
    assert_died_by(output, Signal::PIPE);
}

/// A signal that does not stop the run does not make the next one act by default.
#[test]
fn a_watched_hang_up_does_not_count_as_the_first_stop_signal() {
    let test = "a_watched_hang_up_does_not_count_as_the_first_stop_signal";
    let output = reexec(test, || {
        for signal in [Signal::HUP, Signal::TERM] {
            sys::default_action(signal.as_raw());
        }
        let mut reactor = Reactor::new().unwrap().with_signals();
        let (hang_ups, _watch) = count(&reactor, Signal::HUP);
        reactor.call_when_running(|_| raise(Signal::HUP));
        // Later than an echo of the hang-up would come.
        reactor.call_later(Duration::from_millis(350), |_| raise(Signal::TERM));
        let stopped = reactor.run().unwrap();
        assert_eq!((stopped, hang_ups.get()), (Stopped::Signal(Signal::TERM), 1));
    });
    assert_succeeded(output);
}
