//! The two directions of a connection, and the end that the program requested.

/// The state of the input.
#[derive(Debug)]
pub(super) struct InputState {
    /// The input has not ended.
    pub(super) open: bool,
    pub(super) paused: bool,
    /// The input can be read at any time, without an event of the poller.
    pub(super) always_ready: bool,
}

/// The state of the output.
#[derive(Debug)]
pub(super) struct OutputState {
    /// The output has not ended.
    pub(super) open: bool,
    /// A producer writes to it: a requested end waits.
    pub(super) held: bool,
}

impl OutputState {
    /// Returns whether a requested end waits for a producer.
    pub(super) fn is_waiting(&self) -> bool {
        self.open && self.held
    }
}

/// The end that the program requested, after all writes. A later variant replaces an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RequestedEnd {
    Nothing,
    /// The end of the output.
    ShutDown,
    /// The end of the connection; nothing is read any more, unless it waits for a producer.
    Close,
}
