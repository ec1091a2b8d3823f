//! A reactor in a process whose standard descriptors are closed.

#[path = "util/reexec.rs"]
mod reexec;

use std::time::Duration;

use procession_core::Signal;
use procession_reactor::{Handle, Reactor};
use procession_test_support::sys;
use reexec::reexec;
use rustix::io::fcntl_getfd;
use rustix::stdio::{stderr, stdin, stdout};

/// Returns which of the descriptors 0, 1 and 2 are open.
fn open() -> [bool; 3] {
    [stdin(), stdout(), stderr()].map(|fd| fcntl_getfd(fd).is_ok())
}

/// Closes the descriptors `closed`, then makes a reactor of each kind and uses its features.
fn live_without(closed: &[i32]) {
    for &number in closed {
        sys::close_standard(number);
    }
    let before = open();
    for build in [Reactor::new, Reactor::new_portable] {
        let mut reactor = build().expect("descriptors are left");
        assert_eq!(open(), before);
        let _watch = reactor.on_signal(Signal::WINCH, |_| {}).expect("it can be watched");
        reactor.remote().call(|reactor| {
            reactor.spawn_local(async {});
            reactor.call_later(Duration::from_millis(5), Handle::stop);
        });
        reactor.run().expect("waiting does not fail");
        assert_eq!(open(), before, "nothing is made late");
    }
    assert_eq!(open(), before);
}

#[test]
fn a_reactor_uses_no_standard_descriptor_if_all_are_closed() {
    let test = "a_reactor_uses_no_standard_descriptor_if_all_are_closed";
    if let Some(output) = reexec(test, || live_without(&[0, 1, 2])) {
        assert!(output.status.success(), "{output:?}");
    }
}

#[test]
fn a_reactor_uses_no_standard_descriptor_if_some_are_closed() {
    let test = "a_reactor_uses_no_standard_descriptor_if_some_are_closed";
    if let Some(output) = reexec(test, || {
        live_without(&[1]);
        live_without(&[0]);
    }) {
        assert!(output.status.success(), "{output:?}");
    }
}
