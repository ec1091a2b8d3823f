//! The life of a launch thread: it gets a descriptor table of its own, then does what it is asked.
#![expect(unsafe_code, reason = "a number becomes a descriptor of another table")]

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::mpsc;
use std::thread::{self, Thread};

use super::mail::{MailReceiver, MailSender, receive};
use super::orders::{Idle, Order};
use super::waiting::Waiting;
use super::work::work;
#[cfg(target_env = "gnu")]
use crate::sys::kept_environment;
use crate::sys::raw;

/// Enough for one launch; the child has a stack of its own.
const STACK_BYTES: usize = 256 << 10;

/// The signals that the C library uses itself: it reaches every thread by them, for `setuid(2)` and
/// the like (glibc: 32 and 33, musl: 32 to 34).
const LIBRARY_SIGNALS: u64 = 0b111 << 31;

/// Starts a thread that does what `next` returns, and sleeps while there is nothing, or polls whether it
/// was called. Returns when it has a table of its own, or must do without.
pub(super) fn start(
    next: impl Fn(Idle) -> Option<Order> + Send + 'static,
    is_called: impl Fn() -> bool + Send + 'static,
    inbox: MailReceiver,
    sender: &MailSender,
) -> io::Result<Thread> {
    let (number, above) = (inbox.0.as_raw_fd(), sender.as_fd().as_raw_fd());
    let (tell, told) = mpsc::sync_channel(1);
    let run = move || {
        let has_own_table = leave_table(number, above).is_ok();
        #[cfg(target_env = "gnu")]
        if has_own_table {
            // Without it, the environment is copied for each launch.
            kept_environment::keep().ok();
        }
        tell.send(has_own_table).ok(); // it waits
        drop(tell);
        // SAFETY: the number of the inbox, in this thread's table. It has no other owner there: in a
        // table of its own this is the copy; in a shared one, `start` gives it away.
        let inbox = unsafe { OwnedFd::from_raw_fd(number) };
        serve(next, is_called, has_own_table, &inbox)
    };
    // The thread begins with this mask, so no handler ever runs there.
    let old_mask = raw::set_mask(!LIBRARY_SIGNALS);
    let builder = thread::Builder::new().name("procession-launch".to_owned());
    let started = builder.stack_size(STACK_BYTES).spawn(run);
    if let Ok(old_mask) = old_mask {
        raw::set_mask(old_mask).map_err(io::Error::from_raw_os_error)?;
    }
    let started = started?;
    if told.recv().is_ok_and(|has_own_table| !has_own_table) {
        let _given_to_the_thread: RawFd = inbox.0.into_raw_fd();
    }
    Ok(started.thread().clone())
}

/// Gives this thread a table of its own, in which only `kept` is open, also on 0 to 2: nothing that
/// is made later lands there. `above` is a number of the shared table that is open and lies above.
fn leave_table(kept: RawFd, above: RawFd) -> raw::Call {
    let next = kept.cast_unsigned() + 1;
    raw::unshare_from(next)?;
    // The proof, because a filter may have faked the success. The process never closes it.
    if raw::is_open(above) {
        return Err(libc::EPERM);
    }
    for standard in 0..=2 {
        raw::dup(kept, standard, true)?;
    }
    if kept > 3 {
        raw::close_range(3, next - 2, 0)?;
    }
    Ok(())
}

/// Does what comes, for ever.
fn serve(
    next: impl Fn(Idle) -> Option<Order>,
    is_called: impl Fn() -> bool,
    has_own_table: bool,
    inbox: &OwnedFd,
) {
    let waiting = Waiting::default();
    let mut askers: BTreeMap<u64, MailSender> = BTreeMap::new();
    let fds = || receive(inbox.as_fd()).map(|message| message.map_or_else(Vec::new, |one| one.fds));
    loop {
        match waiting.next(&next, &is_called) {
            Order::Register(asker) => {
                let socket = fds().ok().and_then(|mut fds| fds.pop());
                askers.extend(socket.map(|socket| (asker, MailSender::of(socket))));
            }
            Order::Forget(asker) => drop(askers.remove(&asker)),
            Order::Discard => drop(fds()),
            Order::Launch(job) => {
                let given = if job.given() == 0 { Ok(Vec::new()) } else { fds() };
                work(*job, given, has_own_table, &askers);
                waiting.on_launched();
            }
        }
    }
}
