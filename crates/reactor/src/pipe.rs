//! The pipe core: a nonblocking reader and a flushing writer over any descriptor.

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::driver::{Direction, Spent, WriteQueue};
use rustix::io::Errno;

use crate::handle::EventHandler;
use crate::handle::Handle;
use crate::readiness::{Interest, Readiness};
use crate::store::buffers::{BULK_BYTES, USUAL_BYTES};
use crate::store::sources::Key;
use crate::sys::sigpipe;

mod growth;
mod outcome;
mod resize;
mod writer;

use self::growth::{BUFFER_BYTES, PipeGrowth};
pub use self::outcome::{FlushOutcome, OpenError, PipeReady, ReadEvent};
use self::resize::set_pipe_size;
use self::writer::Writer;

/// A descriptor in the reactor, with a write queue if it is written to.
///
/// It owns nothing but a key and a [`WriteQueue`], and calls nobody. A transport keeps it in its
/// state, calls [`read`](Self::read) and [`flush`](Self::flush), and acts on what they return after it
/// has released its borrow.
///
/// What the poller watches follows from the state alone: readability while the reader is open and
/// not paused, writability while a write is blocked, hang-ups while a writer is idle. A paused
/// reader, and a writer whose peer has gone, are not in the poller at all, or a level-triggered
/// loop would spin.
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
    /// As the poller has it.
    interest: Interest,
    /// The poller refuses the descriptor, which is always ready then.
    always_ready: bool,
    reader: Option<Reader>,
    writer: Option<Writer>,
    growth: PipeGrowth,
}

#[derive(Debug)]
struct Reader {
    paused: bool,
    /// The last read filled a buffer of the usual size: there is more than that.
    bulk: bool,
}

impl Pipe {
    /// The most that one read asks for, but of a bulk.
    pub const READ_BUFFER_BYTES: usize = USUAL_BYTES;
    /// The most that one read asks for while whole buffers come one after another.
    pub const READ_BULK_BYTES: usize = BULK_BYTES;
    /// After a read of that many bytes or more it pays to read again in the same turn.
    pub const READ_AGAIN_BYTES: usize = 4096;
    /// How many bytes of one source a transport should read in one turn, so that others have theirs.
    pub const READ_BUDGET_BYTES: usize = 256 * 1024;

