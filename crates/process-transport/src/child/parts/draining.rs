//! The bound on descendants that hold a pipe: what a pipe holds when it passes is delivered, and the
//! pipe is closed. A paused one waits for its resume, one that is forwarded moves its rest on.
//!
//! Which ends are held is looked at when it passes, of all of them before one is closed: that may end
//! whoever holds the others.

use super::end::End;
use bytes::Bytes;
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, ReadEvent};
use std::rc::Rc;

/// More than the kernel keeps of what a terminal's child wrote, in bytes. FIONREAD counts only the 4
/// KiB that are next (`ioctl_tty(2)`), not what waits behind them.
const TERMINAL_BYTES: usize = 128 << 10;

/// What is next for an end that is drained.
pub(crate) enum DrainStep {
    /// Deliver it, and go on.
    Data(Bytes),
    /// It is paused, or closed.
    Wait,
    /// A callback has it forwarded, with so many bytes still to come.
    MoveOn(Rc<Forward>, usize),
    /// It has had its turn.
    Close,
}

impl End {
    /// The bound has passed, now or before: notes whether somebody holds the other side.
    pub(crate) fn note_held(&mut self, reactor: &Handle) {
        if self.draining.was_held.is_none()
            && let Some(key) = self.key()
        {
            self.draining.was_held = Some(!reactor.io().has_ended(key));
        }
    }

    /// Returns whether somebody held the other side when the bound passed.
    pub(crate) fn was_held(&self) -> bool {
        self.draining.was_held == Some(true)
    }

    /// Notes how many bytes can be read at this moment, and returns it.
    pub(crate) fn begin_to_drain(&mut self, reactor: &Handle) -> usize {
        let pipe = self.pipe.as_ref().filter(|pipe| pipe.is_reading());
        let held = match pipe {
            None => 0,
            Some(_) if self.is_terminal => TERMINAL_BYTES,
            Some(pipe) => {
                let counted = reactor.io().with_fd(pipe.key(), |fd| rustix::io::ioctl_fionread(fd));
                let counted = counted.and_then(Result::ok);
                counted.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
            }
        };
        self.draining.left = Some(held);
        held
    }

    /// Returns whether it is drained here and now, and not by a forwarding.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.left.is_some() && self.forward().is_none()
    }

    pub(crate) fn drain_step(&mut self, reactor: &Handle) -> DrainStep {
        let forward = self.forward().map(Rc::clone);
        let (Some(pipe), Some(left)) = (self.pipe.as_mut(), self.draining.left) else {
            return DrainStep::Wait;
        };
        if let Some(forward) = forward {
            return DrainStep::MoveOn(forward, left);
        }
        if pipe.is_paused() {
            return DrainStep::Wait;
        }
        if !pipe.is_reading() {
            return DrainStep::Close;
        }
        // With its last writer gone the pipe was not held, and what it holds is finite.
        if left == 0 && !reactor.io().has_ended(pipe.key()) {
            return DrainStep::Close;
        }
        match pipe.read(reactor) {
            ReadEvent::Data(data) => {
                self.draining.left = Some(left.saturating_sub(data.len()));
                DrainStep::Data(data)
            }
            _ => DrainStep::Close,
        }
    }
}
