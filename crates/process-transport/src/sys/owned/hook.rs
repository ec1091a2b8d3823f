//! The act before a default action that the reactor emulates: its signal library has its handler in
//! place of ours, or in front of it.
#![expect(unsafe_code, reason = "says that the act is async-signal-safe")]

use super::act::{self, Cause, act};
use super::calls::KeptErrno;
use super::handler;
use super::job_control;
use procession_reactor::hooks::{self, BeforeDefault};
use std::ffi::c_int;
use std::sync::Once;

struct EndOwnedChildren;

// SAFETY: the act is async-signal-safe and cannot panic (see the audit in this module's page).
unsafe impl BeforeDefault for EndOwnedChildren {
    fn handler() -> usize {
        handler::address()
    }

    fn run(signal: c_int) {
        let _errno = KeptErrno::new();
        if handler::would_end(signal) {
            act(Some(Cause { signal, handler: handler::address() }));
        }
    }

    fn stopped() {
        act::on_program_stopped();
    }
}

/// Registers with the reactor, once, what to do before it ends the program, and around a stop of
/// the program.
pub(super) fn tell_reactors() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| {
        hooks::before_default_action::<EndOwnedChildren>();
        hooks::around_program_stop(job_control::stop_groups, job_control::continue_groups);
    });
}
