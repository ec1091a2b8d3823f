//! The output of a connection's lifecycle: the callbacks that are due.

use bytes::Bytes;
use procession_core::Mark;
use std::io;

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
    /// `write_buffer_full` or `write_buffer_drained`; never `Mark::Emptied`, which has no callback.
    Mark(Mark),
    /// `connection_lost`.
    Lost(io::Result<()>),
}

/// The result of [`on_data_now`](crate::ConnectionLifecycle::on_data_now).
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the lifecycle does not return data that are due again"]
pub enum ConnectionDataNow {
    /// `data_received` is due now, before anything else.
    Due(Bytes),
    /// The data are queued behind events that were due before.
    Queued,
    /// The data are not delivered. Drop them while nothing is borrowed.
    Refused(Bytes),
}
