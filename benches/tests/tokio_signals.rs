//! tokio's signals beside children that end with the program, in either order. The program's
//! graceful path is taken, and the default action ends the children if tokio does not replace it.
//!
//! tokio's handlers are those of signal-hook's registry.

mod beside;

use rustix::process::Signal;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use crate::beside::{each, graceful, killed_by};

/// tokio handles TERM.
fn watch() -> Box<dyn FnOnce()> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let entered = runtime.enter();
    let mut stream = signal(SignalKind::terminate()).expect("it can be watched");
    drop(entered);
    Box::new(move || runtime.block_on(stream.recv()).expect("it comes"))
}

#[test]
fn a_signal_that_tokio_watches_is_tokios() {
    let ends = each("a_signal_that_tokio_watches_is_tokios", Signal::TERM, watch);
    assert_eq!(ends, [graceful(), graceful()]);
}

#[test]
fn a_signal_that_tokio_does_not_watch_ends_the_children() {
    let ends = each("a_signal_that_tokio_does_not_watch_ends_the_children", Signal::HUP, watch);
    assert_eq!(ends, [killed_by(Signal::HUP), killed_by(Signal::HUP)]);
}
