//! The act before a default action that the reactor emulates: its signal library has its handler in
//! place of ours, or in front of it.
#![expect(unsafe_code, reason = "says that the act is async-signal-safe")]

use std::ffi::c_int;
use std::sync::Once;

use procession_reactor::driver::{Io, ProgramHooks};

use super::act::{self, Cause, act};
use super::calls::KeptErrno;
use super::handler;
use super::job_control;

struct EndOwnedChildren;

// SAFETY: the act is async-signal-safe and cannot panic (see the audit in this module's page).
unsafe impl ProgramHooks for EndOwnedChildren {
    fn handler() -> usize {
        handler::address()
    }

    fn before_default(signal: c_int) {
        let _errno = KeptErrno::new();
        if handler::would_end(signal) {
            act(Some(Cause { signal, handler: handler::address() }));
        }
    }

    fn run_stopped() {
        act::on_program_stopped();
    }

    fn before_pause() {
        job_control::stop_groups();
    }

    fn after_pause() {
        job_control::continue_groups();
    }
}

/// Registers with the reactor, once, what to do before it ends the program, and around a stop of
/// the program.
pub(super) fn tell_reactors() {
    static TOLD: Once = Once::new();
    TOLD.call_once(Io::set_program_hooks::<EndOwnedChildren>);
}
