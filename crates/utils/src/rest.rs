//! [`Rest`]: a program that a blocking run has left running, until whoever waits has seen its end.

use procession_process_transport::driver::{Attended, Sink};
use procession_protocol::{ChildFd, ExitReason, ProcessTerminated, UnknownEnd};

use crate::feed::Unwritten;

/// The program, and the data for its input that are not written yet. Its drop lets the program live.
pub(crate) struct Rest {
    child: Attended,
    input: Unwritten,
}

impl Rest {
    pub(crate) fn new(mut child: Attended, input: Unwritten) -> Self {
        child.let_live();
        Self { child, input }
    }

    /// Drops the output and writes the input until the program has ended.
    pub(crate) fn wait(mut self) -> ExitReason {
        loop {
            if self.input.is_empty() {
                self.child.close_input();
            }
            let turn = self.child.turn(None, !self.input.is_empty(), &mut Dropped);
            match (turn, self.child.end()) {
                (Err(error), _) => return unknown_end(&error),
                (_, Some(reason)) => return reason.clone(),
                // The program may read its input no more.
                (Ok(turn), None) if turn.has_room => {
                    if self.input.write(&mut self.child).is_err() {
                        self.input = Unwritten::default();
                    }
                }
                (Ok(_), None) => {}
            }
        }
    }
}

/// Returns the end of a child that the system does not let us wait for.
pub(crate) fn unknown_end(error: &std::io::Error) -> ExitReason {
    let errno = error.raw_os_error().unwrap_or_default();
    Err(ProcessTerminated::unknown(UnknownEnd::WaitRefused(errno)))
}

struct Dropped;

impl Sink for Dropped {
    fn on_data(&mut self, _: ChildFd, _: &mut Vec<u8>) {}
}
