//! A program that is the first process of a container, or a subreaper.
//!
//! The first process of a PID namespace has the number 1. In a container that is the program itself,
//! unless an init process such as `docker run --init` or `tini` starts it. Four things differ there.
//!
//! # Signals that would end a program do nothing
//!
//! The kernel does not take default actions on PID 1: it drops SIGTERM, SIGINT and SIGHUP if the program
//! has no handler for them. It even drops SIGKILL if that comes from inside the namespace. `docker stop`
//! sends SIGTERM, waits for ten seconds, and sends SIGKILL. A program that waits in
//! [`block_on`](crate::Reactor::block_on), which does not handle signals, does not notice SIGTERM.
//!
//! [`run`](crate::Reactor::run), [`run_until`](crate::Reactor::run_until) and
//! [`run_main`](crate::run_main) handle SIGINT and SIGTERM, and SIGHUP if the program neither ignores nor
//! handles it. On such a signal they stop. `run_until` and `run_main` terminate the groups that the
//! program owns; after `run`, the drop of the reactor does so. A second signal during the shutdown has no
//! default action either: the kernel drops it.
//!
//! # It cannot die by a signal
//!
//! Elsewhere a program that ends in `run_main`, or whose `main` returns a [`Stopped`](crate::Stopped), dies
//! by the signal that has stopped it. PID 1 instead exits with the status that a shell reports for such a
//! death, 128 plus the signal number: 143 for SIGTERM, 130 for SIGINT.
//!
//! # Its children get no grace period from a signal handler
//!
//! When PID 1 ends, the kernel kills every process of the namespace. Elsewhere a signal handler
//! ([`end_children_with_program`](crate::end_children_with_program)) sends TERM to owned children and
//! gives them a grace period before INT, TERM, HUP or QUIT end the program. It is not installed in PID 1,
//! because those signals do not end PID 1. To give children a grace period, end in `run_main`, return
//! from `main` or call `exit`; in a handler of your own, call
//! [`end_owned_groups`](crate::end_owned_groups) and then exit.
//!
//! # It adopts orphans
//!
//! A process whose parent has ended gets another parent: the nearest ancestor that has made itself a
//! subreaper (`prctl(PR_SET_CHILD_SUBREAPER)`), or else PID 1. When the process ends, it is a zombie until
//! its new parent reaps it. Each zombie keeps its pid, so a container that never reaps them runs out of
//! pids.
//!
//! By default the library reaps only the children that it has started. A call makes it reap orphans too:
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//!
//! fn main() -> impl std::process::Termination {
//!     run_main(async {
//!         Handle::current().reap_orphans()?;
//!         // If this program is PID 1, it adopts the process that the shell leaves in the background.
//!         Run::new("sh").args(["-c", "sleep 0.1 &"]).check().await?;
//!         Ok::<_, Box<dyn Error>>(())
//!     })
//! }
//! ```
//!
//! [`reap_orphans`](crate::ReapOrphans::reap_orphans) reaps the members of groups that a child
//! of this library leads or has led: the groups of `Run` and the other helpers, of `owned` commands, of
//! sessions and of terminals. It is safe beside other libraries that start children.
//!
//! [`reap_every_orphan`](crate::ReapOrphans::reap_every_orphan) also reaps daemons, which have
//! left their group, processes that `docker exec` has left behind, and the orphans of other libraries'
//! children. It cannot tell an orphan from a child that `std::process` or another library has started,
//! and **takes the statuses of those children**: a wait for such a child fails with `ECHILD`. Use it only
//! in a program that starts all its children with this library. In any other program, leave the reaping
//! to an init such as `tini`.
//!
//! Both do nothing in a program that adopts no processes. A termination of an owned group reaps the
//! zombies of that group by itself.
//!
//! # References
//!
//! [pid_namespaces(7)](https://man7.org/linux/man-pages/man7/pid_namespaces.7.html), "The namespace init
//! process"; [PR_SET_CHILD_SUBREAPER(2const)](https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html).
