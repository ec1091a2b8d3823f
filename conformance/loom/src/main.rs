//! Runs what the libraries share between threads in every order that the memory model allows.
//!
//! loom replaces the threads, locks and atomics of the source files below, which are those of the
//! libraries. Each model is a few threads on one of them. A model fails if an assertion does, if all
//! threads wait, or if a run has more steps than a wait can need. `cargo xtask loom` runs it.

#![allow(dead_code, reason = "a model uses a part of each file")]
#![allow(unexpected_cfgs, reason = "the files have the features of their crates")]

mod calls;
mod models;
mod original_cell;
mod sync;
mod wake;

#[path = "../../../crates/core/src/answer.rs"]
mod answer;
#[path = "../../../crates/utils/src/background/byte_queue.rs"]
mod byte_queue;
#[path = "../../../crates/utils/src/background/mailbox.rs"]
mod mailbox;
#[path = "../../../crates/process-transport/src/sys/owned/member.rs"]
mod member;
#[path = "../../../crates/reactor/src/store/shared.rs"]
mod shared;
#[path = "../../../crates/process-transport/src/sys/owned/slot.rs"]
mod slot;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, panic};

/// A model: the part that it is about, its claim, and its threads.
#[derive(Clone, Copy)]
pub(crate) struct Model {
    pub(crate) part: &'static str,
    pub(crate) claim: &'static str,
    pub(crate) run: fn(),
}

/// How many orders the present model has been run in.
static ORDERS: AtomicUsize = AtomicUsize::new(0);

fn main() -> ExitCode {
    let only = env::args().nth(1).unwrap_or_default();
    let models = models::all().into_iter().filter(|model| model.part.contains(&only));
    let (mut passed, mut failed) = (0, 0);
    println!("{:<16} {:>8}  claim", "part", "orders");
    for Model { part, claim, run } in models {
        ORDERS.store(0, Ordering::Relaxed);
        let outcome = panic::catch_unwind(|| {
            let mut loom = loom::model::Builder::new();
            // More switches between threads that could go on have found nothing more, and take hours.
            loom.preemption_bound = Some(3);
            loom.check(move || {
                ORDERS.fetch_add(1, Ordering::Relaxed);
                run();
            });
        });
        let orders = ORDERS.load(Ordering::Relaxed);
        let word = if outcome.is_ok() { "" } else { "FAILED: " };
        println!("{part:<16} {orders:>8}  {word}{claim}");
        *(if outcome.is_ok() { &mut passed } else { &mut failed }) += 1;
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 && passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
