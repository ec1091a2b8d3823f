//! Decides the next step of a forwarding. Makes no system calls.
//!
//! # Model
//!
//! Facts enter through the `on_…` methods: what the poller saw of the two sides, the result of an
//! attempt to move bytes, a request of the program. [`Flow::poll`] returns what to do. The caller
//! calls it again until it returns [`FlowAct::Rest`]. It returns [`FlowAct::Finish`] once, and
//! after that only [`FlowAct::Rest`], even if facts arrive late.
//!
//! The poller watches the source while [`Flow::wants_source`] returns true.

use std::io::{self, ErrorKind};
use std::mem;

/// The most bytes that one forwarding moves in one turn.
const TURN_BYTES: usize = 4 << 20;
/// The most bytes that one call asks for: the largest pipe that an unprivileged user can have.
const CALL_BYTES: usize = 1 << 20;
/// The least bytes that one call counts for. It bounds the number of calls in a turn.
const CALL_COSTS_BYTES: usize = 16 << 10;
/// The number of bytes that may wait for the sink as copies before the source is paused.
const COPIES_HIGH_BYTES: usize = 256 << 10;

/// One forwarding, from its start to its result.
#[derive(Debug)]
pub(super) struct Flow {
    /// The bytes that were given to the sink, including its queue.
    moved: u64,
    /// The kernel cannot splice these two descriptors.
    copying: bool,
    stage: FlowStage,
    /// The program paused the source.
    paused: bool,
    /// The bytes that are still to be moved, if the source is being drained.
    left: Option<usize>,
    /// The error of the last attempt. It is not yet known which side failed.
    unsure: Option<io::Error>,
    /// Why the source was not moved to its end, although the sink took all moved bytes: its reads
    /// failed, or the loop stopped.
    cut_off: Option<io::Error>,
    share: TurnShare,
    due: DueAct,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FlowStage {
    /// Data of the source go to the sink.
    Moving,
    /// The sink is full. The source is left alone until the sink has room.
    Waiting,
    /// The source has ended. Copies still wait for the sink.
    Ending,
    /// The result was returned.
    Over,
}

/// The remaining share of this turn.
#[derive(Debug, Clone, Copy)]
struct TurnShare {
    /// In bytes.
    budget: usize,
    /// The poller has just reported the source as readable. So a call that would block means that
    /// the sink is full.
    readable: bool,
}

#[derive(Debug)]
enum DueAct {
    Rest,
    Move,
    CheckReadable,
    WaitForRoom,
    End,
    /// The sink failed with this many bytes in its queue. `None` means the present length of the
    /// queue.
    Lost(io::Error, Option<usize>),
}

/// The next step.
#[derive(Debug)]
pub(super) enum FlowAct {
    /// Do nothing until the next fact.
    Rest,
    /// Splice at most this many bytes.
    Splice(usize),
    /// Read once, and give the data to the sink.
    Copy,
    /// Check whether the other side of the source is closed, and call [`Flow::on_seen_ended`].
    CheckEnded,
    /// Check whether the source has data, and call [`Flow::on_seen_readable`].
    CheckReadable,
    /// Have the poller report when the sink has room. If it cannot, call [`Flow::on_always_room`].
    WaitForRoom,
    /// Release both sides and return the result.
    Finish(FlowOutcome),
}

/// The result of a forwarding.
#[derive(Debug)]
pub(super) struct FlowOutcome {
    /// The number of bytes that the sink has taken.
    pub(super) moved: u64,
    /// The error that ended the forwarding before the source ended.
    pub(super) result: io::Result<()>,
    /// The source came to its own end, and was not only drained.
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

    /// The sink has room again, or its queue is empty.
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

    /// The sink failed, with this many bytes in its queue.
    pub(super) fn on_sink_lost(&mut self, error: io::Error, unsent: usize) {
        self.due = DueAct::Lost(error, Some(unsent));
    }

    /// The source was closed by other code.
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

    /// The source will be closed after this many more bytes. Returns whether it was already read to
    /// its end, so only copies are left.
    pub(super) fn on_drain(&mut self, held: usize) -> bool {
        self.left = Some(held);
        let ending = self.stage == FlowStage::Ending;
        if !ending {
            self.begin_turn(false);
        }
        ending
    }

