//! [`MonitorEvent`]: what happens to the programs of a monitor.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use procession_protocol::ExitReason;

use crate::OutputLine;

/// Something that has happened to a program of a [`Monitor`](crate::Monitor).
///
/// It prints as one line, such as `web: exited with status 1 after 3.2 s`.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct MonitorEvent {
    /// The name of the program.
    pub program: Arc<str>,
    /// What has happened.
    pub change: MonitorChange,
    /// The last 4 KiB of both outputs before that, as whole lines. Empty if the change is a line, which
    /// would be its own last line.
    pub tail: Bytes,
    /// How many events before this one were discarded, because the stream was full: see
    /// [`RunningMonitor::events`](crate::RunningMonitor::events).
    pub skipped: u64,
}

/// What has happened to a program.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum MonitorChange {
    /// It waits for programs that it comes after.
    Waiting,
    /// It has started.
    #[non_exhaustive]
    Started {
        /// Its process; `None` if that has ended already.
        pid: Option<u32>,
    },
    /// It could not be started, or its readiness could not be watched.
    #[non_exhaustive]
    NotStarted {
        /// Why.
        reason: String,
    },
    /// It has shown that it is ready.
    #[non_exhaustive]
    Ready {
        /// The time since its start.
        after: Duration,
    },
    /// It says something about its state (`STATUS=` of `sd_notify(3)`).
    #[non_exhaustive]
    Status {
        /// Its words, as one line.
        text: String,
    },
    /// It has written a line. A line that is longer than 16 KiB is cut, and says so.
    Line(OutputLine),
    /// It was not ready within its start timeout, and is terminated.
    StartTimedOut,
    /// It has exited. Descendants may hold its outputs open, so that more lines may come.
    #[non_exhaustive]
    Exited {
        /// How.
        reason: ExitReason,
        /// The time since its start.
        after: Duration,
    },
    /// It will be started again.
    #[non_exhaustive]
    Pausing {
        /// After this time.
        pause: Duration,
    },
    /// It has ended for good, with success.
    Done,
    /// It has failed for good.
    #[non_exhaustive]
    Failed {
        /// It ended too often: [`Policy::give_up_after`](crate::Policy::give_up_after).
        is_storm: bool,
    },
    /// It is asked to stop.
    Stopping,
    /// It has stopped, as it was asked to.
    Stopped,
    /// A process of it has outlived the KILL by a second, or cannot be seen.
    Survived,
    /// A reload has removed it.
    Removed,
}

impl fmt::Display for MonitorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.program, self.change)
    }
}

impl fmt::Display for MonitorChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("waits for programs that it comes after"),
            Self::Started { pid: Some(pid) } => write!(f, "started as {pid}"),
            Self::Started { pid: None } => f.write_str("started"),
            Self::NotStarted { reason } => write!(f, "not started: {reason}"),
            Self::Ready { after } => write!(f, "ready after {:.2} s", after.as_secs_f64()),
            Self::Status { text } => write!(f, "says: {text}"),
            Self::Line(line) => write!(f, "{}", String::from_utf8_lossy(line)),
            Self::StartTimedOut => f.write_str("not ready in time"),
            Self::Exited { reason, after } => {
                write!(f, "{} after {:.1} s", Ended(reason), after.as_secs_f64())
            }
            Self::Pausing { pause } => write!(f, "starts again in {:.1} s", pause.as_secs_f64()),
            Self::Done => f.write_str("done"),
            Self::Failed { is_storm: false } => f.write_str("failed for good"),
            Self::Failed { is_storm: true } => f.write_str("failed too often"),
            Self::Stopping => f.write_str("is asked to stop"),
            Self::Stopped => f.write_str("stopped"),
            Self::Survived => f.write_str("a process of it is still alive"),
            Self::Removed => f.write_str("removed"),
        }
    }
}

/// Displays how a program ended.
pub(super) struct Ended<'a>(pub(super) &'a ExitReason);

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(done) => done.fmt(f),
            Err(terminated) => terminated.fmt(f),
        }
    }
}
