//! The stream transport: a connection, or the program's own stdin and stdout.
//!
//! # Model
//!
//! `ConnectionLifecycle`, a pure core of the protocol crate, makes the decisions. The driver of the
//! reactor crate, which children use as well, delivers the callbacks. The modules here have what
//! only a connection has:
//!
//! - `pipes` has its one or two descriptors.
//! - `state` reports what the descriptors say to the lifecycle, and carries out its demands.
//! - `transport` is what the driver drives.
//! - `control` is what a program can do.
//! - `routes` has the forwardings that the connection takes part in, `ports` is the connection as a
//!   forwarding sees it, and `sides` is what a forwarding does to its state.

mod control;
mod leftovers;
mod pipes;
mod ports;
mod routes;
mod sides;
mod state;
mod transport;

pub(crate) use self::pipes::StreamFds;
pub(crate) use self::transport::Stream;
