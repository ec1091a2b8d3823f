//! What runs inside signal handlers, and what a signal does at present.
#![expect(unsafe_code, reason = "signal handlers and dispositions have no safe interface")]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use signal_hook::SigId;
use signal_hook::low_level;

use crate::wake::WakeFd;

/// What the kernel does with a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disposition {
    Default,
    Ignore,
    Handler,
}

/// The present disposition of a signal, for the whole process.
pub(crate) fn disposition(signal: i32) -> io::Result<Disposition> {
    let mut found = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null new action asks only; the pointer to the old one is valid for the call.
    let answer = unsafe { libc::sigaction(signal, ptr::null(), found.as_mut_ptr()) };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded, so it has written the old action.
    let found = unsafe { found.assume_init() };
    Ok(match found.sa_sigaction {
        libc::SIG_DFL => Disposition::Default,
        libc::SIG_IGN => Disposition::Ignore,
        _ => Disposition::Handler,
    })
}

/// Sets both flags and wakes the loop whenever the signal is delivered, until unregistered.
pub(crate) fn watch(
    signal: i32,
    delivered: Arc<AtomicBool>,
    any: Arc<AtomicBool>,
    wake: Arc<WakeFd>,
) -> io::Result<SigId> {
    let action = move || {
        delivered.store(true, SeqCst);
        any.store(true, SeqCst);
        wake.wake();
    };
    // SAFETY: the action stores to atomics and calls write(2): async-signal-safe, no panic.
    unsafe { low_level::register(signal, action) }
}

/// Does what the default action of the signal is, whenever it is delivered while `unwatched`.
pub(crate) fn emulate(signal: i32, unwatched: Arc<AtomicBool>) -> io::Result<SigId> {
    if low_level::signal_name(signal).is_some() {
        return signal_hook::flag::register_conditional_default(signal, unwatched);
    }
    // signal-hook's table has no realtime signals; the default action of these is to terminate.
    let action = move || {
        if unwatched.load(SeqCst) {
            terminate_by(signal);
        }
    };
    // SAFETY: the action reads an atomic and calls signal(2) and raise(3): async-signal-safe.
    unsafe { low_level::register(signal, action) }
}

/// Puts the default disposition back and raises: delivered when the handler returns.
fn terminate_by(signal: i32) {
    // SAFETY: SIG_DFL is a valid disposition of any signal that has a handler.
    unsafe { libc::signal(signal, libc::SIG_DFL) };
    // Fails for a signal that does not exist only, and this one was delivered.
    low_level::raise(signal).ok();
}
