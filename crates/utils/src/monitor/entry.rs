//! What the supervision keeps of a program beside the state: its command, its current run, and what the
//! table shows.

use std::sync::Arc;
use std::time::Duration;

use procession_process_transport::Command;
use procession_protocol::{ExitReason, Process};
use procession_reactor::JoinHandle;

use super::policy::Policy;
use super::state::{Phase, Report};
use super::table::ProgramRow;
use crate::ready::WatchGuard;
use crate::tail::Tail;

/// How much output is kept of each program, in bytes.
const KEPT_BYTES: usize = 4096;

/// A program of a monitor that runs.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) command: Command,
    pub(super) policy: Policy,
    /// A reload has removed it, and it has not ended yet.
    pub(super) is_removed: bool,
    /// The latest run.
    pub(super) run: CurrentRun,
    pub(super) tail: Tail,
    pub(super) shown: Shown,
}

/// The latest run of a program.
#[derive(Default)]
pub(super) struct CurrentRun {
    pub(super) number: u32,
    pub(super) since: Duration,
    pub(super) process: Option<Process>,
    pub(super) guard: Option<WatchGuard>,
    /// The look whether somebody else is ready there, before the start.
    pub(super) look: Option<JoinHandle<()>>,
    /// How and after what time it exited.
    pub(super) exit: Option<(ExitReason, Duration)>,
    /// It was not ready in time, so its end follows from that.
    pub(super) is_late: bool,
}

/// What the table shows of a program beside its state.
#[derive(Default)]
pub(super) struct Shown {
    /// When its state changed last.
    since: Duration,
    restarts: u32,
    /// How it last ended, or why it did not start.
    pub(super) reason: String,
    /// What it says about itself.
    pub(super) status: Option<String>,
}

impl Entry {
    pub(super) fn new(name: &str, command: Command, policy: Policy, now: Duration) -> Self {
        Self {
            name: name.into(),
            command,
            policy,
            is_removed: false,
            run: CurrentRun::default(),
            tail: Tail::new(KEPT_BYTES),
            shown: Shown { since: now, ..Shown::default() },
        }
    }

    /// Begins a run. Returns what is left of the one before, to be dropped while nothing is borrowed.
    #[must_use = "drop it while nothing is borrowed"]
    pub(super) fn begin_run(&mut self, number: u32, now: Duration) -> CurrentRun {
        self.shown.status = None;
        let run = CurrentRun { number, since: now, ..CurrentRun::default() };
        std::mem::replace(&mut self.run, run)
    }

    /// Notes what an event reports, for the table.
    pub(super) fn on_report(&mut self, report: Report, now: Duration) {
        self.shown.since = now;
        if report == Report::Started {
            self.shown.restarts = self.run.number.saturating_sub(1);
        }
    }

    pub(super) fn row(&self, phase: Phase, now: Duration) -> ProgramRow {
        let pid = self.run.process.as_ref().and_then(Process::pid);
        let lives = matches!(phase, Phase::Starting { .. } | Phase::Running { .. });
        let status = self.shown.status.as_ref().filter(|_| lives);
        ProgramRow {
            program: Arc::clone(&self.name),
            state: phase.into(),
            pid: pid.filter(|_| self.run.exit.is_none()),
            since: now.saturating_sub(self.shown.since),
            restarts: self.shown.restarts,
            note: status.unwrap_or(&self.shown.reason).clone(),
        }
    }
}
