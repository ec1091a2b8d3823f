//! What ends a child: the end of what owns it.

use std::time::Duration;

/// The longest time for which the end of the program is held up.
const MOST_KILL_GRACE: Duration = Duration::from_secs(2);

/// What becomes of the child when its owner ends.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// `None` is not said.
    pub(super) kill_on_drop: Option<bool>,
    pub(super) kill_grace: Duration,
}

impl Default for Ending {
    fn default() -> Self {
        Self { kill_on_drop: None, kill_grace: MOST_KILL_GRACE }
    }
}

impl Ending {
    /// What was said, or else whether it is owned.
    pub(crate) fn is_killed_on_drop(&self, is_owned: bool) -> bool {
        self.kill_on_drop.unwrap_or(is_owned)
    }

    /// What was said.
    pub(crate) fn kill_grace(&self) -> Duration {
        self.kill_grace
    }

    /// Milliseconds between TERM and KILL at the end of the program.
    pub(crate) fn grace_ms(&self) -> u16 {
        let grace = self.kill_grace.min(MOST_KILL_GRACE);
        u16::try_from(grace.as_millis()).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Ending;
    use std::time::Duration;

    #[test]
    fn the_program_is_held_up_for_two_seconds_at_most() {
        for (grace, expected) in [(0, 0), (300, 300), (2000, 2000), (u64::MAX, 2000)] {
            let ending = Ending { kill_grace: Duration::from_millis(grace), ..Ending::default() };
            assert_eq!(ending.grace_ms(), expected);
        }
        assert_eq!(Ending::default().grace_ms(), 2000);
    }
}
