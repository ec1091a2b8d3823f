//! The pipe core: a nonblocking reader and a flushing writer over any descriptor.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;

use procession_core::driver::{PipeGrowth, Spent, WriteQueue};
use rustix::io::Errno;

use crate::handle::Handle;
use crate::readiness::{Interest, Readiness};
use crate::store::buffers::{BULK_BYTES, USUAL_BYTES};
use crate::store::sources::Key;
use crate::sys::sigpipe;

mod opening;
mod outcome;
mod resize;
mod writer;

pub use self::outcome::{FlushOutcome, OpenError, PipeReady, ReadEvent};
use self::resize::set_pipe_size;
use self::writer::Writer;

/// A descriptor in the reactor, with a write queue if it is written to.
///
/// It owns only a key and a [`WriteQueue`], and makes no callbacks. A transport keeps it in its
/// state, calls [`read`](Self::read) and [`flush`](Self::flush), and acts on their results after it
/// has released its borrow.
///
/// The state alone determines what the poller watches: readability while the reader is open and not
/// paused, writability while a write is blocked, hang-ups while a writer is idle. A paused reader,
/// and a writer whose peer has gone, are not in the poller at all. Otherwise a level-triggered loop
/// would spin.
///
/// # Examples
///
/// ```
/// use procession::driver::core::{Direction, Spent};
/// use procession::{Handle, IntoBytes, Reactor};
/// use procession::driver::reactor::{EventHandler, FlushOutcome, Pipe, Ready};
/// use std::io::Read;
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
///
/// struct Nobody;
/// impl EventHandler for Nobody {
///     fn ready(self: Rc<Self>, _: &Handle, _: Ready) {}
/// }
///
/// let reactor = Reactor::new()?;
/// let (here, mut there) = UnixStream::pair()?;
/// here.set_nonblocking(true)?;
/// let mut pipe = Pipe::open(&reactor, here.into(), Direction::Write, Rc::new(Nobody), 0)?;
/// pipe.queue().unwrap().on_write("hello".into_bytes()).unwrap();
/// let mut spent = Spent::new();
/// assert!(matches!(pipe.flush(&reactor, &mut spent), FlushOutcome::Idle));
/// drop(pipe.close(&reactor));
/// let mut text = String::new();
/// there.read_to_string(&mut text)?;
/// assert_eq!(text, "hello");
/// # std::io::Result::Ok(())
/// ```
pub struct Pipe {
    key: Key,
    /// The interest that the poller has.
    interest: Interest,
    /// The poller refused the descriptor, which is then always ready.
    always_ready: bool,
    reader: Option<Reader>,
    /// Boxed, because many pipes are only read.
    writer: Option<Box<Writer>>,
    growth: PipeGrowth,
}

#[derive(Debug)]
struct Reader {
    paused: bool,
    /// The last read filled a buffer of the usual size, so more data are likely to follow.
    bulk: bool,
}

impl Pipe {
    /// The most bytes that one read asks for, except in bulk.
    pub const READ_BUFFER_BYTES: usize = USUAL_BYTES;
    /// The most bytes that one read asks for while whole buffers arrive one after another.
    pub const READ_BULK_BYTES: usize = BULK_BYTES;
    /// After a read of this many bytes or more, reading again in the same turn is worthwhile.
    pub const READ_AGAIN_BYTES: usize = 4096;
    /// The read budget of one source in one turn, in bytes. It leaves time for other sources.
    pub const READ_BUDGET_BYTES: usize = 256 * 1024;

    /// Takes the descriptor out of the reactor. Unwritten data are lost with the queue.
    pub fn into_fd(self, reactor: &Handle) -> Option<OwnedFd> {
        reactor.io().take_fd(self.key)
    }

    /// Lets the pipe grow, in two steps up to 1 MiB, while whole buffers pass one after another.
    ///
    /// If the system refuses, the pipe keeps its size: the memory of pipes is limited per user.
    ///
    /// # Platform
    ///
    /// Has an effect on Linux only. On other systems the size of a pipe cannot be changed.
    pub fn set_adaptive(&mut self) {
        self.growth = PipeGrowth::adaptive();
    }

    /// Notes that `bytes` were moved at once without this pipe's reads and flushes (`splice(2)`).
    /// An [adaptive](Self::set_adaptive) pipe may grow.
    #[inline]
    pub fn on_moved(&mut self, reactor: &Handle, bytes: usize) {
        if let Some(size) = self.growth.on_moved(bytes) {
            self.grow_to(reactor, size);
        }
    }

