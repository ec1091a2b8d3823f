//! A descriptor in the poller of whatever runtime polls it.
//!
//! # Model
//!
//! A source is *idle* until a call would block. Only then the runtime of that moment gets it. So a
//! descriptor on which nothing ever blocks costs no `epoll_ctl(2)`, and making a source needs no
//! runtime.
//!
//! A poll that cannot go on checks whether it runs in another runtime than the one that has the
//! source, and moves it. The first runtime may be gone by then, or nobody may drive it.

use std::io;
use std::mem;
use std::os::fd::AsRawFd;
use std::task::{Context, Poll, ready};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::{self, Handle};
use tokio::task::coop::poll_proceed;

/// Returns the runtime of this moment; the error says that there is none.
pub(crate) fn current_runtime() -> io::Result<Handle> {
    Handle::try_current().map_err(io::Error::other)
}

/// A descriptor, with the runtime that watches it, if one does.
#[derive(Debug)]
pub(crate) struct Source<T: AsRawFd> {
    state: SourceState<T>,
    interest: Interest,
}

#[derive(Debug)]
enum SourceState<T: AsRawFd> {
    Idle(T),
    Watched(AsyncFd<T>, runtime::Id),
    /// Only inside of a method, and after a runtime has refused the descriptor and lost it.
    Gone,
}

/// The result of a call on the descriptor.
pub(crate) struct Moved<R> {
    pub(crate) result: R,
    /// The call took everything that was there, so the next one would block.
    pub(crate) is_exhausted: bool,
}

impl<T: AsRawFd> Source<T> {
    pub(crate) fn new(fd: T, interest: Interest) -> Self {
        Self { state: SourceState::Idle(fd), interest }
    }

    /// Returns the descriptor.
    pub(crate) fn get(&self) -> Option<&T> {
        match &self.state {
            SourceState::Idle(fd) => Some(fd),
            SourceState::Watched(watched, _) => Some(watched.get_ref()),
            SourceState::Gone => None,
        }
    }

    /// Takes the descriptor out of the poller.
    pub(crate) fn into_inner(self) -> Option<T> {
        match self.state {
            SourceState::Idle(fd) => Some(fd),
            SourceState::Watched(watched, _) => Some(watched.into_inner()),
            SourceState::Gone => None,
        }
    }

    /// Calls until a call does not answer `WouldBlock`.
    pub(crate) fn poll_call<R>(
        &mut self,
        context: &mut Context<'_>,
        mut call: impl FnMut(&T) -> io::Result<Moved<R>>,
    ) -> Poll<io::Result<R>> {
        loop {
            match &self.state {
                SourceState::Idle(fd) => {
                    // A watched source does the same, inside of tokio.
                    let progress = ready!(poll_proceed(context));
                    match call(fd) {
                        Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                        moved => {
                            progress.made_progress();
                            return Poll::Ready(moved.map(|moved| moved.result));
                        }
                    }
                    drop(progress);
                    self.watch()?;
                }
                SourceState::Watched(watched, _) => {
                    let ready = if self.interest.is_readable() {
                        watched.poll_read_ready(context)
                    } else {
                        watched.poll_write_ready(context)
                    };
                    match ready {
                        Poll::Ready(Ok(mut guard)) => match call(watched.get_ref()) {
                            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                                guard.clear_ready();
                            }
                            Ok(Moved { result, is_exhausted }) => {
                                if is_exhausted {
                                    guard.clear_ready();
                                }
                                return Poll::Ready(Ok(result));
                            }
                            Err(error) => return Poll::Ready(Err(error)),
                        },
                        _ if self.is_elsewhere() => self.watch()?,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Pending => return Poll::Pending,
                    }
                }
                SourceState::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
        }
    }

    /// Waits until the descriptor is ready, and lets it stay so.
    pub(crate) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            if let SourceState::Watched(watched, _) = &self.state {
                let ready = watched.poll_read_ready(context).map_ok(drop);
                if matches!(ready, Poll::Ready(Ok(()))) || !self.is_elsewhere() {
                    return ready;
                }
            }
            self.watch()?;
        }
    }

    /// Returns whether this thread is in another runtime than the one that watches the source.
    fn is_elsewhere(&self) -> bool {
        match (&self.state, Handle::try_current()) {
            (SourceState::Watched(_, watching), Ok(current)) => current.id() != *watching,
            _ => false,
        }
    }

    /// Gives the descriptor to the current runtime.
    fn watch(&mut self) -> io::Result<()> {
        let runtime = current_runtime()?.id();
        let state = mem::replace(&mut self.state, SourceState::Gone);
        let fd = match state {
            SourceState::Idle(fd) => fd,
            SourceState::Watched(watched, _) => watched.into_inner(),
            SourceState::Gone => return Err(io::ErrorKind::NotConnected.into()),
        };
        #[expect(deprecated, reason = "its successor is unsafe, and newer than our oldest tokio")]
        let watched = AsyncFd::try_with_interest(fd, self.interest);
        match watched {
            Ok(watched) => {
                self.state = SourceState::Watched(watched, runtime);
                Ok(())
            }
            Err(error) => {
                let (fd, error) = error.into_parts();
                self.state = SourceState::Idle(fd);
                Err(error)
            }
        }
    }
}
