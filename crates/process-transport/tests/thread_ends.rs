//! Spawns at the end of a thread, in the destructor of a thread-local value. The library's own
//! thread-local values may be gone by then.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};

use procession_process_transport::{Command, SpawnProcess, Step, reserve_spawn_fds};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;

use crate::util::{PROBE, code, isolated};

/// The outcome of a spawn: an exit code, or the step at which it failed.
type SpawnOutcome = Result<Option<i32>, Step>;

/// Spawns when it is dropped.
struct SpawnsOnDrop(Sender<SpawnOutcome>);

impl Drop for SpawnsOnDrop {
    fn drop(&mut self) {
        let spawned = Command::new(PROBE).args(["exit", "7"]).spawn();
        let came = spawned.map_err(|error| error.step());
        let came = came.map(|mut child| code(&child.wait().expect("it ends")));
        self.0.send(came).expect("somebody listens");
        reserve_spawn_fds().ok(); // the outcome does not matter, but it must not panic
    }
}

/// Holds a loop, and spawns on it when it is dropped.
struct SpawnsOnLoopOnDrop(Reactor, Sender<SpawnOutcome>);

struct SilentProtocol;

impl ProcessProtocol for SilentProtocol {}

impl Drop for SpawnsOnLoopOnDrop {
    fn drop(&mut self) {
        let spawned = self.0.spawn_process(SilentProtocol, Command::new(PROBE).args(["exit", "7"]));
        let came = spawned.map(|_| None).map_err(|error| error.step());
        self.1.send(came).expect("somebody listens");
    }
}

thread_local! {
    static END: RefCell<Option<SpawnsOnDrop>> = const { RefCell::new(None) };
    static LOOP: RefCell<Option<SpawnsOnLoopOnDrop>> = const { RefCell::new(None) };
}

/// The values of a thread are dropped in the order of their first use, or in the opposite order. A
/// spawn before and a spawn after the first use of this value cover both.
#[test]
fn a_spawn_in_the_destructor_of_a_thread_local_is_an_error_or_works() {
    isolated("a_spawn_in_the_destructor_of_a_thread_local_is_an_error_or_works", || {
        let mut all = Vec::new();
        for (before, after) in [(false, false), (true, false), (false, true)] {
            let (sender, came) = channel();
            let thread = std::thread::spawn(move || {
                let spawn = || {
                    let mut child = Command::new(PROBE).args(["exit", "3"]).spawn().unwrap();
                    assert_eq!(code(&child.wait().unwrap()), Some(3));
                };
                if before {
                    spawn();
                }
                END.with_borrow_mut(|end| *end = Some(SpawnsOnDrop(sender)));
                if after {
                    spawn();
                }
            });
            thread.join().unwrap();
            all.push(came.recv().expect("it was dropped"));
        }
        assert!(all.iter().all(|came| [Ok(Some(7)), Err(Step::Clone)].contains(came)), "{all:?}");
        assert!(all.contains(&Err(Step::Clone)), "the launcher was gone once: {all:?}");
    });
}

#[test]
fn a_loop_that_is_dropped_at_the_end_of_its_thread_may_fail_to_spawn() {
    isolated("a_loop_that_is_dropped_at_the_end_of_its_thread_may_fail_to_spawn", || {
        for before in [false, true] {
            let (sender, came) = channel();
            let thread = std::thread::spawn(move || {
                if before {
                    drop(Command::new(PROBE).args(["exit", "3"]).spawn().unwrap());
                }
                let reactor = Reactor::new().unwrap();
                LOOP.with_borrow_mut(|slot| *slot = Some(SpawnsOnLoopOnDrop(reactor, sender)));
                if !before {
                    drop(Command::new(PROBE).args(["exit", "3"]).spawn().unwrap());
                }
            });
            thread.join().unwrap();
            let came = came.recv().expect("it was dropped");
            assert!(matches!(came, Ok(None) | Err(Step::Clone | Step::Register)), "{came:?}");
        }
    });
}
