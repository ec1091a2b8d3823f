//! What a launch thread is asked for, and what it replies: plain memory.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use procession_protocol::SpawnPath;

use super::identity::ThreadIdentity;
use crate::sys::fd_step::{FdMove, FdStep};
use crate::sys::mailbox;
use crate::sys::outcome::LaunchError;
use crate::sys::owned::Place;
use crate::sys::request::Request;

/// The most descriptors that a child of a launch thread can have, or its parent.
pub(crate) const MOST_FDS: usize = mailbox::MAX_FDS;

/// One child to launch.
pub(crate) struct LaunchJob {
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) request: Request,
    /// The spawn path that the command forces.
    pub(crate) path: Option<SpawnPath>,
    /// The child's descriptors; as for `launch`, those of its map are sorted by target.
    pub(crate) wanted: Vec<WantedFd>,
    /// The child leads the group that has its pid.
    pub(crate) leads_group: bool,
    /// What the child would have from the thread that asks; a launch thread must have the same.
    pub(crate) identity: ThreadIdentity,
    /// See `launch`.
    pub(crate) plan: fn(&[FdMove]) -> Vec<FdStep>,
    pub(crate) replies: Arc<Replies>,
}

impl LaunchJob {
    /// Returns how many descriptors travel with the order.
    pub(crate) fn given(&self) -> usize {
        self.wanted.iter().filter(|one| matches!(one.source, WantedSource::Given(_))).count()
    }
}

/// A descriptor for the child, which may not exist yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WantedFd {
    pub(crate) target: i32,
    pub(crate) source: WantedSource,
    /// The exec closes it.
    pub(crate) until_exec: bool,
}

/// Where a descriptor for the child comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantedSource {
    /// It travels with the order, at this place.
    Given(usize),
    /// A new pipe; the parent gets the writing end.
    ToChild,
    /// A new pipe; the parent gets the reading end.
    FromChild,
    /// A new pair of sockets; the parent gets the other one.
    Socketpair,
    /// `/dev/null`.
    Null,
    /// That of another number.
    SameAs(i32),
}

impl WantedSource {
    /// Returns whether the parent gets an end.
    pub(crate) fn has_parent_end(self) -> bool {
        matches!(self, Self::ToChild | Self::FromChild | Self::Socketpair)
    }
}

/// A child that a launch thread has started, beside its descriptors.
#[derive(Debug)]
pub(crate) struct LaunchedThere {
    pub(crate) pid: u32,
    /// It has no pidfd yet.
    pub(crate) place: Option<Place>,
    /// The first descriptor of the message is the pidfd; the others are the parent's ends.
    pub(crate) has_pidfd: bool,
    pub(crate) path: SpawnPath,
    pub(crate) parent_peak_kib: i64,
}

/// Why a launch thread has started no child.
#[derive(Debug)]
pub(crate) enum ThreadError {
    Launch(LaunchError),
    /// The child would not have from this thread what it would have from the one that asks. Nothing
    /// has happened.
    OtherIdentity,
    /// The descriptor for this target could not be made.
    Make(i32, io::Error),
    /// The message could not be sent, or the descriptors of the order not be received. No child is
    /// left.
    Mail(io::Error),
}

/// The end of a job.
pub(crate) struct Reply {
    pub(crate) id: u64,
    /// As in the job.
    pub(crate) request: Request,
    pub(crate) result: Result<LaunchedThere, ThreadError>,
}

/// The replies to one asker, each of which is announced by a message.
pub(crate) struct Replies {
    /// The number by which the threads know its socket.
    pub(super) asker: u64,
    replies: Mutex<Vec<Reply>>,
}

impl Replies {
    pub(crate) fn new(asker: u64) -> Self {
        Self { asker, replies: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Reply>> {
        self.replies.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn put(&self, reply: Reply) {
        self.lock().push(reply);
    }

    /// Takes the reply to a job.
    pub(crate) fn take(&self, id: u64) -> Option<Reply> {
        let mut replies = self.lock();
        let at = replies.iter().position(|reply| reply.id == id)?;
        Some(replies.swap_remove(at))
    }
}
