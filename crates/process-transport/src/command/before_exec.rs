//! Options that the child applies to itself before its program runs: session, ids, limits,
//! priorities, signal state, and closures of the caller.
//!
//! [`Command::pre_exec`] is the only unsafe function of the public interface.

use std::ffi::OsStr;
use std::io;
use std::sync::Arc;

use procession_core::Signal;
use procession_protocol::ChildFd;

use super::identity::AtParentDeath;
use super::named_fds::Jobserver;
use super::{Command, Fd, NewSession};
use crate::scope::Scope;
use crate::sys::{PreExec, Resource, Rlimit};

impl Command {
    /// Makes the child the leader of a new session, without a controlling terminal (`setsid(2)`).
    ///
    /// If a session leader without a controlling terminal opens a terminal that controls no other
    /// session, without `O_NOCTTY`, that terminal becomes its controlling terminal, and Ctrl-C
    /// typed there reaches it.
    pub fn new_session(mut self) -> Self {
        self.identity.session = NewSession::Yes;
        self
    }

    /// Makes an [owned](Self::owned) child lead a session instead of only a group, as the helpers
    /// do.
    ///
    /// A terminal, `new_session` and `process_group` take precedence. With `nice` the child leads a
    /// group.
    #[doc(hidden)]
    pub fn session_if_owned(mut self) -> Self {
        if self.identity.session == NewSession::No {
            self.identity.session = NewSession::IfOwned;
        }
        self
    }

    /// Does the same as [`child_fd`](Self::child_fd), for helpers. If the command has a terminal,
    /// the spawn fails with the reason `why_no_terminal`, and the error names no descriptor number,
    /// because the user named none.
    #[doc(hidden)]
    pub fn helper_fd(
        mut self,
        number: impl Into<ChildFd>,
        fd: impl Into<Fd>,
        why_no_terminal: &'static str,
    ) -> Self {
        match self.pty {
            Some(_) => self.fds.set_by_helper(number.into(), fd.into(), why_no_terminal),
            None => self.fds.set(number.into(), fd.into()),
        }
        self
    }

    /// Gives the program sockets, or other descriptors, by name, as a service manager does: they are 3 and
    /// the following numbers, in this order, `LISTEN_FDS` says how many they are, `LISTEN_FDNAMES` has their
    /// names, and `LISTEN_PID` the child's process id (`sd_listen_fds(3)`).
    ///
    /// A program of this library takes them by [`listen_fds`](crate::listen_fds()).
    ///
    /// # Errors
    ///
    /// The spawn fails at [`Step::Validate`](crate::Step::Validate) if a name is empty, is longer than 255
    /// bytes, or has a colon or anything but printable ASCII, if the command also sets one of these numbers or
    /// variables, and if a number exceeds the limit of open files.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Fd};
    /// use std::net::TcpListener;
    ///
    /// let http = TcpListener::bind("127.0.0.1:0")?;
    /// let script = "test $LISTEN_PID = $$ && echo $LISTEN_FDS $LISTEN_FDNAMES";
    /// let server = Command::new("sh").args(["-c", script]).listen_fds([("http", http)]);
    /// assert_eq!(server.spawn()?.output()?.stdout(), b"1 http\n");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "sd_listen_fds")]
    #[doc(alias = "socket activation")]
    pub fn listen_fds(
        mut self,
        fds: impl IntoIterator<Item = (impl Into<String>, impl Into<Fd>)>,
    ) -> Self {
        self.fds.named.listen(fds.into_iter().map(|(name, fd)| (name.into(), fd.into())));
        self
    }

    /// Hands the jobserver of the make that runs this program on to the child: a make in it, or cargo, shares
    /// the number of jobs. A make with a `-j` of its own makes a new jobserver.
    ///
    /// It is a pipe, and `MAKEFLAGS` has its two numbers; the child gets it on numbers above all others, and
    /// the variable with these. Without such a pipe this does nothing: make passes it only to recipes that
    /// begin with `+` or name `$(MAKE)`. A jobserver that is a FIFO (GNU make from 4.4) needs nothing.
    pub fn inherit_jobserver(mut self) -> Self {
        self.fds.named.hand_on(Jobserver::inherited());
        self
    }

    /// Puts the child into a process group; 0 makes it the leader of a new one (`setpgid(2)`).
    pub fn process_group(mut self, group: i32) -> Self {
        self.identity.process_group = Some(group);
        self
    }

