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