    /// This many bytes were moved.
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
            (true, false) => DueAct::CheckReadable,
            // If the source has data that were not moved, the sink is full.
            (false, false) if self.share.readable => DueAct::WaitForRoom,
            (false, _) => DueAct::Rest,
        };
    }

    /// The answer to [`FlowAct::CheckReadable`]. If the source has data that were not moved,
    /// the sink is full.
    pub(super) fn on_seen_readable(&mut self, readable: bool) {
        self.due = if readable { DueAct::WaitForRoom } else { DueAct::End };
    }

    /// The answer to [`FlowAct::CheckEnded`]. A source whose other side is closed has only a
    /// finite number of bytes left.
    pub(super) fn on_seen_ended(&mut self, ended: bool) {
        if ended {
            self.left = Some(usize::MAX);
        }
        self.due = if ended { DueAct::Move } else { DueAct::End };
    }

    /// The sink never blocks, so the source had no data.
    pub(super) fn on_always_room(&mut self) {
        if self.stage == FlowStage::Waiting {
            self.stage = FlowStage::Moving;
        }
    }

    /// The source was read to its end.
    pub(super) fn on_source_ended(&mut self) {
        self.due = DueAct::End;
    }

    /// The kernel cannot splice these two descriptors.
    pub(super) fn on_refused(&mut self) {
        self.copying = true;
        self.go_on(0);
    }

    /// One of the two sides failed. The next attempt tells which: if the source failed, it is now
    /// at its end and [`take_unsure`](Self::take_unsure) returns its error. If the sink failed, it
    /// fails again.
    pub(super) fn on_unsure(&mut self, error: io::Error) {
        if self.unsure.is_some() {
            return self.on_failed(error);
        }
        self.go_on(0);
        self.unsure = Some(error);
    }

    /// Takes the error of the last attempt. It was the source's error if the source is now at its
    /// end.
    pub(super) fn take_unsure(&mut self) -> Option<io::Error> {
        self.unsure.take()
    }

    /// The source failed, and the result reports its error.
    pub(super) fn on_source_failed(&mut self, error: io::Error) {
        self.cut_off.get_or_insert(error);
        self.due = DueAct::End;
    }

    /// The sink does not accept the bytes that it was given.
    pub(super) fn on_failed(&mut self, error: io::Error) {
        self.due = DueAct::Lost(error, None);
    }

    /// Returns whether the poller should watch the source. `None` once the result was returned.
    pub(super) fn wants_source(&self) -> Option<bool> {
        (self.stage != FlowStage::Over).then_some(self.stage == FlowStage::Moving && !self.paused)
    }

    /// Returns whether the source is read by copying, so its own reads count the bytes.
    pub(super) fn is_copying(&self) -> bool {
        self.copying
    }

    /// Returns the next step. `queued` is the number of bytes in the sink's queue.
    pub(super) fn poll(&mut self, queued: usize) -> FlowAct {
        let due = mem::replace(&mut self.due, DueAct::Rest);
        if self.stage == FlowStage::Over {
            return FlowAct::Rest;
        }
        match due {
            DueAct::Rest => FlowAct::Rest,
            DueAct::Move => self.poll_move(queued),
            DueAct::CheckReadable => FlowAct::CheckReadable,
            DueAct::WaitForRoom => self.wait(),
            // Copies that wait are still written.
            DueAct::End if queued > 0 => {
                self.stage = FlowStage::Ending;
                FlowAct::Rest
            }
            DueAct::End => self.finish(Ok(())),
            DueAct::Lost(error, unsent) => {
                // While the kernel moves the bytes, the queue holds only the program's own data.
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
        // While splicing, queued data go first. Copies go through the queue.
        let queue_limit = if self.copying { COPIES_HIGH_BYTES } else { 1 };
        match self.left {
            Some(0) => FlowAct::CheckEnded,
            _ if queued >= queue_limit => self.wait(),
            _ if self.copying => FlowAct::Copy,
            left => FlowAct::Splice(left.map_or(CALL_BYTES, |left| left.min(CALL_BYTES))),
        }
    }

    fn begin_turn(&mut self, readable: bool) {
        self.share = TurnShare { budget: TURN_BYTES, readable };
        self.due = DueAct::Move;
    }

    /// Tries again within the rest of the turn's share.
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

    /// Returns how many splices of this many bytes one turn makes.
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