    /// Returns the source's key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Returns whether the poller refused the descriptor. It is then always ready, without events.
    ///
    /// The transport then reads it in a [`Handle::call_soon`] of its own.
    pub fn is_always_ready(&self) -> bool {
        self.always_ready
    }

    /// Returns the write queue. `None` for a reader, and after [`end_writing`](Self::end_writing).
    #[inline]
    pub fn queue(&mut self) -> Option<&mut WriteQueue> {
        self.writer.as_mut().map(|writer| &mut writer.queue)
    }

    /// Returns whether the reader is open, paused or not.
    #[inline]
    pub fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Returns whether the write queue is still there.
    #[inline]
    pub fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Reads once, paused or not, at most [`READ_BUFFER_BYTES`](Self::READ_BUFFER_BYTES).
    ///
    /// After [`ReadEvent::End`] or [`ReadEvent::Lost`] the caller must end the reading or close the
    /// pipe. Otherwise the same event is reported again.
    #[inline]
    pub fn read(&mut self, reactor: &Handle) -> ReadEvent {
        self.read_within(reactor, USUAL_BYTES)
    }

    /// Reads once. Asks for [`READ_BULK_BYTES`](Self::READ_BULK_BYTES) if the last read filled its
    /// buffer and `budget`, in bytes, allows it.
    #[inline]
    pub fn read_within(&mut self, reactor: &Handle, budget: usize) -> ReadEvent {
        let Some(reader) = &mut self.reader else { return ReadEvent::End };
        let bulk = reader.bulk && budget >= BULK_BYTES;
        let read = reactor.io().with_owned(self.key, |fd| {
            let read = |buffer: &mut [u8]| {
                rustix::io::retry_on_intr(|| rustix::io::read(fd, &mut *buffer))
            };
            reactor.core.io.buffers.with(|buffers| buffers.read(bulk, read))
        });
        reader.bulk = false;
        match read {
            Some(Ok(data)) if !data.is_empty() => {
                reader.bulk = data.len() >= USUAL_BYTES;
                self.on_moved(reactor, data.len());
                ReadEvent::Data(data)
            }
            Some(Ok(_)) | None => ReadEvent::End,
            Some(Err(Errno::AGAIN)) => ReadEvent::WouldBlock,
            Some(Err(error)) => ReadEvent::Lost(error.into()),
        }
    }

    /// Writes queued data until the queue is empty or the descriptor takes no more. It adds the
    /// written chunks to `spent`. Drop them where nothing is borrowed.
    ///
    /// From here on, a queue that was asked to close accepts nothing more. If the reader is gone,
    /// the outcome is [`FlushOutcome::Lost`] and never SIGPIPE, outside a turn too. The same holds
    /// if a hang-up was seen while the queue waited for room, whatever the write returns then.
    #[inline]
    pub fn flush(&mut self, reactor: &Handle, spent: &mut Spent) -> FlushOutcome {
        let Some(writer) = &mut self.writer else { return FlushOutcome::Idle };
        writer.queue.on_flush_begins();
        let queued = writer.queue.len();
        if !writer.blocked {
            let always_ready = self.always_ready;
            // A turn blocks SIGPIPE itself. Outside a turn the pipe must do it.
            let unguarded = !reactor.core.state.entered.get() && !writer.queue.is_empty();
            let _sigpipe = unguarded.then(sigpipe::block).flatten();
            let written =
                reactor.io().with_owned(self.key, |fd| writer.write(fd, always_ready, spent));
            match written {
                // Do not wait for room after a hang-up while blocked: a terminal that has hung up
                // takes nothing and reports no error.
                Some(Ok(())) if writer.gone_while_blocked => {
                    return FlushOutcome::Lost(Errno::PIPE.into());
                }
                Some(Ok(())) => {}
                Some(Err(error)) => return FlushOutcome::Lost(error.into()),
                None => return FlushOutcome::Lost(ErrorKind::NotConnected.into()),
            }
        }
        let blocked = writer.blocked;
        let done = writer.queue.is_done();
        // A new writer enters the poller here, unless it is about to be closed. All other changes of
        // the interest reach the poller at once.
        let is_watched = self.interest.is_polled() || done;
        let is_settled = blocked == self.interest.writes() && is_watched;
        let watched = if is_settled { Ok(()) } else { self.watch(reactor) };
        match watched {
            Err(error) => FlushOutcome::Lost(error),
            Ok(()) if done => FlushOutcome::Done,
            Ok(()) if blocked => {
                if queued >= PipeGrowth::BUFFER_BYTES {
                    self.on_moved(reactor, PipeGrowth::BUFFER_BYTES);
                }
                FlushOutcome::Blocked
            }
            Ok(()) => FlushOutcome::Idle,
        }
    }

