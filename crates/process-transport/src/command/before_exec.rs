//! What a child makes of itself before its program runs: session, ids, limits, priorities, signal
//! state, and closures of the caller's.
//!
//! [`Command::pre_exec`] is the one unsafe function of the public interface.

use super::identity::AtParentDeath;
use super::{Command, Fd, NewSession};
use crate::sys::{PreExec, Resource, Rlimit};
use procession_core::Signal;
use procession_protocol::ChildFd;
use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

impl Command {
    /// Makes the child the leader of a new session, without a controlling terminal (`setsid(2)`).
    ///
    /// A leader that opens a terminal which is nobody's, without `O_NOCTTY`, gets it for its
    /// controlling one, and Ctrl-C typed there reaches it.
    pub fn new_session(mut self) -> Self {
        self.identity.session = NewSession::Yes;
        self
    }

    /// Has an [owned](Self::owned) child lead a session where it would lead a group: what helpers do.
    ///
    /// Where the command has a terminal, or says `new_session` or `process_group`, that counts; and
    /// with `nice` it leads a group.
    #[doc(hidden)]
    pub fn session_if_owned(mut self) -> Self {
        if self.identity.session == NewSession::No {
            self.identity.session = NewSession::IfOwned;
        }
        self
    }

    /// As [`child_fd`](Self::child_fd), for helpers: where the command has a terminal the spawn fails with
    /// `why_no_terminal`, and names no number that the user never named.
    #[doc(hidden)]
    pub fn helper_fd(
        mut self,
        number: impl Into<ChildFd>,
        fd: impl Into<Fd>,
        why_no_terminal: &'static str,
    ) -> Self {
        self.fds.set_by_helper(number.into(), fd.into(), why_no_terminal);
        self
    }

    /// Puts the child into a process group; 0 makes it the leader of a new one (`setpgid(2)`).
    pub fn process_group(mut self, group: i32) -> Self {
        self.identity.process_group = Some(group);
        self
    }

    /// Whether the child leads a group of its own, on which `terminate` and `kill_on_drop` act.
    ///
    /// A termination has ended when nobody of the group lives. Descendants that leave the group
    /// (`setsid`, `setpgid`) are not reached. Such a child is a
    /// background job of the parent's terminal: reading it stops the child, and Ctrl-C does not
    /// reach it. A child that [`process_group`](Self::process_group) puts into somebody else's group
    /// leads none, and is ended alone. Off by default.
    ///
    /// An owned child ends with its reactor, unless [`kill_on_drop(false)`](Self::kill_on_drop) is
    /// said, and with the program: where INT, TERM, HUP or QUIT end that by default, wherever it is,
    /// the group gets TERM and CONT, after a [grace](Self::kill_grace) KILL, and then the program
    /// ends. A second INT, TERM or QUIT, 300 ms after the first or later, cuts the grace short.
    /// `std::process::exit` and a return from `main` do the same before they end the program. A
    /// reactor made `without_signals` leaves its children out of this, and so does
    /// [`spawn`](Self::spawn): see [`end_children_with_program`](crate::end_children_with_program).
    pub fn owned(mut self, owned: bool) -> Self {
        self.identity.owned = owned;
        self
    }

    /// Sets the umask, which is the parent's otherwise; the nine lowest bits count (`umask(2)`).
    pub fn umask(mut self, mask: u32) -> Self {
        self.identity.umask = Some(mask);
        self
    }

    /// Sets a resource limit; the last call for a resource wins.
    pub fn rlimit(mut self, resource: Resource, limit: Rlimit) -> Self {
        self.identity.rlimits.retain(|(which, _)| *which != resource);
        self.identity.rlimits.push((resource, limit));
        self
    }

    /// Leaves signal mask and dispositions as the parent has them.
    ///
    /// Otherwise the child starts with an empty mask and every disposition at its default: with SIGPIPE,
    /// which every Rust program ignores, and with SIGHUP under `nohup`. An ignored signal stays ignored
    /// across an exec: a child with inherited signals does not end when the reader of its output goes
    /// away, unless it looks at the error of its writes.
    ///
    /// # References
    ///
    /// [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html), "Signal dispositions",
    /// [nohup(1)](https://man7.org/linux/man-pages/man1/nohup.1.html).
    pub fn inherit_signals(mut self) -> Self {
        self.identity.inherit_signals = true;
        self
    }

    /// Sets the user id: real, effective and saved.
    ///
    /// Without [`Command::gid`] the user's primary group and group list from the user database are
    /// taken; an id that the database does not know then fails the spawn with `InvalidInput`.
    /// Changing ids needs privilege, and takes [`SpawnPath::Fork`](procession_protocol::SpawnPath)
    /// unless another path is forced: in a child that shares the parent's memory the target user has
    /// a hold on the child before its exec (it may stop it, and so the parent), and the parent's
    /// dumpable flag is 0 for that time. The flag is put back, under a lock of the whole process; no
    /// other code of the program may set it meanwhile: the target user could read and write the
    /// memory of both.
    pub fn uid(mut self, uid: u32) -> Self {
        self.identity.uid = Some(uid);
        self
    }

