//! Pure core: what a forwarding does next.
//!
//! # Model
//!
//! Facts enter by `on_…`: what the poller saw of the two sides, what came of an attempt to move
//! bytes, what the program asked for. [`Flow::poll`] says what to do, and is asked again until it
//! says [`FlowAct::Rest`]. It says [`FlowAct::Finish`] once, and only [`FlowAct::Rest`] after that, whatever
//! facts come late.
//!
//! The source is to be watched by the poller while [`Flow::wants_source`] says so.

use std::io::{self, ErrorKind};
use std::mem;

/// The most that one forwarding moves in one turn, in bytes.
const TURN_BYTES: usize = 4 << 20;
/// The most that one call asks for, in bytes: the largest pipe an unprivileged user has.
const CALL_BYTES: usize = 1 << 20;
/// What a call counts for at least, in bytes: a turn makes no more calls than fit into its share.
const CALL_COSTS_BYTES: usize = 16 << 10;
/// The copies that wait for the sink before the source is paused, in bytes.
const COPIES_HIGH_BYTES: usize = 256 << 10;

/// One forwarding, from its beginning to its result.
#[derive(Debug)]
pub(super) struct Flow {
    /// The bytes that were given to the sink, its queue included.
    moved: u64,
    /// The kernel cannot splice these two.
    copying: bool,
    stage: FlowStage,
    /// The program paused the source.
    paused: bool,
    /// What is still to be moved, in bytes, where the source is only to be drained.
    left: Option<usize>,
    /// What an attempt failed with; which side's it is is not known yet.
    unsure: Option<io::Error>,
    /// The source was not moved to its end, for this reason, although nothing was lost of what was
    /// moved: its reads failed, or the loop stopped before.
    cut_off: Option<io::Error>,
    share: TurnShare,
    due: DueAct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlowStage {
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
struct TurnShare {
    /// In bytes.
    budget: usize,
    /// The poller has just said that the source is readable: a call that would block means that the
    /// sink is full.
    readable: bool,
}

#[derive(Debug)]
enum DueAct {
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
pub(super) enum FlowAct {
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
    Finish(FlowOutcome),
}

/// What a forwarding came to.
#[derive(Debug)]
pub(super) struct FlowOutcome {
    /// The bytes that the sink has taken.
    pub(super) moved: u64,
    /// What has ended it before its source.
    pub(super) result: io::Result<()>,
    /// The source has come to its own end, and was not only drained.
    pub(super) ended: bool,
}

impl Flow {
    pub(super) fn new() -> Self {
        Self {
            moved: 0,
            copying: false,
            stage: FlowStage::Moving,
            paused: false,
            left: None,
            unsure: None,
            cut_off: None,
            share: TurnShare { budget: 0, readable: false },
            due: DueAct::Rest,
        }
    }

    /// The source is readable.
    pub(super) fn on_source_ready(&mut self) {
        self.begin_turn(true);
    }

    /// The sink has room again, or has taken its queue.
    pub(super) fn on_sink_ready(&mut self) {
        match self.stage {
            FlowStage::Ending => self.due = DueAct::End,
            FlowStage::Waiting => {
                self.stage = FlowStage::Moving;
                self.begin_turn(false);
            }
            FlowStage::Moving | FlowStage::Over => {}
        }
    }

    /// The sink is gone, with so many bytes in its queue.
    pub(super) fn on_sink_lost(&mut self, error: io::Error, unsent: usize) {
        self.due = DueAct::Lost(error, Some(unsent));
    }

    /// The source is closed by somebody else.
    pub(super) fn on_source_closed(&mut self) {
        self.due = DueAct::End;
    }

    /// The program paused or resumed the source.
    pub(super) fn on_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The loop stops, and the source is about to be closed.
    pub(super) fn on_cut_off(&mut self) {
        if matches!(self.stage, FlowStage::Moving | FlowStage::Waiting) {
            let stopped = || io::Error::new(ErrorKind::ConnectionAborted, "the event loop stopped");
            self.cut_off.get_or_insert_with(stopped);
        }
    }

    /// The source is to be closed after so many bytes more. Returns whether it was read to its end
    /// before, so that only copies are under way.
    pub(super) fn on_drain(&mut self, held: usize) -> bool {
        self.left = Some(held);
        let ending = self.stage == FlowStage::Ending;
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
            (true, true) => DueAct::End,
            (true, false) => DueAct::SeeWhetherReadable,
            // What can be read and is not moved waits for the sink.
            (false, false) if self.share.readable => DueAct::WaitForRoom,
            (false, _) => DueAct::Rest,
        };
    }

    /// The answer to [`FlowAct::SeeWhetherReadable`]: what can be read and is not moved waits for the
    /// sink.
    pub(super) fn on_seen_readable(&mut self, readable: bool) {
        self.due = if readable { DueAct::WaitForRoom } else { DueAct::End };
    }

    /// The answer to [`FlowAct::SeeWhetherEnded`]: what nobody holds has a finite rest.
    pub(super) fn on_seen_ended(&mut self, ended: bool) {
        if ended {
            self.left = Some(usize::MAX);
        }
        self.due = if ended { DueAct::Move } else { DueAct::End };
    }

    /// The sink never blocks, so that it was the source that had nothing.
    pub(super) fn on_always_room(&mut self) {
        if self.stage == FlowStage::Waiting {
            self.stage = FlowStage::Moving;
        }
    }

    /// The source was read to its end.
    pub(super) fn on_source_ended(&mut self) {
        self.due = DueAct::End;
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
        self.due = DueAct::End;
    }

    /// The sink does not take what it was given.
    pub(super) fn on_failed(&mut self, error: io::Error) {
        self.due = DueAct::Lost(error, None);
    }

    /// Returns whether the poller is to watch the source; `None` when the result is out.
    pub(super) fn wants_source(&self) -> Option<bool> {
        (self.stage != FlowStage::Over).then_some(self.stage == FlowStage::Moving && !self.paused)
    }

    /// Returns whether the source is read, and its reads count for themselves.
    pub(super) fn is_copying(&self) -> bool {
        self.copying
    }

    /// Returns what to do next; `queued` is how many bytes wait in the sink's queue.
    pub(super) fn poll(&mut self, queued: usize) -> FlowAct {
        let due = mem::replace(&mut self.due, DueAct::Rest);
        if self.stage == FlowStage::Over {
            return FlowAct::Rest;
        }
        match due {
            DueAct::Rest => FlowAct::Rest,
            DueAct::Move => self.poll_move(queued),
            DueAct::SeeWhetherReadable => FlowAct::SeeWhetherReadable,
            DueAct::WaitForRoom => self.wait(),
            // Copies that wait still go.
            DueAct::End if queued > 0 => {
                self.stage = FlowStage::Ending;
                FlowAct::Rest
            }
            DueAct::End => self.finish(Ok(())),
            DueAct::Lost(error, unsent) => {
                // What is queued while the kernel moves the bytes is the program's own.
                if self.copying {
                    let unsent = u64::try_from(unsent.unwrap_or(queued)).unwrap_or(0);
                    self.moved = self.moved.saturating_sub(unsent);
                }
                self.finish(Err(error))
            }
        }
    }

    fn poll_move(&mut self, queued: usize) -> FlowAct {
        if self.stage == FlowStage::Ending || self.paused || self.share.budget == 0 {
            return FlowAct::Rest;
        }
        // While splicing, what is queued goes first; copies go through the queue.
        let queue_limit = if self.copying { COPIES_HIGH_BYTES } else { 1 };
        match self.left {
            Some(0) => FlowAct::SeeWhetherEnded,
            _ if queued >= queue_limit => self.wait(),
            _ if self.copying => FlowAct::Copy,
            left => FlowAct::Splice(left.map_or(CALL_BYTES, |left| left.min(CALL_BYTES))),
        }
    }

    fn begin_turn(&mut self, readable: bool) {
        self.share = TurnShare { budget: TURN_BYTES, readable };
        self.due = DueAct::Move;
    }

    /// Tries again, in what is left of the turn.
    fn go_on(&mut self, moved: usize) {
        self.share.budget = self.share.budget.saturating_sub(moved.max(CALL_COSTS_BYTES));
        self.share.readable = false;
        self.due = DueAct::Move;
    }

    fn wait(&mut self) -> FlowAct {
        self.stage = FlowStage::Waiting;
        FlowAct::WaitForRoom
    }

    fn finish(&mut self, result: io::Result<()>) -> FlowAct {
        self.stage = FlowStage::Over;
        let ended = result.is_ok() && self.left.is_none();
        let result = result.and_then(|()| self.cut_off.take().map_or(Ok(()), Err));
        FlowAct::Finish(FlowOutcome { moved: self.moved, result, ended })
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
        while let FlowAct::Splice(_) = flow.poll(0) {
            flow.on_moved(bytes);
            splices += 1;
        }
        splices
    }

    #[test]
    fn a_turn_is_bounded_in_bytes_and_in_calls() {
        assert_eq!(splices_of(CALL_BYTES), 4);
        assert_eq!(splices_of(64 << 10), 64);
        assert_eq!(splices_of(4), 256);
    }
}
