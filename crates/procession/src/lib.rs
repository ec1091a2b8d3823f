//! Child processes on an event loop: spawner, event model, PTY and capture in one place.
//!
//! Start with the [`guide`]: it has the programs of the first hour, and pages on [what
//! fails](guide::failures), [who lives how long](guide::lifetimes), [terminals](guide::terminals), [PID
//! 1](guide::pid_1), and [Twisted's names](guide::porting).
//!
//! This crate is the facade of a stack of layers. A program takes what it needs from the [`prelude`], and
//! the rest from the layer's module ([`protocol`], [`process_transport`], [`utils`], [`net_transport`],
//! [`reactor`], [`core`](mod@core)). A program that needs less depends on a layer: `procession-reactor`
//! alone is an event loop that has never heard of processes.
//!
//! ```
//! use procession::prelude::*;
//!
//! struct Echo;
//!
//! impl ProcessProtocol for Echo {
//!     fn connection_made(&mut self, process: &Process) {
//!         process.write("hello\n");
//!         process.close_stdin();
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: Bytes) {
//!         assert_eq!(data, "hello\n");
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         assert!(reason.is_ok());
//!         Handle::current().stop();
//!     }
//! }
//!
//! fn main() -> Result<Stopped, Box<dyn Error>> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.spawn_process(Echo, Command::new("cat"))?;
//!     Ok(reactor.run()?) // on Ctrl-C the program dies by SIGINT
//! }
//! ```
//!
//! # What this crate does not do
//!
//! It is no shell: it splits no command lines and expands no globs. It supervises nothing by itself, and
//! sandboxes nothing. It is developed and tested on Linux; for macOS, FreeBSD and NetBSD it compiles,
//! and nobody has run it there yet.

#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

pub mod guide;
pub mod prelude;

pub use procession_core as core;
pub use procession_net_transport as net_transport;
pub use procession_process_transport as process_transport;
pub use procession_process_transport::{
    end_children_with_program, end_owned_groups, reserve_spawn_fds,
};
pub use procession_protocol as protocol;
pub use procession_reactor as reactor;
pub use procession_reactor::{Handle, Reactor, Stopped, run_main};
pub use procession_utils as utils;
pub use procession_utils::Run;

/// The README's example, as a doctest.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
