//! The stream transport: a connection, or the program's own stdin and stdout, driven by its
//! descriptors.
//!
//! # Model
//!
//! What becomes of a connection is decided by `ConnectionLifecycle`, a pure core of the protocol
//! crate, and delivered by the driver of the reactor crate, which children have too. Between them
//! stands what only a connection has: `pipes` are its one or two descriptors, `state` tells the
//! lifecycle what they say and does to them what it demands, `transport` is what the driver drives,
//! and `control` what a program can do. Of the forwardings that the reactor crate moves bytes with,
//! `routes` are those that a connection takes part in, `ports` what they know of it, and `sides` what
//! they do to its state.

mod control;
mod leftovers;
mod pipes;
mod ports;
mod routes;
mod sides;
mod state;
mod transport;

pub(crate) use self::pipes::Ends;
pub(crate) use self::transport::Stream;
