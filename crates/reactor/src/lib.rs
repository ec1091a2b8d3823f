//! An event loop on `polling`: descriptors, timers, signals, wake-ups from other threads, futures,
//! system events, and the [pipe core](driver::Pipe) that transports are built from.
//!
//! A thread has at most one [`Reactor`]. Only the reactor waits. Everything else goes through its
//! [`Handle`], which callbacks receive and [`Handle::current`] returns. Callbacks run in the
//! reactor's thread, one after the other, never while anything is borrowed. So each may call any
//! method. In steady state a turn is one system call, on Linux.
//!
//! Authors of transports find their part in [`driver`], which is unstable, and behind
//! [`Handle::io`].
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | run until a stop or a signal | [`Reactor::run`] |
//! | run a future as the whole program | [`run_main`], [`Reactor::run_until`] |
//! | wait for one result | [`Reactor::block_on`] |
//! | run inside another loop | [`Reactor::turn`], [`Reactor::next_deadline`], [`Reactor::shut_down`] |
//! | watch a descriptor | [`Handle::register`] |
//! | call later, or again and again | [`Handle::call_later`], [`Handle::call_every`] |
//! | start a task | [`Handle::spawn_local`], [`Handle::defer`] |
//! | limit a future, or sleep | [`Handle::timeout`], [`Handle::sleep`] |
//! | block elsewhere | [`Handle::defer_to_thread`] |
//! | be called from another thread | [`Handle::remote`] |
//! | watch a signal | [`Handle::on_signal`] |
//! | stop | [`Handle::stop`] |
//!
//! # What this crate does not do
//!
//! * It does not know processes, protocols or sockets. `procession-process-transport` and
//!   `procession-net-transport` do.
//! * It starts no threads, except one for each call of `defer_to_thread`. It does not move
//!   callbacks between threads.
//! * It does not make registered descriptors nonblocking. It reads and writes only the descriptors
//!   of a [`Pipe`](driver::Pipe).
//!
//! # Example
//!
//! ```
//! use procession::{Interest, Reactor, Stopped};
//! use std::io::{Read, Write};
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//!
//! fn main() -> std::io::Result<Stopped> {
//!     let mut reactor = Reactor::new()?;
//!     let (socket, mut peer) = UnixStream::pair()?;
//!     socket.set_nonblocking(true)?;
//!     reactor.register(socket, Interest::READABLE, |socket, _readiness| {
//!         let mut buffer = [0; 64];
//!         match socket.read(&mut buffer) {
//!             Ok(0) | Err(_) => socket.close(),
//!             Ok(n) => {
//!                 println!("{}", buffer[..n].escape_ascii());
//!                 socket.reactor().stop();
//!             }
//!         }
//!     })?;
//!     reactor.call_later(Duration::from_millis(10), move |_| peer.write_all(b"hello"));
//!     reactor.run() // until `stop` or a signal; the program then dies by that signal
//! }
//! ```
//!
//! # Errors
//!
//! * [`Reactor::new`] fails if the thread has a reactor, and if no descriptors are left.
//! * [`Reactor::run`] and [`Reactor::turn`] fail if the system's wait fails, which is not expected.
//! * [`Handle::register`] fails if the poller refuses the descriptor: epoll refuses files.
//! * [`Handle::on_signal`] fails for a signal that cannot be watched, such as KILL.
//! * [`Handle::timeout`] fails if the time passes before the future is ready.
//! * [`DelayedCall::try_cancel`] and its neighbours fail with a [`TimerError`] if the call was made or cancelled,
//!   [`Handle::try_stop`] with [`NotRunning`] outside of `run`.
//!
//! # Panics
//!
//! [`Handle::current`] panics in a thread without a reactor. [`Reactor::block_on`] and
//! [`Reactor::run_until`] panic if the system's wait fails, and awaiting a [`JoinHandle`] if its task
//! panicked. A panic of a callback unwinds out of `run` when the loop is consistent again; call `run`
//! again to go on.
//!
//! # Platform
//!
//! | On | The loop |
//! |---|---|
//! | Linux | waits by `epoll_pwait(2)` and is woken by an `eventfd(2)`; the tests pass on 5.10, 6.1, 6.12 and 7.2, with musl, and as a 32-bit program |
//! | macOS, FreeBSD, NetBSD | waits by the crate `polling` (`kqueue(2)`) and is woken by a pipe; it compiles, and nobody has run it there. A peer's hang-up may go unseen until the next read or write |
//!
//! # Costs
//!
//! Counts do not depend on the machine, and tests hold their limits:
//!
//! * A turn takes one system call, besides those of its callbacks, and 324 instructions: a fifth of
//!   tokio's. [`Reactor::turn`], called by hand, takes one call more. A loop with nothing to do takes none.
//! * Many calls from other threads are one wake-up: one write.
//! * A timer is one entry of a slab; deadlines are exact, and the loop fires a million of them in 0.3 s,
//!   which takes tokio twice as long.
//! * [`Handle::defer_to_thread`] starts a thread for each call.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod claims;
mod clock;
pub mod driver;
mod dropping;
mod ending;
mod errors;
mod forward;
mod handle;
mod pipe;
mod reactor;
mod readiness;
mod run;
mod standard_fds;
mod stopped;
mod store;
mod sync;
mod sys;
mod turn;
mod wait;
mod wake;

pub use procession_core::{Clock, Deferred, Promise, Signal};

pub use crate::errors::NotRunning;
pub use crate::handle::Handle;
pub use crate::handle::register::{Registered, Registration};
pub use crate::handle::remote::Remote;
pub use crate::handle::signals::SignalWatch;
pub use crate::handle::timers::DelayedCall;
pub use crate::handle::triggers::{Trigger, TriggerResult};
pub use crate::reactor::Reactor;
pub use crate::readiness::{Interest, Readiness};
pub use crate::run::run_main;
pub use crate::stopped::Stopped;
pub use crate::store::tasks::JoinHandle;
pub use crate::store::timers::TimerError;
pub use crate::store::triggers::{Phase, SystemEvent};
