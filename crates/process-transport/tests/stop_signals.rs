//! Stops of the whole group while it spawns children: the spawning thread goes on afterwards.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use procession_process_transport::SpawnProcess;
use procession_reactor::{Handle, Reactor};
use rustix::process::{Signal, kill_current_process_group, setsid};

use crate::util::{Event, Recorder, WATCHDOG, children, command, isolated, ms, sys};

/// The progress of the chain of spawns.
#[derive(Default)]
struct SpawnChain {
    spawned: Cell<usize>,
    ended: Cell<usize>,
    over: Cell<bool>,
}

/// Spawns `true`, and again in the next turn, until the chain is over.
fn spawn_on(reactor: &Handle, chain: Rc<SpawnChain>) {
    if chain.over.get() {
        return;
    }
    let counted = chain.clone();
    let (recorder, _) = Recorder::with(move |_, event| {
        if matches!(event, Event::Ended(_)) {
            counted.ended.set(counted.ended.get() + 1);
        }
    });
    reactor.spawn_process(recorder, command("/bin/true")).expect("it starts");
    chain.spawned.set(chain.spawned.get() + 1);
    reactor.call_later(Duration::ZERO, move |reactor| spawn_on(reactor, chain));
}

/// Case SG-17.
#[test]
fn a_stop_of_the_group_does_not_hold_the_spawning_thread_for_good() {
    isolated("a_stop_of_the_group_does_not_hold_the_spawning_thread_for_good", || {
        setsid().expect("it leads no group");
        sys::count_signal(libc::SIGTSTP);
        let mut reactor = Reactor::new().unwrap();
        let chain = Rc::new(SpawnChain::default());
        spawn_on(&reactor, chain.clone());
        let stops = thread::spawn(|| {
            for _ in 0..20 {
                kill_current_process_group(Signal::TSTP).expect("it is ours");
                thread::park_timeout(ms(100));
                kill_current_process_group(Signal::CONT).expect("it is ours");
                thread::park_timeout(ms(5));
            }
        });
        let mut longest = Duration::ZERO;
        while !stops.is_finished() {
            let begun = reactor.now();
            reactor.turn(Some(ms(20))).unwrap();
            longest = longest.max(reactor.now() - begun);
        }
        stops.join().unwrap();
        chain.over.set(true);
        // A stop that came after the last CONT of its round is undone by this CONT.
        kill_current_process_group(Signal::CONT).expect("it is ours");
        let deadline = reactor.now() + WATCHDOG;
        while chain.ended.get() < chain.spawned.get() {
            assert!(reactor.now() < deadline, "{} of {}", chain.ended.get(), chain.spawned.get());
            reactor.turn(Some(ms(20))).unwrap();
        }
        assert!(chain.spawned.get() > 20, "{} spawns", chain.spawned.get());
        assert!(longest < Duration::from_secs(2), "a turn took {longest:?}");
        assert_eq!((sys::counted() > 0, children()), (true, vec![]));
    });
}
