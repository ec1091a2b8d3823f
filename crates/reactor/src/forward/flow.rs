//! Pure core: what a forwarding does next.
//!
//! # Model
//!
//! Facts enter by `on_…`: what the poller saw of the two sides, what came of an attempt to move
//! bytes, what the program asked for. [`Flow::poll`] says what to do, and is asked again until it
//! says [`Act::Rest`]. It says [`Act::Finish`] once, and only [`Act::Rest`] after that, whatever
//! facts come late.
//!
//! The source is to be watched by the poller while [`Flow::wants_source`] says so.

use std::io::{self, ErrorKind};
use std::mem;

use procession_core::driver::Reason;

/// The most that one forwarding moves in one turn, in bytes.
const TURN_BYTES: usize = 4 << 20;
/// The most that one call asks for, in bytes: the largest pipe an unprivileged user has.
const CALL_BYTES: usize = 1 << 20;
/// What a call counts for at least, in bytes: a turn makes no more calls than fit into its share.
const CALL_COSTS_BYTES: usize = 16 << 10;
/// The copies that wait for the sink before the source is paused, in bytes.
const COPIES_HIGH_BYTES: usize = 256 << 10;

/// A forwarding that ended before its source did.
#[derive(Debug, thiserror::Error)]
#[error("forwarding ended after {moved} bytes: {}", Reason(error))]
#[non_exhaustive]
pub struct Interrupted {
    /// The bytes that the sink has taken.
    pub moved: u64,
    /// What failed: `BrokenPipe` where nobody reads the sink any more, or what the source says of
    /// its reads.
    pub error: io::Error,
}

impl Interrupted {
    /// What failed.
    pub fn io_error(&self) -> &io::Error {
        &self.error
    }

    /// The kind of what failed.
    pub fn kind(&self) -> ErrorKind {
        self.error.kind()
    }
}

/// Keeps the kind, and the number or else the message.
impl From<Interrupted> for io::Error {
    fn from(interrupted: Interrupted) -> Self {
        Reason::into_io_error(interrupted.kind(), interrupted.error.raw_os_error(), interrupted)
    }
}

/// One forwarding, from its beginning to its result.
#[derive(Debug)]
pub(super) struct Flow {
    /// The bytes that were given to the sink, its queue included.
    moved: u64,
    /// The kernel cannot splice these two.
    copying: bool,
    stage: Stage,
    /// The program paused the source.
    paused: bool,
    /// What is still to be moved, in bytes, where the source is only to be drained.
    left: Option<usize>,
    /// What an attempt failed with; which side's it is is not known yet.
    unsure: Option<io::Error>,
    /// The source was not moved to its end, for this reason, although nothing was lost of what was
    /// moved: its reads failed, or the loop stopped before.
    cut_off: Option<io::Error>,
    share: Share,
    due: Due,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// What the source has goes to the sink.
    Moving,
    /// The sink is full, and the source is left alone until it has room.
    Waiting,
    /// The source has ended; copies are still under way.
    Ending,
    /// The result is out.
    Over,
}

/// What is left of this turn.
#[derive(Debug, Clone, Copy)]
struct Share {
    /// In bytes.
    budget: usize,
    /// The poller has just said that the source is readable: a call that would block means that the
    /// sink is full.
    readable: bool,
}

#[derive(Debug)]
enum Due {
    Rest,
    Move,
    SeeWhetherReadable,
    WaitForRoom,
    End,
    /// The sink failed, with so many copies in its queue; `None` is what the queue has now.
    Lost(io::Error, Option<usize>),
}

/// What is to be done next.
#[derive(Debug)]
pub(super) enum Act {
    /// Nothing, until the next fact.
    Rest,
    /// Splice at most so many bytes.
    Splice(usize),
    /// Read once, and give what was read to the sink.
    Copy,
    /// See whether the source is held by nobody: [`Flow::on_seen_ended`].
    SeeWhetherEnded,
    /// See whether the source has something to read: [`Flow::on_seen_readable`].
    SeeWhetherReadable,
    /// Have the poller tell when the sink has room; [`Flow::on_always_room`] if it cannot.
    WaitForRoom,
    /// Let go of both sides, and hand the result out.
    Finish(Outcome),
}

