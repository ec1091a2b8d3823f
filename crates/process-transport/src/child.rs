//! The transport of a child: the lifecycle and the write queues, driven by descriptors.
//!
//! # Model
//!
//! Four floors, each of which knows only those below it:
//!
//! - `parts/`: what a child is made of: its ends, its exit watch, its termination. Each is a type with
//!   an invariant of its own.
//! - `state`: holds the parts, tells the lifecycle what they have seen, and decides nothing.
//! - `driver`: a [`Transport`] is the handler of every source of one child: of its parent's ends, told
//!   apart by their child fd as token, and of its exit. An event changes the state under a short
//!   borrow; then, with nothing borrowed, the reactor's driver delivers what is due.
//! - `ending`, `ports`, `verbs`: how a child comes to its end, what a forwarding moves, and what a
//!   program can do. Verbs change the state and ask for a flush: no method calls a protocol.

mod driver;
mod ending;
mod parts;
mod ports;
mod state;
mod verbs;

pub(crate) use driver::Transport;
pub(crate) use parts::reactor_gone;
