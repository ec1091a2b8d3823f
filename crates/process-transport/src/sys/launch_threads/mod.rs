//! Threads that launch children for others, so that a loop need not stand still.
//!
//! # Model
//!
//! The first [`pool()`] of a process starts two threads, which live as long as the process. They sleep
//! until there is an order, or poll for one for a moment after a launch (`waiting`). `orders` is the
//! queue, `thread` the life of such a thread, `work` one launch, `mail` the messages with descriptors.
//!
//! A launch thread has a descriptor table of its own, if the kernel gives it one. So:
//!
//! * No number of the process means anything on it, and no number of it anywhere else. It runs only
//!   code of `sys`, owns only descriptors that it received or made, and drops no value from elsewhere
//!   that owns one. A [`LaunchJob`] owns none.
//! * Its one way to say something is a message on a socket: `MailSender` and `MailReceiver`. The
//!   results beside the descriptors lie in the [`Replies`] of the one who asked.
//! * It blocks all signals, since a handler would find other descriptors on the numbers that it
//!   knows. The signals of the C library, by which `setuid(2)` reaches every thread, stay open.
//! * The place of its child in the table of owned children has no pidfd, until the receiver of the
//!   message adds one.
//! * A child's parent death signal comes when the process ends, because the thread ends then.
//!
//! A launch whose message cannot be sent has nobody who waits for it: the thread kills and reaps the
//! child, with the group that it leads.
//!
//! A forked copy has no launch threads. A [`Pool`] belongs to the process that made it, and a copy
//! makes another one, without a look at the locks of the first.

mod identity;
mod job;
mod mail;
mod orders;
mod pool;
mod thread;
mod waiting;
mod work;

pub(crate) use self::identity::ThreadIdentity;
pub(crate) use self::job::{
    LaunchJob, MOST_FDS, Replies, Reply, ThreadError, WantedFd, WantedSource,
};
pub(crate) use self::mail::{mail, receive};
pub(crate) use self::pool::{Pool, pool};
