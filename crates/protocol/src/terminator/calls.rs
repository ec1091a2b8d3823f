//! The calls of `terminate`, and the termination that they have begun. A separate box, so a child that
//! is not terminated does not pay for it.

use std::collections::VecDeque;
use std::time::Duration;

use crate::termination_step::{TerminationOutcome, TerminationStep};

/// The times between checks of a group, in milliseconds; the last one repeats.
const INTERVALS_MS: [u64; 6] = [1, 2, 5, 10, 20, 50];
/// How long after KILL a termination waits for what it has killed.
const END_AFTER_KILL: Duration = Duration::from_secs(1);

/// The state of all calls.
#[derive(Debug, Default)]
pub(super) struct TerminateCalls {
    pub(super) under_way: Option<OngoingTermination>,
    /// The steps that the driver has not taken yet.
    pub(super) due: VecDeque<TerminationStep>,
    /// The outcome that the driver has not taken yet.
    pub(super) outcome: Option<TerminationOutcome>,
}

/// A termination that has begun and not ended: calls wait for it.
#[derive(Debug)]
pub(super) struct OngoingTermination {
    /// The time of the first call.
    pub(super) since: Duration,
    /// The time at which KILL is due.
    pub(super) deadline: Duration,
    /// The time at which KILL became due.
    pub(super) killed: Option<Duration>,
    /// The driver is sending the first signal, which may be refused.
    pub(super) trying: bool,
    /// `Some` once the leader has ended.
    pub(super) check: Option<GroupCheck>,
    /// `Some` while the leader is to be reaped.
    pub(super) reap: Option<ReapPurpose>,
}

/// The next check of the group.
#[derive(Debug, Clone, Copy)]
pub(super) struct GroupCheck {
    /// The time of the check; `None` while it is due and not answered.
    pub(super) at: Option<Duration>,
    /// The number of checks in a row that found the group alive, since KILL if it was sent.
    pub(super) found_alive: usize,
}

/// Why the leader is to be reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReapPurpose {
    /// The termination ends, because the group is gone or has outlived KILL.
    End { is_gone: bool },
    /// The next check shows more of the group once its leader is reaped.
    CheckAgain,
}

impl TerminateCalls {
    /// Makes KILL due, once for each termination.
    pub(super) fn kill(&mut self, now: Duration) {
        if let Some(under_way) = &mut self.under_way
            && under_way.killed.is_none()
        {
            under_way.killed = Some(now);
            self.due.push_back(TerminationStep::Kill);
            if let Some(check) = &mut under_way.check {
                *check = GroupCheck::begin(now);
            }
        }
    }
}

impl OngoingTermination {
    /// Returns the time at which the wait for what was killed ends.
    pub(super) fn limit(&self) -> Option<Duration> {
        Some(self.killed?.saturating_add(END_AFTER_KILL))
    }

    pub(super) fn check_again(&mut self, now: Duration) {
        if let Some(check) = self.check.as_mut().filter(|check| check.at.is_none()) {
            check.at = Some(now.saturating_add(check.interval()));
            check.found_alive += 1;
        }
    }
}

impl GroupCheck {
    /// Schedules the first check, after the shortest interval.
    pub(super) fn begin(now: Duration) -> Self {
        let mut check = Self { at: None, found_alive: 0 };
        check.at = Some(now.saturating_add(check.interval()));
        check.found_alive = 1;
        check
    }

    fn interval(self) -> Duration {
        let [.., last] = INTERVALS_MS;
        Duration::from_millis(INTERVALS_MS.get(self.found_alive).copied().unwrap_or(last))
    }
}
