//! The handler of the four signals, and its installation.
//!
//! It replaces only the default action. It is installed at every reservation, because any code may
//! restore the default, and it is never removed, because with an empty table it acts as the default
//! action. It is not installed in PID 1, which those signals do not end, and whose namespace ends
//! with it anyhow.

use std::ffi::c_int;

use super::act::{Cause, act};
use super::calls::{self, KeptErrno, SIGNALS};

/// The number of the process whose default action is to ignore.
const INIT: c_int = 1;

/// Makes the four signals end the owned children first, if they end this process by default;
/// `own_pid` is its number.
pub(super) fn install_in(own_pid: c_int) {
    if own_pid == INIT {
        return;
    }
    for signal in SIGNALS {
        if calls::disposition(signal) != libc::SIG_DFL {
            continue;
        }
        let old = calls::set_action(signal, &calls::action(address()));
        // If another thread was quicker, its handler stays.
        if ![libc::SIG_DFL, address()].contains(&old.sa_sigaction) {
            calls::set_action(signal, &old);
        }
    }
}

/// Returns whether a signal would end this process by default.
pub(super) fn would_end(signal: c_int) -> bool {
    SIGNALS.contains(&signal) && calls::own_pid() != INIT
}

/// Returns the handler's address, as in a disposition.
pub(super) fn address() -> usize {
    let handler: extern "C" fn(c_int) = on_signal;
    handler as usize
}

extern "C" fn on_signal(signal: c_int) {
    let _errno = KeptErrno::new();
    // A handler that was installed later may call this one as the previous handler; then this one
    // must not act. And a forked copy may be PID 1 of a namespace.
    let handler = address();
    if calls::disposition(signal) == handler && would_end(signal) {
        die(act(Some(Cause { signal, handler })).unwrap_or(signal));
    }
}

fn die(signal: c_int) -> ! {
    calls::set_action(signal, &calls::action(libc::SIG_DFL));
    calls::raise(signal);
    // Another thread has installed a handler meanwhile.
    calls::exit(128 + signal)
}
