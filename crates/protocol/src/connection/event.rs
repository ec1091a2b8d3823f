//! The output of a connection's lifecycle: the callbacks that are due.

use std::io;

use bytes::Bytes;
use procession_core::Mark;

/// A callback of a [`Protocol`](crate::Protocol) that is due.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// `connection_made`.
    Made,
    /// `data_received`.
    Data(Bytes),
    /// `read_closed`.
    ReadClosed,
    /// `write_buffer_full` or `write_buffer_drained`. A protocol never gets `Mark::Emptied`, which is for
    /// the producer only.
    Mark(Mark),
    /// `connection_lost`.
    Lost(io::Result<()>),
}
