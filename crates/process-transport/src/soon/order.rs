//! One launch on a launch thread, and its way back.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use procession_reactor::{Handle, Remote};

use crate::command::Command;
use crate::error::SpawnError;
use crate::program_end::AtProgramEnd;
use crate::spawned::Spawned;
use crate::sys::launch_threads::ThreadIdentity;

/// A child to launch.
pub(super) struct LaunchOrder {
    pub(super) id: u64,
    pub(super) command: Box<Command>,
    pub(super) end: AtProgramEnd,
    /// What the child would have from the thread that asks; a launch thread must have the same.
    pub(super) identity: ThreadIdentity,
    /// The signals that the thread that asks blocks.
    pub(super) mask: Option<u64>,
    pub(super) replies: Arc<Replies>,
}

/// What has become of an order.
pub(super) struct LaunchReply {
    pub(super) id: u64,
    pub(super) command: Box<Command>,
    pub(super) outcome: Outcome,
}

pub(super) enum Outcome {
    Launched(Spawned),
    Failed(SpawnError),
    /// The child would not have from a launch thread what it would have from the one that asks. Nothing
    /// has happened.
    OtherIdentity,
    /// Code of the program has panicked: that of an inherited descriptor.
    Panicked(Box<dyn Any + Send>),
}

impl LaunchOrder {
    /// Launches on this thread, and replies.
    pub(super) fn launch(self) {
        let Self { id, command, end, identity, mask, replies } = self;
        let outcome = if ThreadIdentity::of_this_thread().as_ref() == Some(&identity) {
            launched(&command, end, mask)
        } else {
            Outcome::OtherIdentity
        };
        replies.put(LaunchReply { id, command, outcome });
    }
}

fn launched(command: &Command, end: AtProgramEnd, mask: Option<u64>) -> Outcome {
    let launch = || Spawned::launch(command, end, mask);
    // Whatever the panic leaves is dropped.
    match panic::catch_unwind(AssertUnwindSafe(launch)) {
        Ok(Ok(mut spawned)) => {
            spawned.make_pipes_nonblocking();
            Outcome::Launched(spawned)
        }
        Ok(Err(error)) => Outcome::Failed(error),
        Err(panic) => Outcome::Panicked(panic),
    }
}

impl LaunchReply {
    /// Ends a child that nobody waits for.
    pub(super) fn end_now(self) {
        if let Outcome::Launched(spawned) = self.outcome {
            spawned.end_now();
        }
    }
}

/// The replies to one reactor that it has not taken yet.
pub(super) struct Replies {
    queue: Mutex<ReplyQueue>,
    /// Signals that a reply is in the queue, and that a thread has told the loop of one, if the loop waits.
    changed: Condvar,
    remote: Remote,
    /// Is called on the loop for each reply.
    on_reply: fn(&Handle),
}

#[derive(Default)]
struct ReplyQueue {
    replies: VecDeque<LaunchReply>,
    /// How many threads are telling the loop of a reply.
    being_told: usize,
    /// The loop's thread waits for a reply, or for the threads that are telling it of one.
    is_awaited: bool,
    /// Nobody takes any more.
    is_closed: bool,
}

impl Replies {
    pub(super) fn new(remote: Remote, on_reply: fn(&Handle)) -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new(), remote, on_reply }
    }

    fn lock(&self) -> MutexGuard<'_, ReplyQueue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, reply: LaunchReply) {
        let mut queue = self.lock();
        if queue.is_closed {
            drop(queue);
            return reply.end_now();
        }
        queue.replies.push_back(reply);
        queue.being_told += 1;
        self.notify(queue);
        // Without the lock, because the loop takes it at once.
        self.remote.call(self.on_reply);
        let mut queue = self.lock();
        queue.being_told -= 1;
        self.notify(queue);
    }

    /// Signals a change. To signal it to nobody would still be a system call.
    fn notify(&self, queue: MutexGuard<'_, ReplyQueue>) {
        let is_awaited = queue.is_awaited;
        drop(queue);
        if is_awaited {
            self.changed.notify_one();
        }
    }

    pub(super) fn take(&self) -> Option<LaunchReply> {
        self.lock().replies.pop_front()
    }

    /// Waits for a reply, and takes it.
    pub(super) fn wait(&self, at_most: Duration) -> Option<LaunchReply> {
        let is_empty = |queue: &mut ReplyQueue| queue.replies.is_empty();
        let mut queue = self.lock();
        queue.is_awaited = true;
        let waited = self.changed.wait_timeout_while(queue, at_most, is_empty);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        queue.is_awaited = false;
        queue.replies.pop_front()
    }

    /// Has the launch threads end every further child, and waits until none of them uses the reactor's
    /// descriptor for wake-ups any more. Returns the replies that are left.
    pub(super) fn close(&self) -> VecDeque<LaunchReply> {
        let mut queue = self.lock();
        queue.is_closed = true;
        queue.is_awaited = true;
        let is_used = |queue: &mut ReplyQueue| queue.being_told > 0;
        let queue = self.changed.wait_while(queue, is_used);
        std::mem::take(&mut queue.unwrap_or_else(PoisonError::into_inner).replies)
    }
}