    /// Sets the group id: real, effective and saved.
    ///
    /// Where the program may set groups, as root or with `CAP_SETGID`, the supplementary groups become
    /// that one, unless [`Command::groups`] names others: no group of the parent survives a change of
    /// ids unasked. Where the id is the parent's own and the groups may not be set, in a user
    /// namespace perhaps, they stay.
    pub fn gid(mut self, gid: u32) -> Self {
        self.identity.gid = Some(gid);
        self
    }

    /// Sets the supplementary groups (`setgroups(2)`).
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Self {
        self.identity.groups = Some(groups.into_iter().collect());
        self
    }

    /// Sets user id, primary group and group list from the user database; a name or a number.
    pub fn user(mut self, user: impl AsRef<OsStr>) -> Self {
        self.identity.user = Some(user.as_ref().to_owned());
        self
    }

    /// Leaves the ambient capability set (`capabilities(7)`) to the kernel where ids or groups change.
    ///
    /// Otherwise such a child starts with an empty one: a program that got its privileges by ambient
    /// capabilities would hand them on to the user that it changes to, who could become root by them.
    /// The kernel empties the set itself where root becomes somebody else. Where nothing changes the
    /// child has the parent's in either case.
    ///
    /// # Platform
    ///
    /// Linux; elsewhere there are none.
    pub fn keep_ambient(mut self) -> Self {
        self.identity.keep_ambient = true;
        self
    }

    /// Sets the nice value, -20 (most favoured) to 19; beyond, the nearest is taken (`setpriority(2)`).
    pub fn nice(mut self, nice: i32) -> Self {
        self.identity.nice = Some(nice);
        self
    }

    /// Confines the child to these processors, counted from 0 (`sched_setaffinity(2)`).
    ///
    /// # Platform
    ///
    /// Linux; elsewhere the spawn fails with `Unsupported`.
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.identity.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Sets the child's badness for the out-of-memory killer, -1000 (never) to 1000.
    ///
    /// # Platform
    ///
    /// Linux; elsewhere the spawn fails with `Unsupported`.
    pub fn oom_score_adj(mut self, score: i16) -> Self {
        self.identity.oom_score_adj = Some(score);
        self
    }

    /// Sends the child this signal when the thread that spawned it ends.
    ///
    /// The thread, not the process: a thread that spawns and returns takes the child with it. With a
    /// reactor it is the reactor's. A parent that is gone before the child asked for it counts as
    /// well: the child then ends itself by that signal. It holds for the child alone, not for what
    /// that starts, and not where the program is set-user-ID, set-group-ID or has capabilities: the
    /// kernel clears it then.
    ///
    /// The one-call helpers say KILL, for children that say nothing: what kills the program kills
    /// them.
    ///
    /// # Platform
    ///
    /// Linux (`PR_SET_PDEATHSIG` in `prctl(2)`); elsewhere the spawn fails with `Unsupported`.
    pub fn parent_death_signal(mut self, signal: Signal) -> Self {
        self.identity.at_parent_death = AtParentDeath::IsSent(signal);
        self
    }

    /// Has the child live on when the program is killed or crashes, also where a one-call helper
    /// starts it; takes a [`parent_death_signal`](Self::parent_death_signal) back.
    ///
    /// What else ends it with the program ([`owned`](Self::owned)) stays.
    pub fn outlive_parent(mut self) -> Self {
        self.identity.at_parent_death = AtParentDeath::LivesOn;
        self
    }

    /// Has KILL sent to the child when the thread that spawns it ends, unless something was said, and
    /// where the system can: for helpers whose thread stays until the child has ended.
    #[doc(hidden)]
    pub fn die_with_thread_by_default(mut self) -> Self {
        let at_death = &mut self.identity.at_parent_death;
        if cfg!(target_os = "linux") && *at_death == AtParentDeath::Unsaid {
            *at_death = AtParentDeath::IsSent(Signal::KILL);
        }
        self
    }

    /// Runs `call` in the child, right before its exec. Takes the path that copies memory.
    ///
    /// It finds everything else done, its signal mask and dispositions among them: what it changes of
    /// these the program starts with. The child is made by the C library's `fork(3)`, so handlers of
    /// `pthread_atfork(3)` have run, in the parent with every signal blocked. A copy of the parent's
    /// descriptors is open until the exec.
    /// Until that the thread that spawns waits, with all signals held back.
    ///
    /// A panic in `call` aborts the child, as in the standard library. The spawn succeeds, because the
    /// child reports nothing, and the child's end is SIGABRT. The panic hook of the program runs first, in
    /// the child: if it needs a lock that another thread holds, the child and the spawn wait for ever.
    ///
    /// # Safety
    ///
    /// The child of a program with threads has only the thread that spawned it: locks that others
    /// held stay locked for good. `call` may use only what is async-signal-safe (`signal-safety(7)`).
    /// The GNU library makes its allocator usable in the child, which POSIX does not ask for.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::Command;
    ///
    /// // A closure that does nothing is always safe.
    /// # #[expect(unsafe_code, reason = "shows pre_exec")]
    /// let command = unsafe { Command::new("true").pre_exec(|| Ok(())) };
    /// # drop(command);
    /// ```
    #[expect(
        unsafe_code,
        reason = "what a closure does between fork and exec is its caller's to answer for"
    )]
    pub unsafe fn pre_exec(
        mut self,
        call: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.identity.pre_exec.push(PreExec(Arc::new(call)));
        self
    }
}
