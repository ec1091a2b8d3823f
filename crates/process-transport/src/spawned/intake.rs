//! [`Intake`]: what a blocking wait reads outputs into, and how much it asks for.

use procession_core::driver::{Direction, PipeGrowth};
use procession_protocol::ChildFd;
use rustix::buffer::spare_capacity;

use super::growing_pipe::GrowingPipe;
use crate::launch::ParentEnd;

/// The size of one read, in bytes: the capacity of a pipe of the system's size.
pub(super) const USUAL_BYTES: usize = PipeGrowth::BUFFER_BYTES;
/// The size of one read after a read of a whole buffer, in bytes.
const BULK_BYTES: usize = 256 << 10;

/// The vector for the next read, and the outputs that were read so far.
#[derive(Debug)]
pub(super) struct Intake {
    pub(super) buffer: Vec<u8>,
    /// The command lets pipes grow.
    grows: bool,
    outputs: Vec<OutputFlow>,
}

/// How much comes from one output.
#[derive(Debug)]
struct OutputFlow {
    fd: ChildFd,
    pipe: GrowingPipe,
    /// The last read filled a buffer of the usual size, so more data are likely to follow.
    is_bulk: bool,
}

impl Intake {
    pub(super) fn new(grows: bool) -> Self {
        Self { buffer: Vec::new(), grows, outputs: Vec::new() }
    }

    /// Reads once into the vector, which is empty before. Returns the number of bytes.
    pub(super) fn read(&mut self, end: &ParentEnd) -> rustix::io::Result<usize> {
        let at = self.outputs.iter().position(|output| output.fd == end.fd);
        let at = at.unwrap_or_else(|| {
            let pipe = GrowingPipe::new(self.grows && end.direction == Direction::Read);
            self.outputs.push(OutputFlow { fd: end.fd, pipe, is_bulk: false });
            self.outputs.len() - 1
        });
        let output = &mut self.outputs[at];
        self.buffer.clear();
        self.buffer.reserve(if output.is_bulk { BULK_BYTES } else { USUAL_BYTES });
        let wanted = self.buffer.capacity();
        let bytes = rustix::io::retry_on_intr(|| {
            rustix::io::read(&end.end, spare_capacity(&mut self.buffer))
        })?;
        output.is_bulk = bytes >= USUAL_BYTES;
        output.pipe.on_moved(&end.end, bytes, bytes == wanted);
        Ok(bytes)
    }
}
