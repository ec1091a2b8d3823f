//! The output of the lifecycle: the callbacks that are due.

use bytes::Bytes;
use procession_core::Mark;

use crate::{ChildFd, ExitReason};

/// A callback that is due.
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
    /// `child_write_buffer_full` or `child_write_buffer_drained`. `Mark::Emptied` has no callback; only
    /// the producers get it.
    Mark(ChildFd, Mark),
    /// `process_exited`.
    Exited(ExitReason),
    /// `process_ended`.
    Ended(ExitReason),
}

/// The result of giving data to a lifecycle, of a child or of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "the lifecycle does not return data that are due again"]
pub enum DataNow {
    /// `child_data_received` or `data_received` is due now, before anything else.
    Due(Bytes),
    /// The data are queued behind events that were due before.
    Queued,
    /// The data are not delivered. Drop them while nothing is borrowed.
    Refused(Bytes),
}
