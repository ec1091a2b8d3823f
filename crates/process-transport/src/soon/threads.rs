//! The launch threads, as one reactor uses them.

use std::cell::Cell;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use procession_reactor::driver::{EventHandler, Key};
use procession_reactor::{Handle, Interest};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::NotGiven;
pub(super) use crate::launch::{LaterLaunch, NotLaunched};
use crate::sys::launch_threads::{Pool, Replies, Reply, mail, pool, receive};

/// What became of an order.
pub(super) enum Ordered {
    UnderWay,
    /// This thread must launch it.
    NotSent,
    Failed(SpawnError),
}

/// The way to the launch threads and back.
pub(super) struct Threads {
    pool: &'static Pool,
    asker: u64,
    replies: Arc<Replies>,
    /// Until it is watched.
    receiver: Cell<Option<OwnedFd>>,
    /// The source of the replies.
    key: Cell<Option<Key>>,
}

/// Returns whether the launch threads can launch it: they run no closures, and in their table the folder
/// of a scope has no number.
pub(super) fn can_launch(command: &Command) -> bool {
    command.identity.pre_exec.is_empty() && command.identity.scope.is_none()
}

impl Threads {
    pub(super) fn start(asker: u64) -> io::Result<Self> {
        let pool = pool()?;
        let (sender, receiver) = mail()?;
        pool.register(asker, &sender)?;
        Ok(Self {
            pool,
            asker,
            replies: Arc::new(Replies::new(asker)),
            receiver: Cell::new(Some(receiver.into_fd())),
            key: Cell::new(None),
        })
    }

    /// Has the reactor report replies. If it cannot, nothing is ordered.
    pub(super) fn watch(&self, reactor: &Handle, handler: Rc<dyn EventHandler>) {
        if let Some(receiver) = self.receiver.take() {
            let key = reactor.io().add_source(receiver, Interest::READABLE, handler, 0);
            self.key.set(key.ok());
        }
    }

    pub(super) fn are_usable(&self) -> bool {
        self.key.get().is_some()
    }

    /// Returns whether this process made it: a forked copy has no launch threads.
    pub(super) fn is_own(&self) -> bool {
        self.pool.is_own()
    }

    pub(super) fn order(&self, launch: &mut LaterLaunch, id: u64) -> Ordered {
        match launch.order(self.pool, id, &self.replies) {
            Ok(()) => Ordered::UnderWay,
            Err(NotGiven::NotSent) => Ordered::NotSent,
            Err(NotGiven::Failed(error)) => Ordered::Failed(error),
        }
    }

    /// Takes a launch back; returns false if a thread has begun it.
    pub(super) fn withdraw(&self, id: u64) -> bool {
        self.pool.withdraw(id).is_some()
    }

    /// Receives the next reply, with the descriptors of the child.
    pub(super) fn receive(&self, reactor: &Handle) -> Option<(Reply, Vec<OwnedFd>)> {
        let received = reactor.io().with_owned(self.key.get()?, receive)?;
        let message = received.ok()??;
        Some((self.replies.take(message.id)?, message.fds))
    }

    /// Waits for a reply. Returns false if none can come any more.
    pub(super) fn wait(&self, reactor: &Handle, at_most: Duration) -> bool {
        let Some(key) = self.key.get() else { return false };
        let wait = |fd: BorrowedFd<'_>| {
            let mut fds = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
            let timeout = Timespec::try_from(at_most).ok();
            let polled = poll(&mut fds, timeout.as_ref());
            polled.is_ok_and(|ready| ready > 0) || polled == Err(rustix::io::Errno::INTR)
        };
        reactor.io().with_owned(key, wait).unwrap_or(false)
    }

    /// Ends it. A child that a thread still launches is ended there.
    pub(super) fn close(&self, reactor: &Handle) {
        if self.pool.is_own() {
            self.pool.forget(self.asker);
        }
        if let Some(key) = self.key.take() {
            reactor.io().close(key);
        }
    }
}
