//! [`ReadProducer`]: feeds a child or a connection from anything that implements [`Read`].

use std::fmt;
use std::io::{self, ErrorKind, Read};

use procession_core::{Deferred, Promise, WriteError};

use crate::{Pace, Producer, Transport};

/// The most bytes that are read at once: the capacity of a child's pipe.
const CHUNK_BYTES: usize = 64 << 10;

/// Writes the data of a [`Read`] to a child's descriptor, or to a connection. At the end, it closes the
/// descriptor of a child, and ends the writing direction of a connection.
///
/// It is a pull producer, whatever [`Pace`] it is registered with. It reads a chunk of up to 64 KiB each
/// time the queue is empty. So at most 64 KiB wait in memory, however slowly the child
/// reads. A read that blocks also blocks the loop, so use it for files and for data in memory.
///
/// # Examples
///
/// ```
/// use procession::{FakeProcess, Pace, ProcessProtocol, ReadProducer};
///
/// struct Quiet;
/// impl ProcessProtocol for Quiet {}
///
/// let fake = FakeProcess::new(Quiet);
/// let (producer, sent) = ReadProducer::new("two\nlines\n".as_bytes());
/// fake.process().register_producer(0, Pace::Pull, producer).unwrap();
/// assert_eq!(fake.written(0), "two\nlines\n");
/// assert!(fake.is_closed(0));
/// assert_eq!(sent.try_take().unwrap().unwrap(), 10);
/// ```
#[doc(alias = "FileSender")]
pub struct ReadProducer<R> {
    read: R,
    buffer: Vec<u8>,
    sent_bytes: u64,
    finished: Promise<u64, io::Error>,
}

impl<R: Read> ReadProducer<R> {
    /// Returns a producer, and a `Deferred` of the number of bytes that it has written by the end.
    ///
    /// The `Deferred` fails with the error of a read (including `WouldBlock`, but not `Interrupted`);
    /// then the output ends as at the end of the data. It fails with `BrokenPipe` if the output is lost
    /// before the end.
    pub fn new(read: R) -> (Self, Deferred<u64, io::Error>) {
        let (finished, result) = Deferred::new();
        (Self { read, buffer: Vec::new(), sent_bytes: 0, finished }, result)
    }

    fn read(&mut self) -> io::Result<usize> {
        self.buffer.resize(CHUNK_BYTES, 0);
        loop {
            match self.read.read(&mut self.buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn finish(&self, transport: &Transport, result: io::Result<u64>) {
        transport.unregister_producer();
        transport.shutdown_write();
        self.finished.complete(result);
    }
}

impl<R: Read> Producer for ReadProducer<R> {
    fn resume(&mut self, transport: &Transport) {
        let read = match self.read() {
            Ok(0) => return self.finish(transport, Ok(self.sent_bytes)),
            Ok(read) => read.min(self.buffer.len()),
            Err(error) => return self.finish(transport, Err(error)),
        };
        let chunk = if read < CHUNK_BYTES / 4 {
            self.buffer[..read].to_vec()
        } else {
            let mut chunk = std::mem::take(&mut self.buffer);
            chunk.truncate(read);
            chunk
        };
        match transport.try_write(chunk) {
            Ok(()) => self.sent_bytes += u64::try_from(read).unwrap_or(0),
            Err(error) => self.finish(transport, Err(error.into())),
        }
    }

    fn pace(&self, _: Pace) -> Pace {
        Pace::Pull
    }

    fn stop(&mut self, _: &Transport) {
        self.finished.complete(Err(WriteError::Closed.into()));
    }
}

impl<R> fmt::Debug for ReadProducer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadProducer").field("sent_bytes", &self.sent_bytes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use procession_core::Failed;

    use super::*;
    use crate::{FakeProcess, ProcessProtocol};

    struct Quiet;
    impl ProcessProtocol for Quiet {}

    fn error<T>(result: Option<Result<T, Failed<io::Error>>>) -> Option<ErrorKind> {
        Some(result?.err()?.error()?.kind())
    }

    #[test]
    fn no_more_than_a_chunk_waits_for_a_slow_child() {
        let mut fake = FakeProcess::new(Quiet);
        fake.hold_writes(0);
        let data = vec![b'x'; 10 * CHUNK_BYTES];
        let (producer, sent) = ReadProducer::new(io::Cursor::new(data));
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        fake.turn();
        assert_eq!(fake.process().write_buffered(0), CHUNK_BYTES);
        fake.child_reads(0, CHUNK_BYTES);
        assert_eq!(fake.process().write_buffered(0), CHUNK_BYTES);
        assert!(sent.try_take().is_none());
        fake.release_writes(0);
        assert_eq!(fake.written(0).len(), 10 * CHUNK_BYTES);
        assert!(fake.is_closed(0) && sent.try_take().is_some_and(|sent| sent.is_ok()));
    }

    #[test]
    fn it_sends_whatever_the_pace_of_its_registration() {
        for pace in [Pace::Push, Pace::Pull] {
            let fake = FakeProcess::new(Quiet);
            let data = vec![b'x'; 10 * CHUNK_BYTES];
            let (producer, sent) = ReadProducer::new(io::Cursor::new(data));
            fake.process().register_producer(0, pace, producer).unwrap();
            assert_eq!(fake.written(0).len(), 10 * CHUNK_BYTES, "{pace:?}");
            assert!(fake.is_closed(0) && sent.try_take().is_some_and(|sent| sent.is_ok()));
        }
    }

    #[test]
    fn a_child_that_closes_its_input_breaks_the_pipe() {
        let mut fake = FakeProcess::new(Quiet);
        fake.hold_writes(0);
        let (producer, sent) = ReadProducer::new(io::repeat(b'x'));
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        fake.exit(0);
        assert_eq!(error(sent.try_take()), Some(ErrorKind::BrokenPipe));
    }

    #[test]
    fn the_error_of_a_read_is_reported_and_the_descriptor_is_closed() {
        struct Fails(u32);
        impl Read for Fails {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                match self.0 {
                    1 => Err(ErrorKind::Interrupted.into()),
                    2 => (&b"some"[..]).read(buffer),
                    _ => Err(ErrorKind::InvalidData.into()),
                }
            }
        }
        let fake = FakeProcess::new(Quiet);
        let (producer, sent) = ReadProducer::new(Fails(0));
        fake.process().register_producer(0, Pace::Pull, producer).unwrap();
        assert_eq!(fake.written(0), "some");
        assert!(fake.is_closed(0));
        assert_eq!(error(sent.try_take()), Some(ErrorKind::InvalidData));
    }
}
