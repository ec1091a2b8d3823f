//! The handler of the four signals, and where it is installed.
//!
//! Only over the default action, at every reservation, since anybody may put that back; and never
//! taken away, for with an empty table it is the default action. Not in PID 1, which those signals do
//! not end: its namespace ends with it anyhow.

use super::act::{Cause, act};
use super::calls::{self, KeptErrno, SIGNALS};
use std::ffi::c_int;

/// The number of the process whose default action is to ignore.
const INIT: c_int = 1;

/// Has the four signals end the owned children first, where they end this process by default; its
/// number is `own_pid`.
pub(super) fn install_in(own_pid: c_int) {
    if own_pid == INIT {
        return;
    }
    for signal in SIGNALS {
        if calls::disposition(signal) != libc::SIG_DFL {
            continue;
        }
        let old = calls::set_action(signal, &calls::action(address()));
        // Another thread was quicker: its handler stays.
        if ![libc::SIG_DFL, address()].contains(&old.sa_sigaction) {
            calls::set_action(signal, &old);
        }
    }
}

/// Returns whether a signal would end this process by default.
pub(super) fn would_end(signal: c_int) -> bool {
    SIGNALS.contains(&signal) && calls::own_pid() != INIT
}

/// The handler's address, as a disposition has it.
pub(super) fn address() -> usize {
    let handler: extern "C" fn(c_int) = on_signal;
    handler as usize
}

extern "C" fn on_signal(signal: c_int) {
    let _errno = KeptErrno::new();
    // A handler that was installed later calls the one before it, which is then not to act; and a
    // forked copy may be PID 1 somewhere.
    let handler = address();
    if calls::disposition(signal) == handler && would_end(signal) {
        die(act(Some(Cause { signal, handler })).unwrap_or(signal));
    }
}

fn die(signal: c_int) -> ! {
    calls::set_action(signal, &calls::action(libc::SIG_DFL));
    calls::raise(signal);
    // Another thread has put a handler in between.
    calls::exit(128 + signal)
}
