//! The limit on descendants that hold a pipe. When it passes, what the pipe holds is delivered, and
//! the pipe is closed. A paused end waits for its resume; a forwarded one moves its rest.
//!
//! Which ends are held is checked when the limit passes, for all ends before one is closed: a close
//! may end the process that holds the others.

use std::rc::Rc;

use bytes::Bytes;
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, ReadEvent};

use super::end::End;
use super::passed::Draining;

/// More than the kernel keeps of what a terminal's child wrote, in bytes. FIONREAD counts only the
/// next 4 KiB (`ioctl_tty(2)`), not the data behind them.
const TERMINAL_BYTES: usize = 128 << 10;

/// The next step for an end that is drained.
pub(crate) enum DrainStep {
    /// Deliver this data, and go on.
    Data(Bytes),
    /// The end is paused, or closed.
    Wait,
    /// A callback has started a forwarding; this many bytes remain for it.
    MoveOn(Rc<Forward>, usize),
    /// Fully drained: close it.
    Close,
}

impl End {
    fn draining(&self) -> Draining {
        self.rare.as_ref().map_or_else(Draining::default, |rare| rare.draining)
    }

    fn draining_mut(&mut self) -> &mut Draining {
        &mut self.rare.get_or_insert_default().draining
    }

    /// Records whether another process holds the other side. Called once the limit has passed; only
    /// the first call counts.
    pub(crate) fn note_held(&mut self, reactor: &Handle) {
        if self.draining().was_held.is_none()
            && let Some(key) = self.key()
        {
            self.draining_mut().was_held = Some(!reactor.io().has_ended(key));
        }
    }

    /// Returns whether another process held the other side when the limit passed.
    pub(crate) fn was_held(&self) -> bool {
        self.draining().was_held == Some(true)
    }

    /// Records and returns how many bytes can be read at this moment.
    pub(crate) fn begin_to_drain(&mut self, reactor: &Handle) -> usize {
        let pipe = self.pipe.as_ref().filter(|pipe| pipe.is_reading());
        let held = match pipe {
            None => 0,
            Some(_) if self.is_terminal => TERMINAL_BYTES,
            Some(pipe) => {
                let counted =
                    reactor.io().with_owned(pipe.key(), |fd| rustix::io::ioctl_fionread(fd));
                let counted = counted.and_then(Result::ok);
                counted.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(0)
            }
        };
        self.draining_mut().left = Some(held);
        held
    }

    /// Returns whether this transport drains it, and not a forwarding.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining().left.is_some() && self.forward().is_none()
    }

    pub(crate) fn drain_step(&mut self, reactor: &Handle) -> DrainStep {
        let forward = self.forward().map(Rc::clone);
        let left = self.draining().left;
        let (Some(pipe), Some(left)) = (self.pipe.as_mut(), left) else {
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
        // If the last writer is gone, the pipe was not held, and the data in it is finite.
        if left == 0 && !reactor.io().has_ended(pipe.key()) {
            return DrainStep::Close;
        }
        match pipe.read(reactor) {
            ReadEvent::Data(data) => {
                self.draining_mut().left = Some(left.saturating_sub(data.len()));
                DrainStep::Data(data)
            }
            _ => DrainStep::Close,
        }
    }
}