    /// Returns what an event means for this pipe, and changes what the poller watches if necessary.
    #[inline]
    pub fn on_ready(&mut self, reactor: &Handle, readiness: Readiness) -> PipeReady {
        let gone = readiness.hangup || readiness.error;
        let mut ready = PipeReady::default();
        if let Some(reader) = &self.reader {
            ready.readable = !reader.paused && (readiness.readable || gone);
        }
        if let Some(writer) = &mut self.writer {
            if writer.blocked {
                if readiness.writable || gone {
                    writer.blocked = false;
                    writer.gone_while_blocked |= gone;
                    ready.unblocked = true;
                }
            } else if gone && !writer.peer_gone {
                writer.peer_gone = true;
                ready.peer_gone = true;
            }
            // An unblocked writer stays watched until its flush, which follows at once. So a writer
            // that blocks again needs no change of the registration. An event changes nothing in
            // what a reader waits for.
            if !ready.unblocked && (ready.peer_gone || self.interest.writes()) {
                // Reducing the interest cannot fail for lack of memory. A source that stays in the
                // poller needlessly only costs time.
                self.watch(reactor).ok();
            }
        }
        ready
    }

    /// Stops reading until [`resume`](Self::resume). A paused pipe causes no wake-ups.
    pub fn pause(&mut self, reactor: &Handle) {
        if let Some(reader) = &mut self.reader {
            reader.paused = true;
        }
        self.watch(reactor).ok(); // as in `on_ready`
    }

    /// Resumes reading.
    ///
    /// # Errors
    ///
    /// The poller's errors, which mean a lack of memory.
    pub fn resume(&mut self, reactor: &Handle) -> io::Result<()> {
        if let Some(reader) = &mut self.reader {
            reader.paused = false;
        }
        self.watch(reactor)
    }

    /// Waits for room although nothing is queued, for writes past the queue (`splice(2)`).
    ///
    /// [`on_ready`](Self::on_ready) reports `unblocked` when there is room. Then call `flush`.
    ///
    /// # Errors
    ///
    /// The poller's errors, which mean a lack of memory.
    pub fn wait_for_room(&mut self, reactor: &Handle) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.blocked = true;
        }
        self.watch(reactor)
    }

    /// Returns whether reading is paused.
    #[inline]
    pub fn is_paused(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.paused)
    }

    /// Ends the reading for good. The descriptor stays open for the writer.
    pub fn end_reading(&mut self, reactor: &Handle) {
        self.reader = None;
        self.watch(reactor).ok(); // as in `on_ready`
    }

    /// Ends the writing for good. The descriptor stays open for the reader.
    ///
    /// The caller shuts a socket down, with [`Io::with_fd`](crate::driver::Io::with_fd).
    pub fn end_writing(&mut self, reactor: &Handle) -> Spent {
        let writer = self.writer.take();
        self.watch(reactor).ok(); // as in `on_ready`
        writer.map_or_else(Spent::new, |mut writer| writer.queue.on_abort())
    }

    /// Closes the descriptor now, and returns the unwritten data.
    pub fn close(mut self, reactor: &Handle) -> Spent {
        reactor.io().close(self.key);
        self.writer.take().map_or_else(Spent::new, |mut writer| writer.queue.on_abort())
    }

    /// Has the poller watch what the state requires.
    #[inline]
    fn watch(&mut self, reactor: &Handle) -> io::Result<()> {
        let reads = self.reader.as_ref().is_some_and(|reader| !reader.paused);
        let (writes, hangup) = self.writer.as_ref().map_or((false, false), |writer| {
            (writer.blocked, !writer.blocked && !writer.peer_gone)
        });
        let interest = Interest::of(reads, writes, hangup);
        if self.always_ready || interest == self.interest {
            return Ok(());
        }
        self.change_interest(reactor, interest)
    }

    #[cold]
    fn grow_to(&mut self, reactor: &Handle, size: usize) {
        if reactor.io().with_owned(self.key, |fd| set_pipe_size(fd, size)) != Some(true) {
            self.growth.on_refused();
        }
    }

    #[cold]
    fn change_interest(&mut self, reactor: &Handle, interest: Interest) -> io::Result<()> {
        reactor.io().set_interest(self.key, interest)?;
        self.interest = interest;
        Ok(())
    }
}

impl fmt::Debug for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe")
            .field("key", &self.key)
            .field("interest", &self.interest)
            .field("reader", &self.reader)
            .field("queued", &self.writer.as_ref().map(|writer| writer.queue.len()))
            .finish_non_exhaustive()
    }
}
