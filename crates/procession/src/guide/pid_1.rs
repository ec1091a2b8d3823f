//! A program that is the first process of a container, or a subreaper.
//!
//! The first process of a PID namespace has the number 1. In a container that is the program itself,
//! unless something like `docker run --init` or `tini` stands before it. Four things differ there.
//!
//! # Signals that would end a program do nothing
//!
//! The kernel does not take default actions on PID 1: it drops SIGTERM, SIGINT and SIGHUP if the program
//! has no handler for them, and even SIGKILL if that comes from inside the namespace. `docker stop` sends
//! SIGTERM, waits for ten seconds, and kills. A program that waits in
//! [`block_on`](crate::Reactor::block_on), which leaves signals alone, does not notice SIGTERM.
//!
//! [`run`](crate::Reactor::run), [`run_until`](crate::Reactor::run_until) and
//! [`run_main`](crate::run_main) claim SIGINT and SIGTERM, and SIGHUP if that is not ignored or handled:
//! they stop, and the groups that the program owns are terminated, by `run_until` and `run_main`
//! themselves, after `run` by the drop of the reactor. A second signal during the shutdown has no default
//! action either: the kernel drops it.
//!
//! # It cannot die by a signal
//!
//! Elsewhere a program that ends in `run_main`, or whose `main` returns a [`Stopped`](crate::Stopped), dies
//! by the signal that has stopped it. PID 1 exits with the status that a shell makes of such a death, 128
//! plus the number: 143 for SIGTERM, 130 for SIGINT.
//!
//! # Its handlers give no grace
//!
//! When PID 1 ends, the kernel kills every process of the namespace. The handler that elsewhere gives
//! owned children TERM and a grace before INT, TERM, HUP or QUIT end the program
//! ([`end_children_with_program`](crate::end_children_with_program)) is not installed in PID 1, which those
//! signals do not end. To give children their grace, end in `run_main`, return from `main` or call
//! `exit`; in a handler of your own, call [`end_owned_groups`](crate::end_owned_groups) and then
//! exit.
//!
//! # It adopts orphans
//!
//! A process whose parent has ended gets another one: the nearest ancestor that has made itself a
//! subreaper (`prctl(PR_SET_CHILD_SUBREAPER)`), or else PID 1. When it ends, it is a zombie until that
//! one reaps it. Each zombie keeps its pid, and a container that runs long enough has no pids left.
//!
//! The library reaps the children that it has started, and nobody else, unless it is asked to:
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//!
//! fn main() -> impl std::process::Termination {
//!     run_main(async {
//!         Handle::current().reap_orphans()?;
//!         // What the shell leaves in the background is adopted by this program, if that is PID 1.
//!         Run::new("sh").args(["-c", "sleep 0.1 &"]).check().await?;
//!         Ok::<_, Box<dyn Error>>(())
//!     })
//! }
//! ```
//!
//! [`reap_orphans`](crate::ReapOrphans::reap_orphans) reaps the members of groups that children
//! of this library lead, or led: those of `Run` and the other helpers, of `owned` commands, sessions and
//! terminals. It is safe beside other libraries.
//!
//! [`reap_every_orphan`](crate::ReapOrphans::reap_every_orphan) reaps also daemons, which have
//! left their group, what `docker exec` has left behind, and the orphans of other libraries' children. It
//! cannot tell an orphan from a child that `std::process` or another library has started, and **takes the
//! statuses of these**: their waits fail with `ECHILD`. Use it only in a program that starts all its
//! children with this library; any other leaves the reaping to an init such as `tini`.
//!
//! Both do nothing in a program that adopts nobody. A termination of an owned group reaps the zombies of
//! that group by itself.
//!
//! # References
//!
//! [pid_namespaces(7)](https://man7.org/linux/man-pages/man7/pid_namespaces.7.html), "The namespace init
//! process"; [PR_SET_CHILD_SUBREAPER(2const)](https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html).
