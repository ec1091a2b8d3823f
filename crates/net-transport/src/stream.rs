//! The stream transport: a connection, or the program's own stdin and stdout, driven by its
//! descriptors.
//!
//! # Model
//!
//! What becomes of a connection is decided by `ConnectionLifecycle`, a pure core of the protocol
//! crate, and delivered by the driver of the reactor crate, which children have too. Between them
//! stands what only a connection has: `pipes` are its one or two descriptors, `state` tells the
//! lifecycle what they say and does to them what it demands, `transport` is what the driver drives,
//! and `control` what a program can do.

mod control;
mod pipes;
mod state;
mod transport;

pub(crate) use self::pipes::Ends;
pub(crate) use self::transport::Stream;