    /// Sets whether the child leads a process group of its own, on which `terminate` and
    /// `kill_on_drop` act. Off by default.
    ///
    /// A termination has ended when no process of the group lives. Descendants that leave the group
    /// (`setsid`, `setpgid`) are not reached. Such a child is a background job of the parent's
    /// terminal: reading from the terminal stops the child, and Ctrl-C does not reach it. A child
    /// that [`process_group`](Self::process_group) puts into another process's group leads no group
    /// and is ended alone.
    ///
    /// An owned child ends with its reactor, unless [`kill_on_drop(false)`](Self::kill_on_drop) is
    /// set. It also ends with the program, whatever the program is doing: if INT, TERM, HUP or QUIT
    /// ends the program by default, the group gets TERM and CONT, after a [grace](Self::kill_grace)
    /// KILL, and then the program ends. A second INT, TERM or QUIT at least 300 ms after the first
    /// cuts the grace short. `std::process::exit` and a return from `main` do the same before they
    /// end the program. Children of a reactor made `without_signals` do not end with the program,
    /// nor do those of [`spawn`](Self::spawn): see
    /// [`end_children_with_program`](crate::end_children_with_program).
    pub fn owned(mut self, owned: bool) -> Self {
        self.identity.owned = owned;
        self
    }

    /// Puts the child, and all that it starts, into a [`Scope`].
    ///
    /// It is there from its first instruction on (`CLONE_INTO_CGROUP` in `clone(2)`), or, if the system
    /// refuses that, before it executes its program. Session and process group are what the other
    /// options say. If the scope is process groups, a child that would be in its parent's group leads
    /// one.
    ///
    /// An [owned](Self::owned) child gets a folder of its own in the scope's cgroup. Its termination,
    /// its drop and its end with the reactor then act on everything in that folder: also on what has
    /// left its group. What it leaves behind after a normal end stays in the scope.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Scope};
    ///
    /// let scope = Scope::new("command-example")?;
    /// let child = Command::new("true").scope(&scope).spawn()?.wait()?;
    /// assert!(child.is_ok());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn scope(mut self, scope: &Scope) -> Self {
        self.identity.scope = Some(scope.clone());
        self
    }

    /// Sets the umask, which otherwise is the parent's; only the nine lowest bits count
    /// (`umask(2)`).
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

    /// Leaves the signal mask and the signal dispositions as the parent has them.
    ///
    /// Otherwise the child starts with an empty mask and with every disposition at its default,
    /// also SIGPIPE, which every Rust program ignores, and SIGHUP, which `nohup` ignores. An
    /// ignored signal stays ignored across an exec: a child with inherited signals does not end
    /// when the reader of its output goes away, unless it checks the errors of its writes.
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
    /// Without [`Command::gid`], the user's primary group and group list are taken from the user
    /// database; if the database does not know the id, the spawn fails with `InvalidInput`.
    ///
    /// A change of ids needs privilege. It takes
    /// [`SpawnPath::Fork`](procession_protocol::SpawnPath) unless another path is forced. In a
    /// child that shares the parent's memory, the target user controls the child until its exec: it
    /// may stop the child, and so the parent. For that time the parent's dumpable flag is 0; it is
    /// restored afterwards, under a lock of the whole process. No other code of the program may set
    /// the flag meanwhile: the target user could then read and write the memory of both processes.
    pub fn uid(mut self, uid: u32) -> Self {
        self.identity.uid = Some(uid);
        self
    }

    /// Sets the group id: real, effective and saved.
    ///
    /// If the program may set groups, as root or with `CAP_SETGID`, the supplementary groups become
    /// this one group, unless [`Command::groups`] names others: a child that changes ids keeps no
    /// group of the parent unless the command asks for it. If the id is the parent's own and the
    /// program may not set groups, in a user namespace perhaps, the groups stay.
    pub fn gid(mut self, gid: u32) -> Self {
        self.identity.gid = Some(gid);
        self
    }

    /// Sets the supplementary groups (`setgroups(2)`).
    pub fn groups(mut self, groups: impl IntoIterator<Item = u32>) -> Self {
        self.identity.groups = Some(groups.into_iter().collect());
        self
    }

    /// Sets user id, primary group and group list from the user database, by name or number.
    pub fn user(mut self, user: impl AsRef<OsStr>) -> Self {
        self.identity.user = Some(user.as_ref().to_owned());
        self
    }

    /// Leaves the ambient capability set (`capabilities(7)`) to the kernel when ids or groups
    /// change.
    ///
    /// Otherwise such a child starts with an empty set. A program that got its privileges by
    /// ambient capabilities would hand them to the target user, who could become root with them.
    /// The kernel itself empties the set when root becomes another user. If no id or group changes,
    /// the child has the parent's set in either case.
    ///
    /// # Platform
    ///
    /// Linux; elsewhere there are no ambient capabilities.
    pub fn keep_ambient(mut self) -> Self {
        self.identity.keep_ambient = true;
        self
    }

    /// Sets the nice value, from -20 (most favoured) to 19; values beyond are clamped
    /// (`setpriority(2)`).
    pub fn nice(mut self, nice: i32) -> Self {
        self.identity.nice = Some(nice);
        self
    }

    /// Restricts the child to these processors, counted from 0 (`sched_setaffinity(2)`).
    ///
    /// # Platform
    ///
    /// Linux; elsewhere the spawn fails with `Unsupported`.
    pub fn cpu_affinity(mut self, cpus: impl IntoIterator<Item = usize>) -> Self {
        self.identity.cpus = Some(cpus.into_iter().collect());
        self
    }

    /// Sets the child's score adjustment for the out-of-memory killer, from -1000 (never) to 1000.
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
    /// The thread counts, not the process: when a thread spawns and returns, the child gets the
    /// signal. A reactor spawns on its own thread. If the parent was gone before the child could
    /// ask for the signal, the child sends the signal to itself. This applies to the child alone,
    /// not to what it starts. The kernel clears it for a program that is set-user-ID or
    /// set-group-ID or has capabilities.
    ///
    /// The one-call helpers set KILL for children that set nothing, so whatever kills the program
    /// kills them.
    ///
    /// # Platform
    ///
    /// Linux (`PR_SET_PDEATHSIG` in `prctl(2)`); elsewhere the spawn fails with `Unsupported`.
    pub fn parent_death_signal(mut self, signal: Signal) -> Self {
        self.identity.at_parent_death = AtParentDeath::IsSent(signal);
        self
    }

    /// Lets the child live on when the program is killed or crashes, also if a one-call helper
    /// starts it; undoes [`parent_death_signal`](Self::parent_death_signal).
    ///
    /// Other ways in which it ends with the program ([`owned`](Self::owned)) stay.
    pub fn outlive_parent(mut self) -> Self {
        self.identity.at_parent_death = AtParentDeath::LivesOn;
        self
    }

    /// Sends KILL to the child when the thread that spawns it ends, unless the command set
    /// something else, and only if the system can. For helpers whose thread stays until the child
    /// has ended.
    #[doc(hidden)]
    pub fn die_with_thread_by_default(mut self) -> Self {
        let at_death = &mut self.identity.at_parent_death;
        if cfg!(target_os = "linux") && *at_death == AtParentDeath::Unsaid {
            *at_death = AtParentDeath::IsSent(Signal::KILL);
        }
        self
    }

    /// Leaves the end of the child to whoever starts it, while the shutdown of a loop lasts: the
    /// loop does not terminate it, and waits only for terminations that are under way. For a helper
    /// that ends its children in an order of its own, and has the shutdown wait for that.
    #[doc(hidden)]
    pub fn ended_by_owner(mut self) -> Self {
        self.ending.by_owner = true;
        self
    }

    /// Returns whether both start the same child. Closures and inherited descriptors are the same only
    /// as clones of one.
    #[doc(hidden)]
    pub fn is_same(&self, other: &Self) -> bool {
        let parts = |one: &Self| {
            let Self { program, arg0, args, env, cwd, spawn_path, ending, .. } = one.clone();
            let data = (program, arg0, args, cwd, spawn_path, one.drain_after_exit);
            let flags = (one.without_pidfd, one.pipes_grow);
            // Each of these prints all of its fields.
            (data, flags, format!("{env:?} {ending:?} {:?} {:?}", one.pty, one.identity))
        };
        let closures = self.identity.pre_exec.iter().zip(&other.identity.pre_exec);
        // The number of closures is among the printed fields.
        parts(self) == parts(other)
            && self.fds.is_same(&other.fds)
            && closures.into_iter().all(|(one, two)| Arc::ptr_eq(&one.0, &two.0))
    }

    /// Runs `call` in the child, right before its exec. Takes the path that copies memory.
    ///
    /// When `call` runs everything else is done, also the signal mask and the dispositions: the
    /// program starts with what `call` changes of these. The C library's `fork(3)` makes the child,
    /// so handlers of `pthread_atfork(3)` have run, in the parent with every signal blocked. A copy
    /// of the parent's descriptors is open until the exec. Until then the spawning thread waits,
    /// with all signals blocked.
    ///
    /// A panic in `call` aborts the child, as in the standard library. The spawn succeeds, because
    /// the child reports nothing, and the child ends by SIGABRT. The program's panic hook runs
    /// first, in the child: if it needs a lock that another thread holds, the child and the spawn
    /// wait for ever.
    ///
    /// # Safety
    ///
    /// The child of a program with threads has only the thread that spawned it: locks that other
    /// threads held stay locked for good. `call` may use only what is async-signal-safe
    /// (`signal-safety(7)`). The GNU C library makes its allocator usable in the child, which POSIX
    /// does not require.
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
