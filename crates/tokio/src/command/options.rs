//! The options that tokio's command has not, and those that have the same form in both.

use std::ffi::OsStr;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, Pty, Resource, Rlimit, Scope};
use procession_protocol::{ChildFd, SpawnPath};

use super::Command;

/// Methods that pass their arguments on to the method of the same name.
macro_rules! forward {
    ($($(#[doc = $doc:literal])* $name:ident($($arg:ident: $type:ty),*);)*) => {
        impl Command {
            $(
                $(#[doc = $doc])*
                #[doc = ""]
                #[doc = concat!(
                    "As [there](procession_process_transport::Command::", stringify!($name), ")."
                )]
                pub fn $name(&mut self, $($arg: $type),*) -> &mut Self {
                    self.configure(|command| command.$name($($arg),*))
                }
            )*
        }
    };
}

forward! {
    /// Sets `argv[0]`; by default it is the program as given.
    arg0(arg0: impl AsRef<OsStr>);
    /// Sets the user id, and by the user database the group and the groups.
    uid(uid: u32);
    /// Sets the group id.
    gid(gid: u32);
    /// Puts the child into a process group; 0 makes it the leader of a new one.
    process_group(group: i32);
    /// Replaces the whole map; numbers that it does not name are closed in the child, also 0 to 2.
    child_fds(fds: impl IntoIterator<Item = (impl Into<ChildFd>, impl Into<Fd>)>);
    /// Gives the program sockets, or other descriptors, by name: they are 3 and the following numbers.
    listen_fds(fds: impl IntoIterator<Item = (impl Into<String>, impl Into<Fd>)>);
    /// Hands the jobserver of the make that runs this program on to the child.
    inherit_jobserver();
    /// Gives the child a terminal as its 0, 1 and 2.
    pty(pty: Pty);
    /// Makes the child the leader of a new session, without a controlling terminal.
    new_session();
    /// Sets whether the child leads a process group of its own, which ends with it.
    owned(owned: bool);
    /// Puts the child, and all that it starts, into a scope.
    scope(scope: &Scope);
    /// Sets the supplementary groups.
    groups(groups: impl IntoIterator<Item = u32>);
    /// Sets user id, primary group and group list from the user database, by name or number.
    user(user: impl AsRef<OsStr>);
    /// Leaves the ambient capability set to the kernel when ids or groups change.
    keep_ambient();
    /// Sets the umask.
    umask(mask: u32);
    /// Sets a resource limit; the last call for a resource wins.
    rlimit(resource: Resource, limit: Rlimit);
    /// Sets the nice value.
    nice(nice: i32);
    /// Restricts the child to these processors, counted from 0.
    cpu_affinity(cpus: impl IntoIterator<Item = usize>);
    /// Sets the child's score adjustment for the out-of-memory killer.
    oom_score_adj(score: i16);
    /// Leaves the signal mask and the signal dispositions as the parent has them.
    inherit_signals();
    /// Sends the child this signal when the thread that spawned it ends. A worker of tokio may end
    /// long before the program does.
    parent_death_signal(signal: Signal);
    /// Undoes [`parent_death_signal`](Self::parent_death_signal).
    outlive_parent();
    /// Sets the time between TERM and KILL if a signal or an exit ends the program.
    kill_grace(grace: Duration);
    /// Limits how long descendants that hold an output open can delay
    /// [`output`](Self::output) and [`Child::wait_with_output`](crate::Child::wait_with_output).
    /// `None` removes the limit.
    drain_after_exit(after: impl Into<Option<Duration>>);
    /// Sets whether pipes that carry bulk data grow; they do by default.
    adaptive_pipes(grow: bool);
    /// Forces one way of spawning.
    spawn_path(path: SpawnPath);
}
