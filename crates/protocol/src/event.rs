//! What comes out of the lifecycle: the callbacks that are due.

use crate::{ChildFd, ExitReason};
use bytes::Bytes;
use procession_core::Mark;

/// Says which callback is due.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// `connection_made`.
    Made,
    /// `child_data_received`.
    Data(ChildFd, Bytes),
    /// `child_read_closed`.
    ReadClosed(ChildFd),
    /// `child_connection_lost`.
    Lost(ChildFd),
    /// `child_write_buffer_full` or `child_write_buffer_drained`; none for `Mark::Emptied`, of which
    /// the producers alone hear.
    Mark(ChildFd, Mark),
    /// `process_exited`.
    Exited(ExitReason),
    /// `process_ended`.
    Ended(ExitReason),
}

/// What became of data that a lifecycle took, of a child or of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "data that are due are delivered by nobody else"]
pub enum DataNow {
    /// `child_data_received` or `data_received` is due, before anything else.
    Due(Bytes),
    /// It is due after what was due before.
    Queued,
    /// Nobody is to hear of them; to be dropped where nothing is borrowed.
    Refused(Bytes),
}
