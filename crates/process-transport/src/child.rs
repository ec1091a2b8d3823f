//! The transport of a child: its descriptors drive the lifecycle and the write queues.
//!
//! # Model
//!
//! There are four layers; each knows only those below it:
//!
//! - `parts/`: the parts of a child: its ends, its exit watch, its termination. Each is a type with
//!   its own invariant.
//! - `state`: holds the parts, passes what they see to the lifecycle, and decides nothing.
//! - `driver`: a [`ChildTransport`] handles every source of one child: the parent's ends, with their
//!   child fds as tokens, and the exit. An event changes the state under a short borrow; then the
//!   reactor's driver delivers what is due, without any borrow.
//! - `ending`, `ports`, `verbs`: how a child ends, what a forwarding moves, and what a program can
//!   do. Verbs change the state and request a flush; no method calls a protocol.

mod driver;
mod ending;
mod parts;
mod ports;
mod state;
mod verbs;

pub(crate) use driver::ChildTransport;
pub(crate) use parts::reactor_gone;
