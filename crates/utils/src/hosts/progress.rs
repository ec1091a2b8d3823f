//! What [`RunAll::on_hosts`](crate::RunAll::on_hosts) reports.

/// One host of a [`run_all`](crate::run_all()): its runs, and whether it can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostProgress {
    /// The name of the host.
    pub name: String,
    /// How many runs go there at a time.
    pub slots: usize,
    /// Runs that are there now.
    pub running: usize,
    /// Runs that gave an outcome.
    pub done: usize,
    /// Runs that gave an error there, each attempt counted.
    pub failed: usize,
    /// Whether it can be reached.
    pub state: HostState,
}

/// Whether a host can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostState {
    /// It has not been needed yet, or its time aside is over.
    Idle,
    /// It is being reached.
    Connecting,
    /// It takes runs.
    Up,
    /// It could not be reached, or its connection was lost.
    SetAside {
        /// Why.
        reason: String,
    },
}
