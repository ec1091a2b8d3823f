//! The state of a dialogue: a pure core. Bytes, the end and the time go in; one answer for each wait
//! comes out.
//!
//! An answer does not depend on how the bytes are cut into chunks. Each match has a number of bytes after
//! which it is certain, and the match with the smallest such number wins.

#[cfg(test)]
mod tests;

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::found::Found;
use super::hit::Hit;
use super::pattern::{Pattern, PatternKind};
use super::search::Search;

/// The default for the most bytes that are held for a wait.
const MAX_HELD_BYTES: usize = 1 << 20;

/// How many bytes are looked at between two looks at the steps.
const PIECE_BYTES: usize = 1024;

/// How many steps a call makes before it returns, so that the loop goes on: some milliseconds.
const STEPS_AT_ONCE: u64 = 500_000;

/// What the program has printed and no wait has consumed, and the wait that is under way.
pub(super) struct Conversation {
    held: BytesMut,
    max_held_bytes: usize,
    /// The output has ended.
    is_over: bool,
    wait: Option<Wait>,
    /// How many of the held bytes the wait has looked at.
    looked: usize,
    /// How many steps all searches have made: it is linear in the bytes.
    steps: u64,
}

struct Wait {
    searches: Vec<Search>,
    /// The shortest time without output that ends the wait, and the place of its pattern.
    quiet: Option<(Duration, usize)>,
    /// When the wait began, or the last bytes came.
    quiet_since: Duration,
    deadline: Option<Duration>,
    decision: Option<Decision>,
}

enum Decision {
    Hit(usize, Hit),
    TimedOut,
    Over,
    TooLong,
}

/// The answer to a wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    Found(Found),
    TimedOut,
    /// The output ended.
    Over,
    /// More bytes came than may be held.
    TooLong,
}

impl Conversation {
    pub(super) fn new() -> Self {
        let held = BytesMut::new();
        Self {
            held,
            max_held_bytes: MAX_HELD_BYTES,
            is_over: false,
            wait: None,
            looked: 0,
            steps: 0,
        }
    }

    pub(super) fn set_max_held_bytes(&mut self, max_bytes: usize) {
        self.max_held_bytes = max_bytes;
    }

    pub(super) fn max_held_bytes(&self) -> usize {
        self.max_held_bytes
    }

    /// Returns whether there is no room for more bytes.
    pub(super) fn is_full(&self) -> bool {
        self.held.len() >= self.max_held_bytes
    }

    pub(super) fn on_data(&mut self, data: &[u8], now: Duration) {
        self.held.extend_from_slice(data);
        if let Some(wait) = &mut self.wait {
            wait.quiet_since = now;
        }
        self.search();
    }

    pub(super) fn on_end(&mut self) {
        self.is_over = true;
        self.search();
    }

    /// The time has come to `now`, and everything that came before was passed in.
    pub(super) fn on_time(&mut self, now: Duration) {
        let end = self.held.len();
        let Some(wait) = self.wait.as_mut().filter(|wait| wait.decision.is_none()) else { return };
        let deadline = wait.deadline.filter(|at| *at <= now);
        // What was due first counts, if both are.
        wait.decision = match (wait.quiet_at().filter(|(at, _)| *at <= now), deadline) {
            (Some((at, which)), deadline) if deadline.is_none_or(|deadline| at <= deadline) => {
                Some(Decision::Hit(which, Hit::of(end..end, end)))
            }
            (_, Some(_)) => Some(Decision::TimedOut),
            _ => None,
        };
    }

    /// Begins a wait, which replaces one that is under way.
    pub(super) fn begin(&mut self, patterns: &[Pattern], within: Option<Duration>, now: Duration) {
        let quiet = patterns.iter().enumerate().filter_map(|(which, pattern)| match pattern.0 {
            PatternKind::Quiet(time) => Some((time, which)),
            _ => None,
        });
        self.wait = Some(Wait {
            searches: patterns.iter().map(Search::new).collect(),
            quiet: quiet.min(),
            quiet_since: now,
            deadline: within.map(|within| now.saturating_add(within)),
            decision: None,
        });
        self.looked = 0;
        self.search();
    }

