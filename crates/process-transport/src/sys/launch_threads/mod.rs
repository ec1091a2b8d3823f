//! Threads that launch children for others, so that a loop need not stand still.
//!
//! The first [`pool()`] of a process starts two threads, which live as long as the process. They sleep
//! until there is an order, or poll for one for a moment after a launch (`waiting`). `orders` is the queue,
//! `pool` the life of the threads, and `identity` what a child has from its thread and not from the process.
//!
//! * A launch thread blocks all signals, so that no handler of the program runs there and delays a launch.
//!   The signals of the C library, by which `setuid(2)` reaches every thread, stay open.
//! * Its spawning socketpair is made before it starts, on a low number if `reserve_spawn_fds` has reserved
//!   one: see `launch`.
//! * A child's parent death signal comes when the process ends, because the thread ends then.
//!
//! A forked copy has no launch threads. A [`Pool`] belongs to the process that made it, and a copy
//! makes another one, without a look at the locks of the first.

mod identity;
mod orders;
mod pool;
mod waiting;

pub(crate) use self::identity::ThreadIdentity;
pub(crate) use self::pool::{Pool, pool, reserve};
