//! The end of `run`: the parent's pipe ends are closed in the *during* phase, and children are not
//! killed.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::SpawnProcess;
use procession_protocol::Target;
use procession_reactor::{Phase, Reactor, Stopped, SystemEvent};

use crate::util::forwarding::outcome;
use crate::util::{
    Event, Record, Recorder, WATCHDOG, behaviour, children, command, isolated, ms, open_fds, sh,
};

/// A phase, and the descriptors that were lost by then.
type LostByPhase = (Phase, Vec<i32>);

/// Runs the reactor and stops it after this time.
fn run_for(reactor: &mut Reactor, time: Duration) {
    reactor.call_later(time, |reactor| reactor.stop());
    assert!(matches!(reactor.run().expect("it runs"), Stopped::Called));
}

#[test]
fn a_stop_closes_the_ends_of_living_children_and_kills_none() {
    behaviour("a_stop_closes_the_ends_of_living_children_and_kills_none", |driver| {
        let seen: Rc<RefCell<Vec<LostByPhase>>> = Rc::default();
        let deaf = driver.spawn(sh("exec sleep 0.6"));
        let listener = driver.spawn(sh("cat >/dev/null; sleep 0.3; exit 6"));
        for phase in [Phase::Before, Phase::After] {
            let (seen, record) = (seen.clone(), deaf.record.clone());
            driver.reactor().add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                seen.borrow_mut().push((phase, record.lost()));
            });
        }
        run_for(driver.reactor(), ms(20));
        assert_eq!(*seen.borrow(), [(Phase::Before, vec![]), (Phase::After, vec![0, 1, 2])]);
        assert_eq!(listener.record.lost(), [0, 1, 2]);
        assert!(deaf.process.pid().is_some() && listener.process.pid().is_some());
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((deaf.record.code(), listener.record.code()), (0, 6));
    });
}

#[test]
fn data_that_fits_the_pipe_is_written_before_the_close() {
    behaviour("data_that_fits_the_pipe_is_written_before_the_close", |driver| {
        let child = driver.spawn(sh("read x; test \"$x\" = bye; exit $?"));
        let process = child.process.clone();
        driver.reactor().add_system_event_trigger(
            Phase::Before,
            SystemEvent::Shutdown,
            move |_| process.write("bye\n"),
        );
        // Nobody reads this pipe. Its queue cannot be flushed and is dropped.
        let full = driver.spawn(command("/bin/sleep").arg("0.5"));
        full.process.write(vec![0; 1 << 20]);
        run_for(driver.reactor(), ms(20));
        assert_eq!(full.record.lost(), [0, 1, 2]);
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((child.record.code(), full.record.code()), (0, 0));
    });
}

#[test]
fn a_child_of_a_trigger_is_closed_with_the_rest() {
    behaviour("a_child_of_a_trigger_is_closed_with_the_rest", |driver| {
        let first = driver.spawn(command("/bin/cat"));
        let records: Rc<RefCell<Vec<Record>>> = Rc::default();
        for phase in [Phase::Before, Phase::During, Phase::After] {
            let records = records.clone();
            let trigger = move |reactor: &procession_reactor::Handle| {
                let (recorder, record) = Recorder::new();
                reactor.spawn_process(recorder, command("/bin/cat")).expect("it starts");
                records.borrow_mut().push(record);
            };
            driver.reactor().add_system_event_trigger(phase, SystemEvent::Shutdown, trigger);
        }
        run_for(driver.reactor(), ms(20));
        assert_eq!(records.borrow().len(), 3);
        driver.turn(); // no later phase exists that could deliver the loss
        for record in records.borrow().iter().chain([&first.record]) {
            assert_eq!(record.lost(), [0, 1, 2]);
        }
        driver.until("all have ended", WATCHDOG, || children().is_empty());
        driver.turn();
    });
}

#[test]
fn every_run_closes_the_children_of_its_own() {
    behaviour("every_run_closes_the_children_of_its_own", |driver| {
        for _ in 0..3 {
            let child = driver.spawn(command("/bin/cat"));
            run_for(driver.reactor(), ms(5));
            assert_eq!(child.record.lost(), [0, 1, 2]);
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
        }
        // Turns without a run close nothing.
        let child = driver.spawn(command("/bin/cat"));
        driver.run_for(ms(20));
        assert_eq!(child.record.events(), [Event::Made]);
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
    });
}

#[test]
fn a_forwarding_that_a_stop_cuts_off_is_an_error() {
    behaviour("a_forwarding_that_a_stop_cuts_off_is_an_error", |driver| {
        let source = driver.spawn(sh("echo some; exec sleep 0.3"));
        let sink = driver.spawn(command("/bin/cat"));
        let moved = outcome(source.process.forward(1, Target::child(&sink.process, 0)));
        run_for(driver.reactor(), ms(100));
        assert_eq!(moved.take(), Some(Err((5, ErrorKind::ConnectionAborted))));
        driver.drive_all_to_end(WATCHDOG);
    });
}

#[test]
fn a_dropped_reactor_leaves_no_list_of_children_behind() {
    isolated("a_dropped_reactor_leaves_no_list_of_children_behind", || {
        for round in 0..3 {
            let mut reactor = Reactor::new().unwrap();
            let (recorder, record) = Recorder::new();
            let process = reactor.spawn_process(recorder, command("/bin/sleep").arg("60")).unwrap();
            if round == 1 {
                run_for(&mut reactor, ms(5));
                assert_eq!(record.lost(), [0, 1, 2]);
            }
            process.signal(Signal::KILL).unwrap();
            drop(reactor);
        }
        let mut reactor = Reactor::new().unwrap();
        let before = open_fds().len();
        let deadline = reactor.now() + WATCHDOG;
        while !children().is_empty() {
            assert!(reactor.now() < deadline, "{:?}", children());
            reactor.turn(Some(ms(5))).unwrap();
        }
        assert!(open_fds().len() <= before);
    });
}
