//! How long a program that has ended pauses before its next start, and when it has failed too often.

use std::collections::VecDeque;
use std::time::Duration;

use super::rules::{Moment, ProgramRules};

/// The ends of a program that its pauses depend on.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(super) struct Backoff {
    /// How many ends in a row came after short runs: the exponent of the next pause.
    short_runs: u32,
    /// The times of the ends that may still count for a storm. At most as many as the rules name.
    ends: VecDeque<Duration>,
}

impl Backoff {
    /// Forgets everything: a person has asked for a start.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Notes an end, and returns the pause before the next start; `None` if there were too many ends.
    ///
    /// `ran` is how long the program was ready.
    pub(super) fn on_end(
        &mut self,
        ran: Option<Duration>,
        moment: Moment,
        rules: &ProgramRules,
    ) -> Option<Duration> {
        if ran.is_some_and(|ran| ran >= rules.reset_after) {
            self.short_runs = 0;
        }
        if let Some((most, within)) = rules.give_up {
            self.ends.push_back(moment.now);
            while self.ends.front().is_some_and(|end| moment.now.saturating_sub(*end) > within) {
                self.ends.pop_front();
            }
            if self.ends.len() >= usize::try_from(most).unwrap_or(usize::MAX) {
                self.clear();
                return None;
            }
        }
        let (min, max) = rules.backoff;
        let factor = 1_u32.checked_shl(self.short_runs).unwrap_or(u32::MAX);
        self.short_runs = self.short_runs.saturating_add(1);
        Some(jitter(min.saturating_mul(factor).min(max), moment.random).min(max))
    }
}

/// Changes a time by up to a quarter in either direction: 0 takes a quarter away, and the largest number
/// adds one.
fn jitter(time: Duration, random: u32) -> Duration {
    let part = f64::from(random) / f64::from(u32::MAX);
    Duration::try_from_secs_f64(time.as_secs_f64() * (0.75 + part / 2.0)).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_is_too_long_for_the_jitter() {
        assert_eq!(jitter(Duration::MAX, u32::MAX), Duration::MAX);
        assert!(jitter(Duration::MAX, 0) < Duration::MAX);
    }

    const SECOND: Duration = Duration::from_secs(1);
    const MIDDLE: u32 = u32::MAX / 2;

    fn at(seconds: u64, random: u32) -> Moment {
        Moment { now: SECOND * u32::try_from(seconds).unwrap(), random }
    }

    fn rounded(pause: Option<Duration>) -> Option<u128> {
        pause.map(|pause| (pause + Duration::from_micros(500)).as_millis())
    }

    /// Case MO-05.
    #[test]
    fn pauses_double_up_to_the_most_and_a_long_run_resets_them() {
        let rules = ProgramRules::always();
        let mut backoff = Backoff::default();
        let mut pauses = |ran| rounded(backoff.on_end(Some(ran), at(1, MIDDLE), &rules)).unwrap();
        let short = SECOND * 9;
        let found: Vec<u128> = (0..10).map(|_| pauses(short)).collect();
        assert_eq!(found, [100, 200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000]);
        assert_eq!(pauses(SECOND * 10), 100);
        assert_eq!(pauses(short), 200);
    }

    /// Case MO-06.
    #[test]
    fn the_jitter_is_a_quarter_and_never_exceeds_the_most() {
        let rules = ProgramRules::always();
        let first = |random| rounded(Backoff::default().on_end(None, at(1, random), &rules));
        assert_eq!((first(0), first(MIDDLE), first(u32::MAX)), (Some(75), Some(100), Some(125)));
        let mut backoff = Backoff::default();
        for _ in 0..200 {
            let pause = backoff.on_end(None, at(1, u32::MAX), &rules).unwrap();
            assert!(pause <= rules.backoff.1);
        }
        assert_eq!(rounded(backoff.on_end(None, at(1, 0), &rules)), Some(22_500));
    }

    /// Case MO-07.
    #[test]
    fn too_many_ends_within_the_time_are_a_storm_and_spread_ones_are_not() {
        let rules = ProgramRules { give_up: Some((3, SECOND * 10)), ..ProgramRules::always() };
        let mut backoff = Backoff::default();
        let mut end = |second| backoff.on_end(None, at(second, 0), &rules).is_some();
        assert_eq!([1, 7, 12, 18, 23].map(&mut end), [true; 5], "never three within ten seconds");
        assert_eq!([24, 25].map(&mut end), [false, true], "and then it counts from the beginning");
    }
}
