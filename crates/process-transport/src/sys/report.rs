//! What a child reports before its exec, in memory that parent and child share on every path.
//!
//! A report belongs to one launch and has its number. A child that writes late, because its clone
//! did not wait, finds another number there and writes nothing.
#![expect(unsafe_code, reason = "says that a report is made of atomics")]

use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use super::mapping::AllAtomic;
use super::step::Step;

/// How far a child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// It has not run, as far as the parent can tell.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody looks there"))]
    Cloned,
    Running,
    /// It is in a call that is not essential.
    Closing,
    /// Its next action is the exec.
    Execs,
}

#[cfg(target_os = "linux")]
impl Stage {
    const ALL: [Self; 4] = [Self::Cloned, Self::Running, Self::Closing, Self::Execs];

    fn from_number(number: u32) -> Self {
        let named = |stage: &Self| *stage as u32 == number;
        Self::ALL.into_iter().find(named).unwrap_or(Self::Cloned)
    }
}

/// The page of reports; each spawning thread has one.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Report {
    number: AtomicU32,
    stage: AtomicU32,
    step: AtomicU32,
    errno: AtomicI32,
    /// 1 once the child has taken its mail.
    received: AtomicU32,
    /// 1 once the child has seen that the kernel leaves no stale bits in a copied table.
    is_sound: AtomicU32,
    /// 1 once the child has found its parent's number to be 0: it is in another PID namespace.
    is_elsewhere: AtomicU32,
}

// SAFETY: all fields are atomics, and zeros are their valid values.
unsafe impl AllAtomic for Report {}

/// Instead of a step: the child could not get a table of its own, and touched nothing.
const REFUSED: u32 = u32::MAX;

/// The failure that a child reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReportedFailure {
    /// The shared table could not be left, so another path is needed.
    Refused(i32),
    At(Step, i32),
}

impl Report {
    /// Begins the report of a new launch; returns its number.
    pub(super) fn begin(&self) -> u32 {
        let number = self.number.load(Ordering::Relaxed).wrapping_add(1);
        self.number.store(number, Ordering::Release);
        let cells = [&self.stage, &self.step, &self.received, &self.is_sound, &self.is_elsewhere];
        for cell in cells {
            cell.store(0, Ordering::Relaxed);
        }
        number
    }

    /// Returns whether the child has taken its mail. A child that was killed earlier has not.
    #[cfg(target_os = "linux")]
    pub(super) fn has_received(&self) -> bool {
        self.received.load(Ordering::Acquire) == 1
    }

    #[cfg(target_os = "linux")]
    pub(super) fn is_sound(&self) -> bool {
        self.is_sound.load(Ordering::Acquire) == 1
    }

    /// Returns whether the child is in another PID namespace, as far as it has checked.
    #[cfg(target_os = "linux")]
    pub(super) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere.load(Ordering::Acquire) == 1
    }

    #[cfg(target_os = "linux")]
    pub(super) fn stage(&self) -> Stage {
        Stage::from_number(self.stage.load(Ordering::Acquire))
    }

    pub(super) fn failure(&self) -> Option<ReportedFailure> {
        let step = self.step.load(Ordering::Acquire);
        let errno = self.errno.load(Ordering::Relaxed);
        match Step::from_number(step) {
            _ if step == REFUSED => Some(ReportedFailure::Refused(errno)),
            Some(step) => Some(ReportedFailure::At(step, errno)),
            None => None,
        }
    }
}

/// The writer of one launch's report, for the child.
#[derive(Debug)]
pub(super) struct Reporter<'a> {
    report: &'a Report,
    number: u32,
    /// Outside the page: the parent sees the child's write here only if they share memory.
    has_run: AtomicU32,
}

impl<'a> Reporter<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        Self { report, number: report.begin(), has_run: AtomicU32::new(0) }
    }

    pub(super) fn on_running(&self) {
        self.has_run.store(1, Ordering::Release);
        self.on_stage(Stage::Running);
    }

    pub(super) fn on_stage(&self, stage: Stage) {
        self.write(&self.report.stage, stage as u32);
    }

    pub(super) fn on_received(&self) {
        self.write(&self.report.received, 1);
    }

    #[cfg(target_os = "linux")]
    pub(super) fn on_sound(&self) {
        self.write(&self.report.is_sound, 1);
    }

    pub(super) fn on_elsewhere(&self) {
        self.write(&self.report.is_elsewhere, 1);
    }

    pub(super) fn on_refused(&self, errno: i32) {
        self.set(REFUSED, errno);
    }

    pub(super) fn on_failed(&self, step: Step, errno: i32) {
        self.set(step.number(), errno);
    }

    /// Returns, in the parent, whether the child has run in the parent's memory.
    #[cfg(target_os = "linux")]
    pub(super) fn has_run_here(&self) -> bool {
        self.has_run.load(Ordering::Acquire) == 1
    }

    fn set(&self, step: u32, errno: i32) {
        if self.is_current() {
            self.report.errno.store(errno, Ordering::Relaxed);
            self.report.step.store(step, Ordering::Release);
        }
    }

    fn write(&self, cell: &AtomicU32, value: u32) {
        if self.is_current() {
            cell.store(value, Ordering::Release);
        }
    }

    fn is_current(&self) -> bool {
        self.report.number.load(Ordering::Acquire) == self.number
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Report, ReportedFailure, Reporter, Stage, Step};
    use crate::sys::mapping::Mapping;

    #[test]
    fn a_late_child_leaves_other_reports_alone() {
        let page = Mapping::shared_page().unwrap();
        let report: &Report = page.as_ref();
        let late = Reporter::new(report);
        late.on_running();
        let next = Reporter::new(report);
        assert_eq!((report.stage(), report.failure()), (Stage::Cloned, None));
        late.on_failed(Step::Exec, 2);
        late.on_stage(Stage::Execs);
        late.on_received();
        assert_eq!((report.stage(), report.failure()), (Stage::Cloned, None));
        assert!(!report.has_received() && !next.has_run_here());
        next.on_running();
        next.on_stage(Stage::Closing);
        assert_eq!(report.stage(), Stage::Closing);
        next.on_failed(Step::Chdir, 13);
        assert_eq!(report.failure(), Some(ReportedFailure::At(Step::Chdir, 13)));
    }
}
