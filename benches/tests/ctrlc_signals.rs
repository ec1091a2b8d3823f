//! ctrlc's handler beside children that end with the program, in either order. The program's
//! graceful path is taken, and the default action ends the children if ctrlc does not replace it.

mod beside;

use std::sync::mpsc::channel;

use rustix::process::Signal;

use crate::beside::{each, graceful, killed_by};

/// ctrlc handles INT, and replaces any other handler.
fn watch() -> Box<dyn FnOnce()> {
    let (came, comes) = channel();
    ctrlc::set_handler(move || came.send(()).expect("it is waited for")).expect("it is the first");
    Box::new(move || comes.recv().expect("it comes"))
}

/// This form replaces only the default action. If it is refused, the program waits too.
fn try_watch() -> Box<dyn FnOnce()> {
    let (came, comes) = channel();
    let tried = ctrlc::try_set_handler(move || came.send(()).expect("it is waited for"));
    Box::new(move || match tried {
        Ok(()) => comes.recv().expect("it comes"),
        Err(_) => loop {
            std::thread::park();
        },
    })
}

#[test]
fn a_signal_that_ctrlc_has_is_ctrlcs() {
    let ends = each("a_signal_that_ctrlc_has_is_ctrlcs", Signal::INT, watch);
    assert_eq!(ends, [graceful(), graceful()]);
}

#[test]
fn a_signal_that_ctrlc_does_not_have_ends_the_children() {
    let ends = each("a_signal_that_ctrlc_does_not_have_ends_the_children", Signal::TERM, watch);
    assert_eq!(ends, [killed_by(Signal::TERM), killed_by(Signal::TERM)]);
}

/// The library's handler has replaced the default action.
#[test]
fn a_handler_that_takes_the_default_action_only_has_to_be_first() {
    let name = "a_handler_that_takes_the_default_action_only_has_to_be_first";
    let ends = each(name, Signal::INT, try_watch);
    assert_eq!(ends, [graceful(), killed_by(Signal::INT)]);
}
