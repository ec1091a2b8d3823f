//! When a child ends with its owner: a reactor, a handle or the program.

use std::time::Duration;

/// The longest time for which the grace of children delays the end of the program.
const MOST_KILL_GRACE: Duration = Duration::from_secs(2);

/// Options for the end of a child when its owner ends.
#[derive(Debug, Clone)]
pub(crate) struct EndOptions {
    /// `None` if the command did not say.
    pub(super) kill_on_drop: Option<bool>,
    pub(crate) kill_grace: Duration,
    /// Whoever started the child ends it when its loop stops, in an order of its own.
    pub(super) by_owner: bool,
}

/// What is done with a child when its owner or its loop ends.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(feature = "reactor"), expect(dead_code, reason = "reactors end children"))]
pub(crate) struct OwnerEnd {
    /// The time between TERM and KILL. In parts, so that the flag takes no room of its own: every
    /// child has this value.
    grace_secs: u64,
    grace_nanos: u32,
    /// Whoever started the child ends it when its loop stops.
    pub(crate) is_by_owner: bool,
}

#[cfg(feature = "reactor")]
impl OwnerEnd {
    /// Returns the time between TERM and KILL.
    pub(crate) fn kill_grace(self) -> Duration {
        Duration::new(self.grace_secs, self.grace_nanos)
    }
}

impl Default for EndOptions {
    fn default() -> Self {
        Self { kill_on_drop: None, kill_grace: MOST_KILL_GRACE, by_owner: false }
    }
}

impl EndOptions {
    /// Returns whether a drop ends the child: what the command said, else `is_owned`.
    pub(crate) fn is_killed_on_drop(&self, is_owned: bool) -> bool {
        self.kill_on_drop.unwrap_or(is_owned)
    }

    /// Returns what is done with the child when its owner ends. The grace is as the command said, also
    /// above 2 s.
    pub(crate) fn owner_end(&self) -> OwnerEnd {
        let (grace_secs, grace_nanos) = (self.kill_grace.as_secs(), self.kill_grace.subsec_nanos());
        OwnerEnd { grace_secs, grace_nanos, is_by_owner: self.by_owner }
    }

    /// Returns the time between TERM and KILL at the end of the program, in milliseconds.
    pub(crate) fn grace_ms(&self) -> u16 {
        let grace = self.kill_grace.min(MOST_KILL_GRACE);
        u16::try_from(grace.as_millis()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::EndOptions;

    #[test]
    fn the_end_of_the_program_is_delayed_for_at_most_two_seconds() {
        for (grace, expected) in [(0, 0), (300, 300), (2000, 2000), (u64::MAX, 2000)] {
            let ending =
                EndOptions { kill_grace: Duration::from_millis(grace), ..EndOptions::default() };
            assert_eq!(ending.grace_ms(), expected);
        }
        assert_eq!(EndOptions::default().grace_ms(), 2000);
    }
}
