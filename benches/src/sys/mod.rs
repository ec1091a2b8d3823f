//! What the peers need and can do only by unsafe code: a closure between fork and exec, and a
//! descriptor in tokio's poller.
//!
//! # Audit
//!
//! | block | obligation | who meets it |
//! |---|---|---|
//! | `std`, `tokio` | the closure is async-signal-safe | [`session`]: it makes one system call by rustix, which allocates nothing and takes no lock |
//! | `readable` | the descriptor stays open and the same while it is registered | the returned value owns it |
#![expect(unsafe_code, reason = "the unsafe functions of the peers")]

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Makes the child of a `std` command start a session, which takes a `pre_exec` closure.
pub(crate) fn new_session(command: &mut std::process::Command) {
    // SAFETY: `session` makes one system call and nothing else.
    unsafe { command.pre_exec(session) };
}

/// Does the same for a command of tokio.
pub(crate) fn new_session_tokio(command: &mut tokio::process::Command) {
    // SAFETY: `session` makes one system call and nothing else.
    unsafe { command.pre_exec(session) };
}

/// Watches a descriptor, within a runtime of tokio.
pub(crate) fn readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned: it stays open and the same until the `AsyncFd` is dropped.
    let registered = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) };
    Ok(registered?)
}

fn session() -> io::Result<()> {
    Ok(rustix::process::setsid().map(drop)?)
}
