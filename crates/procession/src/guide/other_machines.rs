//! Programs on other machines.
//!
//! A [`Launcher`](crate::Launcher) turns a command into the local command that runs it elsewhere.
//! [`Ssh`](crate::Ssh) uses the system's OpenSSH client with the user's keys and configuration, and needs
//! nothing on the other machine but `sshd` and a shell. [`Srun`](crate::Srun) runs steps of a Slurm cluster.
//! There is no daemon and no scheduler.
//!
//! ```no_run
//! // Not run: it needs hosts.
//! use procession::{Hosts, Reactor, Run, Ssh, Stopped, run_all};
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     Reactor::new()?.run_main(async {
//!         let jobs = (0..100).map(|n| Run::new("./job").arg(n.to_string()).check());
//!         let hosts = Hosts::new([Ssh::new("build@a").slots(8), Ssh::new("build@b").slots(8)]);
//!         let show = |now: procession::Progress| println!("{} of {}", now.done, now.total);
//!         let outcomes = run_all(jobs, hosts).on_progress(show).all_or_first_error().await?;
//!         println!("{}", outcomes.len());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! One run goes to one machine by [`Run::on`](crate::Run::on).
//!
//! - Inputs, outputs, limits, checks, timeouts and retries are those of any run. The messages of errors name
//!   the host.
//! - A connection that is not ready within [`connect_timeout`](crate::Ssh::connect_timeout) has failed. The
//!   timeout of a run begins afterwards.
//! - The exit status is the program's. 128 and a number stand for a signal, as in a shell.
//! - A timeout, a drop, a cancellation and the end of this program end the process group there. If the
//!   connection is lost, or this program is killed, the other machine ends it by itself.
//! - [`Unreachable`](crate::OutputError::Unreachable) says that nothing was started.
//!   [`ConnectionLost`](crate::OutputError::ConnectionLost) says whether the program may have started. A batch
//!   sends a run elsewhere if it has not; if it may have, only a [`retry`](crate::Run::retry) repeats it.
//! - What counts on this machine only is refused before anything starts: a terminal, ids, limits, a scope,
//!   descriptors beyond 0 to 2. The variables are those of the other machine, with the changes of the
//!   command.
//! - A run lasts until its outputs are closed there. [`drain_after_exit`](crate::Run::drain_after_exit) is about
//!   the local `ssh`: it does not cut off what the program left in the background.
//! - Four runs share a connection, because a server allows ten sessions to each (`MaxSessions` in
//!   `sshd_config(5)`).