    /// Hands a descriptor, which must be `O_NONBLOCK`, to the reactor.
    ///
    /// `handler` is told of its events under `token`, and passes them to
    /// [`on_ready`](Self::on_ready). A regular file, or `/dev/null`, which epoll refuses, is
    /// accepted and [is always ready](Self::is_always_ready).
    ///
    /// # Errors
    ///
    /// [`OpenError`] gives the descriptor back, but where the reactor is gone (`NotConnected`), which
    /// closes it. Its reason is the poller's.
    pub fn open(
        reactor: &Handle,
        fd: OwnedFd,
        direction: Direction,
        handler: Rc<dyn EventHandler>,
        token: u32,
    ) -> Result<Self, OpenError> {
        let reads = matches!(direction, Direction::Read | Direction::Both);
        let writes = matches!(direction, Direction::Write | Direction::Both);
        let key = reactor.io().add_source(fd, Interest::PAUSED, handler, token)?;
        let mut pipe = Self {
            key,
            interest: Interest::PAUSED,
            always_ready: false,
            reader: reads.then_some(Reader { paused: false, bulk: false }),
            writer: writes.then(Writer::new),
            growth: PipeGrowth::never(),
        };
        match pipe.watch(reactor) {
            Ok(()) => Ok(pipe),
            Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                pipe.always_ready = true;
                Ok(pipe)
            }
            Err(error) => Err(OpenError { error, fd: reactor.io().take_fd(key) }),
        }
    }

    /// Takes the descriptor out of the reactor; what was not written is lost with the queue.
    pub fn into_fd(self, reactor: &Handle) -> Option<OwnedFd> {
        reactor.io().take_fd(self.key)
    }

    /// Lets the pipe grow, in two steps up to 1 MiB, while whole buffers pass one after another.
    ///
    /// Where the system refuses, the pipe stays as it is: the memory of pipes is limited per user.
    ///
    /// # Platform
    ///
    /// Without effect where pipes have one size: anywhere but on Linux.
    pub fn set_adaptive(&mut self) {
        self.growth = PipeGrowth::adaptive();
    }

    /// Notes that so many bytes were moved at once past this pipe's reads and flushes
    /// (`splice(2)`): an [adaptive](Self::set_adaptive) pipe may be due to grow.
    #[inline]
    pub fn on_moved(&mut self, reactor: &Handle, bytes: usize) {
        if let Some(size) = self.growth.on_moved(bytes) {
            self.grow_to(reactor, size);
        }
    }

    /// The source's key.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Tells whether the poller refused the descriptor: no event will come, it is always ready.
    ///
    /// The transport then reads it from a [`Handle::call_soon`] of its own.
    pub fn is_always_ready(&self) -> bool {
        self.always_ready
    }

    /// The write queue; `None` for a reader, and after [`end_writing`](Self::end_writing).
    #[inline]
    pub fn queue(&mut self) -> Option<&mut WriteQueue> {
        self.writer.as_mut().map(|writer| &mut writer.queue)
    }

    /// Tells whether there is still something to be read, paused or not.
    #[inline]
    pub fn is_reading(&self) -> bool {
        self.reader.is_some()
    }

    /// Tells whether there is still a queue.
    #[inline]
    pub fn is_writing(&self) -> bool {
        self.writer.is_some()
    }

    /// Reads once, paused or not, [`READ_BUFFER_BYTES`](Self::READ_BUFFER_BYTES) at most.
    ///
    /// After [`ReadEvent::End`] or [`ReadEvent::Lost`] the caller ends the reading or closes the
    /// pipe, or it is told again.
    #[inline]
    pub fn read(&mut self, reactor: &Handle) -> ReadEvent {
        self.read_within(reactor, USUAL_BYTES)
    }

    /// The same with one read for a larger part of a bulk: of [`READ_BULK_BYTES`](Self::READ_BULK_BYTES), where the last
    /// read has filled its buffer and `budget`, in bytes, has room for as much.
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
        let bytes = read.as_ref().and_then(|read| read.as_ref().ok()).map_or(0, Bytes::len);
        reader.bulk = bytes >= USUAL_BYTES;
        match read {
            None => ReadEvent::End,
            Some(Ok(data)) if data.is_empty() => ReadEvent::End,
            Some(Ok(data)) => {
                self.on_moved(reactor, bytes);
                ReadEvent::Data(data)
            }
            Some(Err(Errno::AGAIN)) => ReadEvent::WouldBlock,
            Some(Err(error)) => ReadEvent::Lost(error.into()),
        }
    }

    /// Writes what is queued until the queue is empty or the descriptor takes no more, and adds the
    /// chunks that were written to `spent`, to be dropped where nothing is borrowed.
    ///
    /// From here on a queue that was asked to close takes nothing more. A reader that is gone is an
    /// outcome and never SIGPIPE, outside of a turn too: also one that was seen to hang up while the
    /// queue waited for room, whatever the write says then.
    #[inline]
    pub fn flush(&mut self, reactor: &Handle, spent: &mut Spent) -> FlushOutcome {
        let Some(writer) = &mut self.writer else { return FlushOutcome::Idle };
        writer.queue.on_flush_begins();
        let queued = writer.queue.len();
        if !writer.blocked {
            let always_ready = self.always_ready;
            // A turn keeps SIGPIPE away all along; outside of one there is nobody else to.
            let unguarded = !reactor.core.state.entered.get() && !writer.queue.is_empty();
            let _sigpipe = unguarded.then(sigpipe::block).flatten();
            let written =
                reactor.io().with_owned(self.key, |fd| writer.write(fd, always_ready, spent));
            match written {
                // No room is to be waited for where that was told: a terminal that has hung up takes
                // nothing and does not say so.
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
        // Whatever else changes what is watched has it watched at once.
        let watched = if blocked == self.interest.writes() { Ok(()) } else { self.watch(reactor) };
        match watched {
            Err(error) => FlushOutcome::Lost(error),
            Ok(()) if done => FlushOutcome::Done,
            Ok(()) if blocked => {
                if queued >= BUFFER_BYTES {
                    self.on_moved(reactor, BUFFER_BYTES);
                }
                FlushOutcome::Blocked
            }
            Ok(()) => FlushOutcome::Idle,
        }
    }

    /// Says what an event of this pipe means; changes what the poller watches where it must.
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
        }
        // An unblocked writer is watched as before until its flush, which is due at once: so a
        // writer that blocks again costs no change of the registration.
        if !ready.unblocked {
            // Fewer watches cannot fail for want of memory, and a source that is in vain in the
            // poller is no more than slow.
            self.watch(reactor).ok();
        }
        ready
    }

    /// Stops reading, until [`resume`](Self::resume); costs no wake-ups meanwhile.
    pub fn pause(&mut self, reactor: &Handle) {
        if let Some(reader) = &mut self.reader {
            reader.paused = true;
        }
        self.watch(reactor).ok(); // as in `on_ready`
    }

    /// Reads again.
    ///
    /// # Errors
    ///
    /// Those of the poller, for want of memory.
    pub fn resume(&mut self, reactor: &Handle) -> io::Result<()> {
        if let Some(reader) = &mut self.reader {
            reader.paused = false;
        }
        self.watch(reactor)
    }

    /// Waits for room although nothing is queued, for whoever writes past the queue (`splice(2)`).
    ///
    /// [`on_ready`](Self::on_ready) says `unblocked` when there is room; a flush is due then, as ever.
    ///
    /// # Errors
    ///
    /// The poller has no memory for it.
    pub fn wait_for_room(&mut self, reactor: &Handle) -> io::Result<()> {
        if let Some(writer) = &mut self.writer {
            writer.blocked = true;
        }
        self.watch(reactor)
    }

    /// Tells whether reading is paused.
    #[inline]
    pub fn is_paused(&self) -> bool {
        self.reader.as_ref().is_some_and(|reader| reader.paused)
    }

    /// Ends the reading for good; the descriptor stays open for the writer.
    pub fn end_reading(&mut self, reactor: &Handle) {
        self.reader = None;
        self.watch(reactor).ok(); // as in `on_ready`
    }

    /// Ends the writing for good; the descriptor stays open for the reader.
    ///
    /// A socket is shut down by the caller, with [`Io::with_fd`](crate::driver::Io::with_fd).
    pub fn end_writing(&mut self, reactor: &Handle) -> Spent {
        let writer = self.writer.take();
        self.watch(reactor).ok(); // as in `on_ready`
        writer.map_or_else(Spent::new, |mut writer| writer.queue.on_abort())
    }

    /// Closes the descriptor now, and gives back what was not written.
    pub fn close(mut self, reactor: &Handle) -> Spent {
        reactor.io().close(self.key);
        self.writer.take().map_or_else(Spent::new, |mut writer| writer.queue.on_abort())
    }

    /// Has the poller watch what the state asks for.
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
