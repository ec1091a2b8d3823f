//! Spawns at the end of a thread, in the destructor of a thread-local value: what the library keeps for
//! a thread may be gone by then.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::sync::mpsc::{Sender, channel};

use procession_process_transport::{Command, SpawnProcess, Step, reserve_spawn_fds};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;

use crate::util::{PROBE, code, isolated};

/// What a spawn came to: an exit code, or the step at which it failed.
type Came = Result<Option<i32>, Step>;

/// Spawns when it is dropped.
struct AtTheEnd(Sender<Came>);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        let spawned = Command::new(PROBE).args(["exit", "7"]).spawn();
        let came = spawned.map_err(|error| error.step());
        let came = came.map(|mut child| code(&child.wait().expect("it ends")));
        self.0.send(came).expect("somebody listens");
        reserve_spawn_fds().ok(); // whatever it says, it says it
    }
}

/// Spawns on a loop when it is dropped, and is the loop.
struct LoopAtTheEnd(Reactor, Sender<Came>);

struct Quiet;

impl ProcessProtocol for Quiet {}

impl Drop for LoopAtTheEnd {
    fn drop(&mut self) {
        let spawned = self.0.spawn_process(Quiet, Command::new(PROBE).args(["exit", "7"]));
        let came = spawned.map(|_| None).map_err(|error| error.step());
        self.1.send(came).expect("somebody listens");
    }
}

thread_local! {
    static END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    static LOOP: RefCell<Option<LoopAtTheEnd>> = const { RefCell::new(None) };
}

/// The values of a thread are dropped in the order in which they were first used, or in the opposite
/// one: a spawn before and one after the use of this one give both.
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
                END.with_borrow_mut(|end| *end = Some(AtTheEnd(sender)));
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
fn a_loop_that_is_dropped_at_the_end_of_its_thread_may_spawn_in_vain() {
    isolated("a_loop_that_is_dropped_at_the_end_of_its_thread_may_spawn_in_vain", || {
        for before in [false, true] {
            let (sender, came) = channel();
            let thread = std::thread::spawn(move || {
                if before {
                    drop(Command::new(PROBE).args(["exit", "3"]).spawn().unwrap());
                }
                let reactor = Reactor::new().unwrap();
                LOOP.with_borrow_mut(|slot| *slot = Some(LoopAtTheEnd(reactor, sender)));
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
