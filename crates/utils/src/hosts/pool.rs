//! Pure core: which host takes a run, which one is to be reached, and when there is no hope.
//!
//! # Model
//!
//! A host is *idle*, *connecting*, *up* or *set aside*. Only a host that is up has slots. A host that fails
//! is set aside for a pause, and is idle afterwards. The pause doubles with each failure in a row. When a
//! run on the host has ended well or badly, but not by a failure of the host, the count begins again. Runs
//! that are lost together count as one failure.
//!
//! Hosts are reached when runs wait that the hosts which are up or connecting have no slots for. There is
//! no hope when no host is up or connecting and each has failed [`MOST_FAILURES`] times in a row.

use std::time::Duration;

use super::{HostProgress, HostState};

/// The failures in a row after which a host is not hoped for.
const MOST_FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The hosts of one batch. The module's page has the model.
#[derive(Debug)]
pub(crate) struct Pool {
    hosts: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    progress: HostProgress,
    /// Failures in a row.
    failures: u32,
}

impl Pool {
    /// Makes a pool of names and slots.
    pub(crate) fn new(hosts: impl IntoIterator<Item = (String, usize)>) -> Self {
        let entry = |(name, slots)| {
            let (running, done, failed, state) = (0, 0, 0, HostState::Idle);
            Entry {
                progress: HostProgress { name, slots, running, done, failed, state },
                failures: 0,
            }
        };
        Self { hosts: hosts.into_iter().map(entry).collect() }
    }

    /// Returns a host to reach now, if more are needed for so many runs that wait.
    pub(crate) fn poll_connect(&mut self, waiting: usize) -> Option<usize> {
        let slots = |entry: &Entry| match entry.progress.state {
            HostState::Up | HostState::Connecting => entry.free(),
            _ => 0,
        };
        if self.hosts.iter().map(slots).sum::<usize>() >= waiting {
            return None;
        }
        let at = self.hosts.iter().position(|entry| entry.progress.state == HostState::Idle)?;
        self.hosts[at].progress.state = HostState::Connecting;
        Some(at)
    }

    /// Notes that the host is up.
    pub(crate) fn on_up(&mut self, at: usize) {
        if self.hosts[at].progress.state == HostState::Connecting {
            self.hosts[at].progress.state = HostState::Up;
        }
    }

    /// Notes that the host cannot be reached, or that its connection was lost. Returns the pause, unless
    /// that is known.
    pub(crate) fn on_failed(&mut self, at: usize, reason: String) -> Option<Duration> {
        let entry = &mut self.hosts[at];
        if !matches!(entry.progress.state, HostState::Connecting | HostState::Up) {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << entry.failures.min(10)).min(LONGEST_PAUSE);
        entry.failures = entry.failures.saturating_add(1);
        entry.progress.state = HostState::SetAside { reason };
        Some(pause)
    }

    /// Notes that the pause of a host is over.
    pub(crate) fn on_pause_over(&mut self, at: usize) {
        if matches!(self.hosts[at].progress.state, HostState::SetAside { .. }) {
            self.hosts[at].progress.state = HostState::Idle;
        }
    }

    /// Takes a slot, if there is one.
    pub(crate) fn take_slot(&mut self) -> Option<usize> {
        let is_free = |entry: &Entry| entry.progress.state == HostState::Up && entry.free() > 0;
        let free = self.hosts.iter().enumerate().filter(|(_, entry)| is_free(entry));
        // The smaller of two fractions, without dividing. The first of equal ones stays.
        let (at, _) = free.reduce(|one, other| {
            let (a, b) = (&one.1.progress, &other.1.progress);
            if b.running * a.slots < a.running * b.slots { other } else { one }
        })?;
        self.hosts[at].progress.running += 1;
        Some(at)
    }

    /// Notes that a run has given an outcome or an error at the host; `has_ended` says that the program
    /// came to its end.
    pub(crate) fn on_result(&mut self, at: usize, is_ok: bool, has_ended: bool) {
        let entry = &mut self.hosts[at];
        entry.progress.running -= 1;
        match is_ok {
            true => entry.progress.done += 1,
            false => entry.progress.failed += 1,
        }
        if has_ended {
            entry.failures = 0;
        }
    }

