//! The table of owned children, which handlers and acts read on any thread. Alone in its process,
//! because after an act no owned child starts any more.

mod util;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;

use procession::{Command, Signal, end_children_with_program, end_owned_groups};
use util::{on_threads, sys};

fn sleep() -> Command {
    sys::forked(Command::new("sleep").arg("600").owned(true))
}

#[test]
fn children_enter_and_leave_beside_an_act() {
    end_children_with_program();
    let (started, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            on_threads(3, |number| {
                let mut kept = Vec::new();
                while let Ok(mut child) = sleep().spawn() {
                    started.fetch_add(1, SeqCst);
                    if number > 0 {
                        child.signal(Signal::KILL).unwrap();
                        child.wait().unwrap().unwrap_err();
                    } else if kept.len() < 3 {
                        kept.push(child);
                    } else {
                        drop(child);
                    }
                }
                // The act has ended them.
                for mut child in kept {
                    assert!(child.wait().unwrap().unwrap_err().signal().is_some());
                }
            });
            is_over.store(true, SeqCst);
        });
        while started.load(SeqCst) < 30 && !is_over.load(SeqCst) {
            thread::yield_now();
        }
        end_owned_groups();
    });
    assert!(started.load(SeqCst) >= 30);
}