    /// Returns whether bytes are held that the wait has not looked at: a call of
    /// [`search`](Self::search) is due.
    pub(super) fn is_behind(&self) -> bool {
        let is_waiting = self.wait.as_ref().is_some_and(|wait| wait.decision.is_none());
        is_waiting && self.looked < self.limit()
    }

    /// Returns how many bytes may be looked at.
    fn limit(&self) -> usize {
        self.held.len().min(self.max_held_bytes)
    }

    /// Returns when [`on_time`](Self::on_time) is due.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let wait = self.wait.as_ref().filter(|wait| wait.decision.is_none())?;
        let quiet = wait.quiet_at().map(|(at, _)| at);
        quiet.into_iter().chain(wait.deadline).min()
    }

    /// Returns whether there is an answer to fetch.
    pub(super) fn is_decided(&self) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.decision.is_some())
    }

    /// Ends a decided wait, and returns its answer. The bytes up to the end of a match are consumed.
    pub(super) fn poll(&mut self) -> Option<Answer> {
        let decision = self.wait.take_if(|wait| wait.decision.is_some())?.decision?;
        Some(match decision {
            Decision::Hit(which, hit) => Answer::Found(self.consume(which, hit)),
            Decision::TimedOut => Answer::TimedOut,
            Decision::Over => Answer::Over,
            Decision::TooLong => Answer::TooLong,
        })
    }

    /// Ends the wait without an answer. Nothing is consumed.
    pub(super) fn give_up(&mut self) {
        self.wait = None;
    }

    /// Takes what no wait has consumed, at most as much as a wait looks at.
    pub(super) fn take(&mut self) -> Bytes {
        let length = self.limit();
        self.held.split_to(length).freeze()
    }

    fn consume(&mut self, which: usize, hit: Hit) -> Found {
        let text = self.held.split_to(hit.consumed).freeze();
        let groups = hit.groups.into_iter().map(|group| group.map(|range| text.slice(range)));
        Found {
            which,
            groups: groups.collect(),
            before: text.slice(..hit.matched.start),
            matched: text.slice(hit.matched),
        }
    }

    /// Looks at the bytes that no call has looked at, as many as the steps of a call allow.
    pub(super) fn search(&mut self) {
        let (limit, until) = (self.limit(), self.steps + STEPS_AT_ONCE);
        loop {
            let Some(wait) = self.wait.as_mut().filter(|wait| wait.decision.is_none()) else {
                return;
            };
            let piece = limit.min(self.looked + PIECE_BYTES);
            let mut to = piece;
            for (which, search) in wait.searches.iter_mut().enumerate() {
                if let Some(hit) = search.advance(&self.held, self.looked..to, &mut self.steps) {
                    // A later pattern must be certain earlier.
                    to = hit.decided - 1;
                    wait.decision = Some(Decision::Hit(which, hit));
                }
            }
            self.looked = piece;
            if wait.decision.is_some() {
                return;
            }
            if piece == limit {
                if self.held.len() > self.max_held_bytes {
                    wait.decision = Some(Decision::TooLong);
                } else if self.is_over {
                    wait.decision = Some(wait.at_end(&self.held, &mut self.steps));
                }
                return;
            }
            if self.steps >= until {
                return;
            }
        }
    }
}

impl Wait {
    /// Returns when the output will have been quiet for long enough, and the place of that pattern.
    fn quiet_at(&self) -> Option<(Duration, usize)> {
        self.quiet.map(|(time, which)| (self.quiet_since.saturating_add(time), which))
    }

    fn at_end(&mut self, held: &[u8], steps: &mut u64) -> Decision {
        let mut searches = self.searches.iter_mut().enumerate();
        let hit = searches.find_map(|(which, search)| Some((which, search.at_end(held, steps)?)));
        hit.map_or(Decision::Over, |(which, hit)| Decision::Hit(which, hit))
    }
}