    /// Returns why there is no hope, if there is none.
    pub(crate) fn hopeless(&self) -> Option<String> {
        let is_lost = |entry: &Entry| {
            let is_away = !matches!(entry.progress.state, HostState::Up | HostState::Connecting);
            is_away && entry.failures >= MOST_FAILURES
        };
        if !self.hosts.iter().all(is_lost) {
            return None;
        }
        let reason = self.hosts.iter().find_map(|entry| match &entry.progress.state {
            HostState::SetAside { reason } => Some(format!("{}: {reason}", entry.progress.name)),
            _ => None,
        });
        Some(reason.unwrap_or_else(|| "no host can be reached".to_owned()))
    }

    pub(crate) fn progress(&self) -> Vec<HostProgress> {
        self.hosts.iter().map(|entry| entry.progress.clone()).collect()
    }
}

impl Entry {
    fn free(&self) -> usize {
        self.progress.slots.saturating_sub(self.progress.running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(slots: &[usize]) -> Pool {
        Pool::new(slots.iter().enumerate().map(|(at, slots)| (format!("h{at}"), *slots)))
    }

    fn connect_all(pool: &mut Pool) {
        while let Some(at) = pool.poll_connect(usize::MAX) {
            pool.on_up(at);
        }
    }

    #[test]
    fn only_as_many_hosts_are_reached_as_runs_need() {
        let mut pool = pool(&[2, 2, 2]);
        assert_eq!(
            [pool.poll_connect(3), pool.poll_connect(3), pool.poll_connect(3)],
            [Some(0), Some(1), None]
        );
        assert_eq!(pool.take_slot(), None, "none is up");
        pool.on_up(1);
        assert_eq!(
            [pool.take_slot(), pool.take_slot(), pool.take_slot()],
            [Some(1), Some(1), None]
        );
        assert_eq!(pool.poll_connect(3), Some(2));
    }

    #[test]
    fn slots_fill_in_proportion() {
        let mut pool = pool(&[1, 4, 2]);
        connect_all(&mut pool);
        let taken: Vec<_> = std::iter::from_fn(|| pool.take_slot()).collect();
        assert_eq!(taken, [0, 1, 2, 1, 1, 2, 1]);
        pool.on_result(2, true, true);
        pool.on_result(1, false, false);
        assert_eq!(
            [pool.take_slot(), pool.take_slot(), pool.take_slot()],
            [Some(2), Some(1), None]
        );
    }

    #[test]
    fn a_failure_sets_aside_once_and_twice_as_long_in_a_row() {
        let mut pool = pool(&[4]);
        let mut pauses = Vec::new();
        for _ in 0..8 {
            connect_all(&mut pool);
            pauses.push(pool.on_failed(0, "lost".into()).unwrap().as_secs());
            assert_eq!(pool.on_failed(0, "lost".into()), None, "the same loss");
            assert_eq!((pool.take_slot(), pool.poll_connect(1)), (None, None));
            pool.on_pause_over(0);
        }
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
        connect_all(&mut pool);
        pool.take_slot().unwrap();
        pool.on_result(0, false, true);
        assert_eq!(
            pool.on_failed(0, "lost".into()),
            Some(FIRST_PAUSE),
            "a program had ended there"
        );
    }

    #[test]
    fn there_is_no_hope_when_every_host_has_failed_three_times() {
        let mut pool = pool(&[1, 1]);
        for time in 0..3 {
            assert_eq!(pool.hopeless(), None, "{time}");
            for at in 0..2 {
                assert_eq!(pool.poll_connect(2), Some(at));
            }
            pool.on_failed(0, "refused".into()).unwrap();
            assert_eq!(pool.hopeless(), None, "one is connecting");
            pool.on_failed(1, "refused".into()).unwrap();
            if time < 2 {
                pool.on_pause_over(0);
                pool.on_pause_over(1);
            }
        }
        assert_eq!(pool.hopeless().as_deref(), Some("h0: refused"));
        pool.on_pause_over(1);
        assert!(pool.hopeless().is_some(), "it is not reached again yet");
        assert_eq!(pool.poll_connect(1), Some(1));
        assert_eq!(pool.hopeless(), None);
        assert!(Pool::new([]).hopeless().is_some());
    }
}
