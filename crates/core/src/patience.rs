//! Decides how long a late loop puts off the judgement of a time limit. Makes no system calls.

use std::time::Duration;

/// A turn that takes this long counts as two.
const LONG_TURN_MS: u128 = 4;

/// The mark of a patience that has let a turn pass.
const WAS_PUT_OFF: u8 = 0x80;

/// How many busy turns a decision lets pass: that something did not arrive in time.
///
/// A program may be late because a callback took long or the program was stopped. Then it finds data
/// together with the time that has passed. So it first handles what is ready. A turn that takes long
/// counts as several, so the decision is late by at most an eighth of a second, and by one turn.
///
/// Inputs are the turns that were busy; a turn that finds nothing to do needs no patience.
///
/// # Examples
///
/// ```
/// use procession::driver::core::Patience;
/// use std::time::Duration;
///
/// let mut patience = Patience::OF_A_LIMIT;
/// patience.on_busy_turn(Duration::ZERO);
/// assert!(!patience.is_over());
/// patience.on_busy_turn(Duration::from_secs(1));
/// assert!(patience.is_over());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience(u8);

impl Patience {
    /// Lets no turn pass.
    pub const NONE: Self = Self(0);

    /// The patience of every time limit: 32 turns. A program's last output, its end of file and its
    /// exit take three turns, and a full pipe of the largest size takes eight more.
    pub const OF_A_LIMIT: Self = Self(32);

    /// Returns whether no further turn passes.
    #[inline]
    pub fn is_over(self) -> bool {
        self.0 & !WAS_PUT_OFF == 0
    }

    /// Returns whether a turn has passed: the next turn looks after the time of the decision.
    #[inline]
    pub fn has_begun(self) -> bool {
        self.0 & WAS_PUT_OFF != 0
    }

    /// Lets a busy turn pass. `took` is the time since the last one that it let pass. For the first
    /// turn it does not count: that is the time by which the program is late.
    pub fn on_busy_turn(&mut self, took: Duration) {
        let is_first = self.0 & WAS_PUT_OFF == 0;
        let took = if is_first { 0 } else { took.as_millis() / LONG_TURN_MS };
        let turns = u8::try_from(1 + took).unwrap_or(u8::MAX);
        self.0 = (self.0 & !WAS_PUT_OFF).saturating_sub(turns) | WAS_PUT_OFF;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Patience;

    #[test]
    fn it_is_short_where_turns_are_long() {
        let millis = Duration::from_millis;
        for (turn, turns) in [(millis(1), 32), (millis(5), 17), (millis(200), 2)] {
            let mut patience = Patience::OF_A_LIMIT;
            // However late the first turn is, it is one turn.
            let mut took = Duration::from_secs(9);
            let mut passed = 0;
            assert!(!patience.has_begun());
            while !patience.is_over() {
                patience.on_busy_turn(took);
                assert!(patience.has_begun());
                passed += 1;
                took = turn;
            }
            assert_eq!(passed, turns, "turns of {turn:?}");
        }
    }

    #[test]
    fn it_stays_over_and_none_is_over_from_the_start() {
        let mut patience = Patience::NONE;
        assert!(patience.is_over());
        for took in [Duration::ZERO, Duration::MAX] {
            patience.on_busy_turn(took);
            assert!(patience.is_over());
        }
    }
}
