//! The life of a crowd, in four rounds of one process: the children are spawned, pass a byte each,
//! take memory, and end.

use anyhow::Result;

use super::crowd::resident_bytes;
use crate::clock::{Stopwatch, float};
use crate::job::{Job, Ready};

/// Children that copy their input to their output, on one loop.
pub(crate) trait EchoingCrowd: 'static {
    /// Starts `count` more children.
    fn spawn(&mut self, count: u64) -> Result<()>;

    /// Passes one byte through each child and back, one child after the other.
    fn echo(&mut self) -> Result<()>;

    /// Closes the input of all children, and waits for their ends.
    fn end(&mut self) -> Result<()>;
}

/// Returns the microseconds of a spawn, those of an echo, the bytes of a child, and the microseconds
/// of an end: one figure in each round.
pub(crate) fn rounds(job: &Job, mut crowd: impl EchoingCrowd) -> Result<Ready> {
    let count = job.crowd;
    // Start one child first, so that one-time allocations are not counted.
    crowd.spawn(1)?;
    crowd.echo()?;
    let before = resident_bytes()?;
    let mut round = 0;
    Ok(Ready::rounds(move || {
        round += 1;
        let watch = Stopwatch::start();
        match round {
            1 => crowd.spawn(count)?,
            2 => {
                // The first byte finds children that have not read yet.
                crowd.echo()?;
                let watch = Stopwatch::start();
                crowd.echo()?;
                return Ok(watch.micros_each(count + 1));
            }
            3 => return Ok(float(resident_bytes()?.saturating_sub(before)) / float(count)),
            _ => crowd.end()?,
        }
        Ok(watch.micros_each(count))
    }))
}
