//! An event loop on `polling`: descriptors, timers, signals, wake-ups from other threads, futures,
//! system events, and the [pipe core](pipe) that transports are built of.
//!
//! A thread has at most one [`Reactor`]. Only the reactor waits; everything else is done through
//! its [`Handle`], which callbacks are given and [`Handle::current`] returns. Callbacks run in the
//! reactor's thread, one after the other, never while anything is borrowed: each may call
//! whatever it likes. In steady state a turn is one system call, on Linux.
//!
//! # What this crate does not do
//!
//! * It has never heard of processes, protocols or sockets: those are the business of
//!   `procession-process-transport` and `procession-net-transport`.
//! * It starts no thread but one for each call of `defer_to_thread`, and does not move callbacks between
//!   threads.
//! * It does not make descriptors nonblocking, and reads or writes none but those of a
//!   [`Pipe`](pipe::Pipe).
//!
//! # Example
//!
//! ```
//! use std::io::{Read, Write};
//! use std::os::unix::net::UnixStream;
//! use std::time::Duration;
//! use procession_reactor::{Interest, Reactor, Stopped};
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
//!     reactor.run() // until `stop`, or a signal: then the program dies by it
//! }
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod anticipation;
mod buffers;
mod claims;
mod clock;
mod core;
mod deferring;
pub mod driver;
mod dropping;
mod every;
pub mod forward;
mod handle;
mod handler;
pub mod hooks;
mod outlasting;
pub mod pipe;
mod reactor;
mod readiness;
mod register;
mod remote;
mod run;
mod signals;
mod sleep;
mod sources;
mod standard_fds;
mod stopped;
mod stopping;
mod sys;
mod tasks;
mod timers;
mod transport;
mod triggers;
mod turn;
mod wait;
mod wake;

pub use procession_core::{Clock, Deferred, Promise, Signal};

pub use crate::core::NotRunning;
pub use crate::handle::Handle;
pub use crate::handler::{EventHandler, Ready};
pub use crate::outlasting::Outlasting;
pub use crate::reactor::Reactor;
pub use crate::readiness::{Interest, Readiness};
pub use crate::register::{Registered, Registration};
pub use crate::remote::Remote;
pub use crate::run::run_main;
pub use crate::signals::SignalWatch;
pub use crate::sleep::Sleep;
pub use crate::sources::Key;
pub use crate::stopped::Stopped;
pub use crate::stopping::{Enrolled, OnStop, OwnedEnd};
pub use crate::tasks::JoinHandle;
pub use crate::timers::{DelayedCall, TimerError};
pub use crate::triggers::{Phase, SystemEvent, Trigger, TriggerResult};
