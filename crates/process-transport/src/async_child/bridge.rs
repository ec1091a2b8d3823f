//! The protocol of an async child: it copies its events into the shared state.

use std::rc::Rc;

use bytes::Bytes;
use procession_protocol::{ChildFd, ExitReason, Process, ProcessProtocol};

use super::shared::SharedState;

/// The protocol of an async child.
pub(super) struct Bridge(pub(super) Rc<SharedState>);

impl ProcessProtocol for Bridge {
    fn child_data_received(&mut self, process: &Process, fd: ChildFd, data: Bytes) {
        let mut data = Some(data);
        let pause = self.0.change_output(fd, |output| output.take_in(&mut data));
        drop(data); // no borrow is held here
        if pause {
            process.pause(fd);
        }
    }

    fn child_read_closed(&mut self, _: &Process, fd: ChildFd) {
        self.0.change_output(fd, |output| output.ended = true);
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        self.0.change_output(fd, |output| output.ended = true);
        self.0.change(|state| {
            state.lost.insert(fd);
        });
    }

    fn child_write_buffer_drained(&mut self, _: &Process, _: ChildFd) {
        self.0.change(|_| {});
    }

    fn process_exited(&mut self, _: &Process, reason: ExitReason) {
        self.0.change(|state| state.exited = Some(reason));
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.0.change(|state| state.ended = Some(reason));
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.0.change(|state| state.gone = true);
        let fds: Vec<ChildFd> = self.0.0.with(|state| state.outputs.keys().copied().collect());
        for fd in fds {
            self.0.change_output(fd, |_| {});
        }
    }
}