/// What a forwarding came to.
#[derive(Debug)]
pub(super) struct Outcome {
    /// The bytes that were moved.
    pub(super) result: Result<u64, Interrupted>,
    /// The source has come to its own end, and was not only drained.
    pub(super) ended: bool,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            moved: 0,
            copying: false,
            stage: Stage::Moving,
            paused: false,
            left: None,
            unsure: None,
            cut_off: None,
            share: Share { budget: 0, readable: false },
            due: Due::Rest,
        }
    }

    /// The source is readable.
    pub(super) fn on_source_ready(&mut self) {
        self.begin_turn(true);
    }

    /// The sink has room again, or has taken its queue.
    pub(super) fn on_sink_ready(&mut self) {
        match self.stage {
            Stage::Ending => self.due = Due::End,
            Stage::Waiting => {
                self.stage = Stage::Moving;
                self.begin_turn(false);
            }
            Stage::Moving | Stage::Over => {}
        }
    }

    /// The sink is gone, with so many bytes in its queue.
    pub(super) fn on_sink_lost(&mut self, error: io::Error, unsent: usize) {
        self.due = Due::Lost(error, Some(unsent));
    }

    /// The source is closed by somebody else.
    pub(super) fn on_source_closed(&mut self) {
        self.due = Due::End;
    }

    /// The program paused or resumed the source.
    pub(super) fn on_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The loop stops, and the source is about to be closed.
    pub(super) fn on_cut_off(&mut self) {
        if matches!(self.stage, Stage::Moving | Stage::Waiting) {
            let stopped = || io::Error::new(ErrorKind::ConnectionAborted, "the event loop stopped");
            self.cut_off.get_or_insert_with(stopped);
        }
    }

    /// The source is to be closed after so many bytes more. Returns whether it was read to its end
    /// before, so that only copies are under way.
    pub(super) fn on_drain(&mut self, held: usize) -> bool {
        self.left = Some(held);
        let ending = self.stage == Stage::Ending;
        if !ending {
            self.begin_turn(false);
        }
        ending
    }

    /// So many bytes were moved.
    pub(super) fn on_moved(&mut self, bytes: usize) {
        self.moved += u64::try_from(bytes).unwrap_or(0);
        self.left = self.left.map(|left| left.saturating_sub(bytes));
        self.unsure = None;
        self.go_on(bytes);
    }

    /// Nothing could be moved now.
    pub(super) fn on_would_block(&mut self) {
        let draining = self.left.is_some();
        self.due = match (draining, self.copying) {
            (true, true) => Due::End,
            (true, false) => Due::SeeWhetherReadable,
            // What can be read and is not moved waits for the sink.
            (false, false) if self.share.readable => Due::WaitForRoom,
            (false, _) => Due::Rest,
        };
    }

    /// The answer to [`Act::SeeWhetherReadable`]: what can be read and is not moved waits for the
    /// sink.
    pub(super) fn on_seen_readable(&mut self, readable: bool) {
        self.due = if readable { Due::WaitForRoom } else { Due::End };
    }

    /// The answer to [`Act::SeeWhetherEnded`]: what nobody holds has a finite rest.
    pub(super) fn on_seen_ended(&mut self, ended: bool) {
        if ended {
            self.left = Some(usize::MAX);
        }
        self.due = if ended { Due::Move } else { Due::End };
    }

    /// The sink never blocks, so that it was the source that had nothing.
    pub(super) fn on_always_room(&mut self) {
        if self.stage == Stage::Waiting {
            self.stage = Stage::Moving;
        }
    }

    /// The source was read to its end.
    pub(super) fn on_source_ended(&mut self) {
        self.due = Due::End;
    }

    /// The kernel does not splice these two.
    pub(super) fn on_refused(&mut self) {
        self.copying = true;
        self.go_on(0);
    }

    /// One of the two has failed. The next attempt tells which: a source has its end then, and
    /// [`take_unsure`](Self::take_unsure) its error; a sink fails again.
    pub(super) fn on_unsure(&mut self, error: io::Error) {
        if self.unsure.is_some() {
            return self.on_failed(error);
        }
        self.go_on(0);
        self.unsure = Some(error);
    }

    /// Takes the error of the last attempt, which was the source's if that has its end now.
    pub(super) fn take_unsure(&mut self) -> Option<io::Error> {
        self.unsure.take()
    }

    /// The source gives no more, and the result is to say so.
    pub(super) fn on_source_failed(&mut self, error: io::Error) {
        self.cut_off.get_or_insert(error);
        self.due = Due::End;
    }

    /// The sink does not take what it was given.
    pub(super) fn on_failed(&mut self, error: io::Error) {
        self.due = Due::Lost(error, None);
    }

    /// Returns whether the poller is to watch the source; `None` when the result is out.
    pub(super) fn wants_source(&self) -> Option<bool> {
        (self.stage != Stage::Over).then_some(self.stage == Stage::Moving && !self.paused)
    }

    /// Returns whether the source is read, and its reads count for themselves.
    pub(super) fn is_copying(&self) -> bool {
        self.copying
    }

    /// Returns what to do next; `queued` is how many bytes wait in the sink's queue.
    pub(super) fn poll(&mut self, queued: usize) -> Act {
        let due = mem::replace(&mut self.due, Due::Rest);
        if self.stage == Stage::Over {
            return Act::Rest;
        }
        match due {
            Due::Rest => Act::Rest,
            Due::Move => self.poll_move(queued),
            Due::SeeWhetherReadable => Act::SeeWhetherReadable,
            Due::WaitForRoom => self.wait(),
            // Copies that wait still go.
            Due::End if queued > 0 => {
                self.stage = Stage::Ending;
                Act::Rest
            }
            Due::End => self.finish(Ok(())),
            Due::Lost(error, unsent) => {
                // What is queued while the kernel moves the bytes is the program's own.
                if self.copying {
                    let unsent = u64::try_from(unsent.unwrap_or(queued)).unwrap_or(0);
                    self.moved = self.moved.saturating_sub(unsent);
                }
                self.finish(Err(error))
            }
        }
    }

    fn poll_move(&mut self, queued: usize) -> Act {
        if self.stage == Stage::Ending || self.paused || self.share.budget == 0 {
            return Act::Rest;
        }
        // While splicing, what is queued goes first; copies go through the queue.
        let queue_limit = if self.copying { COPIES_HIGH_BYTES } else { 1 };
        match self.left {
            Some(0) => Act::SeeWhetherEnded,
            _ if queued >= queue_limit => self.wait(),
            _ if self.copying => Act::Copy,
            left => Act::Splice(left.map_or(CALL_BYTES, |left| left.min(CALL_BYTES))),
        }
    }

    fn begin_turn(&mut self, readable: bool) {
        self.share = Share { budget: TURN_BYTES, readable };
        self.due = Due::Move;
    }

    /// Tries again, in what is left of the turn.
    fn go_on(&mut self, moved: usize) {
        self.share.budget = self.share.budget.saturating_sub(moved.max(CALL_COSTS_BYTES));
        self.share.readable = false;
        self.due = Due::Move;
    }

    fn wait(&mut self) -> Act {
        self.stage = Stage::Waiting;
        Act::WaitForRoom
    }

    fn finish(&mut self, result: io::Result<()>) -> Act {
        self.stage = Stage::Over;
        let ended = result.is_ok() && self.left.is_none();
        let result = result.and_then(|()| self.cut_off.take().map_or(Ok(()), Err));
        let moved = self.moved;
        let result = result.map(|()| moved).map_err(|error| Interrupted { moved, error });
        Act::Finish(Outcome { result, ended })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many splices of so many bytes one turn makes.
    fn splices_of(bytes: usize) -> usize {
        let mut flow = Flow::new();
        flow.on_source_ready();
        let mut splices = 0;
        while let Act::Splice(_) = flow.poll(0) {
            flow.on_moved(bytes);
            splices += 1;
        }
        splices
    }

    #[test]
    fn it_says_what_failed_and_why() {
        let error = Interrupted { moved: 7, error: io::Error::from_raw_os_error(32) };
        assert_eq!(error.to_string(), "forwarding ended after 7 bytes: Broken pipe");
        assert!(std::error::Error::source(&error).is_none());
        assert_eq!(io::Error::from(error).raw_os_error(), Some(32));
    }

    #[test]
    fn a_turn_is_bounded_in_bytes_and_in_calls() {
        assert_eq!(splices_of(CALL_BYTES), 4);
        assert_eq!(splices_of(64 << 10), 64);
        assert_eq!(splices_of(4), 256);
    }
}
