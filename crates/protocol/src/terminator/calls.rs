//! The calls of `terminate`, and the termination that they have begun: what a child that nobody
//! terminates has no room for.

use crate::{TerminationOutcome, TerminationStep};
use std::collections::VecDeque;
use std::time::Duration;

/// The times between looks at a group, in milliseconds; the last one is that of all that follow.
const INTERVALS_MS: [u64; 6] = [1, 2, 5, 10, 20, 50];
/// For how long a group that was killed is looked at.
pub(super) const END_AFTER_KILL: Duration = Duration::from_secs(1);

/// What the calls have come to.
#[derive(Debug, Default)]
pub(super) struct Calls {
    pub(super) under_way: Option<UnderWay>,
    /// What the driver has not taken yet.
    pub(super) due: VecDeque<TerminationStep>,
    /// As above.
    pub(super) outcome: Option<TerminationOutcome>,
}

/// A termination that has begun and not ended: calls wait for it.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// The time of the first call.
    pub(super) since: Duration,
    /// When KILL is due.
    pub(super) deadline: Duration,
    /// When KILL was asked for.
    pub(super) killed: Option<Duration>,
    /// The driver is sending the first signal: it may be refused.
    pub(super) trying: bool,
    /// `Some` once the leader has ended.
    pub(super) look: Option<Look>,
    /// The leader is to be reaped.
    pub(super) reap: Option<Reap>,
}

/// The next look at the group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// `None` from the time that it is asked for until it is answered.
    pub(super) at: Option<Duration>,
    /// How many looks found the group alive in a row, since it was killed if it was.
    pub(super) in_vain: usize,
}

/// Why the leader is to be reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reap {
    /// The group is gone, or will not be: the termination ends.
    AndEnd { is_gone: bool },
    /// So that more is seen of the group.
    AndLook,
}

impl Calls {
    /// Asks for KILL, once a termination.
    pub(super) fn kill(&mut self, now: Duration) {
        if let Some(under_way) = &mut self.under_way
            && under_way.killed.is_none()
        {
            under_way.killed = Some(now);
            self.due.push_back(TerminationStep::Kill);
            if let Some(look) = &mut under_way.look {
                *look = Look::begin(now);
            }
        }
    }
}

impl UnderWay {
    /// Returns when a group that was killed is given up.
    pub(super) fn limit(&self) -> Option<Duration> {
        Some(self.killed?.saturating_add(END_AFTER_KILL))
    }

    pub(super) fn look_again(&mut self, now: Duration) {
        if let Some(look) = self.look.as_mut().filter(|look| look.at.is_none()) {
            look.at = Some(now.saturating_add(look.interval()));
            look.in_vain += 1;
        }
    }
}

impl Look {
    /// The first one comes soon.
    pub(super) fn begin(now: Duration) -> Self {
        let mut look = Self { at: None, in_vain: 0 };
        look.at = Some(now.saturating_add(look.interval()));
        look.in_vain = 1;
        look
    }

    fn interval(self) -> Duration {
        let [.., last] = INTERVALS_MS;
        Duration::from_millis(INTERVALS_MS.get(self.in_vain).copied().unwrap_or(last))
    }
}
