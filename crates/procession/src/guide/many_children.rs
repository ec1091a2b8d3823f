//! Starting children without standing still.
//!
//! [`spawn_process`](crate::SpawnProcess::spawn_process) returns when the child has executed its program.
//! Until then its thread stands still: 50 to 350 µs for each child, in which a loop does nothing else. For
//! a few children this is the fastest way. A loop that serves connections, or that starts many children,
//! has [`spawn_process_soon`](crate::SpawnProcess::spawn_process_soon): two threads of the process launch
//! the children, and the loop hears of each when it runs.
//!
//! ```
//! use procession::prelude::*;
//! use procession::{Failed, Process, gather_all};
//!
//! struct Counted;
//! impl ProcessProtocol for Counted {}
//!
//! let mut reactor = Reactor::new()?;
//! let started = (0..20).map(|number| {
//!     reactor.spawn_process_soon(Counted, Command::new("echo").arg(number.to_string()))
//! });
//! let started = gather_all(started.collect::<Vec<_>>());
//! let started = reactor.block_on(started).unwrap();
//! assert!(started.iter().all(|one| one.is_ok()));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! - The result is a [`Deferred`](crate::Deferred). `connection_made` comes before it. Dropping it before
//!   that ends the launch: `done` or `detach` lets it go on.
//! - Two launches run at a time, so the children may begin in another order than that of the calls.
//! - The two *launch threads* start with the first such call, and sleep while there is nothing to launch. A
//!   program with thousands of descriptors calls [`reserve_spawn_fds`](crate::reserve_spawn_fds) before it
//!   opens them; then a launch does not take longer with them.
//! - A program with a thread pays a little more for each `spawn_process`, which must then copy the
//!   environment. So do not use both without need.
//! - If the loop's thread has other ids or capabilities, another priority or other processors than the launch
//!   threads, the loop launches, in its next turn.
//!
//! [`Background`](crate::Background) uses the launch threads while more than one run waits to be started.
