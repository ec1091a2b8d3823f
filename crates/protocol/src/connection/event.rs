//! What comes out of a connection's lifecycle: the callbacks that are due.

use bytes::Bytes;
use procession_core::Mark;
use std::io;

/// Says which callback of a [`Protocol`](crate::Protocol) is due.
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

/// What [`on_data_now`](crate::ConnectionLifecycle::on_data_now) made of data.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "data that are due are delivered by nobody else"]
pub enum ConnectionDataNow {
    /// `data_received` is due, before anything else.
    Due(Bytes),
    /// It is due after what was due before.
    Queued,
    /// Nobody is to hear of them; to be dropped where nothing is borrowed.
    Refused(Bytes),
}
