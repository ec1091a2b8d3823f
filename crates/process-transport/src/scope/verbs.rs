//! How a scope is made, and what it does to all that is in it.

use std::path::Path;
use std::process;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "reactor")]
use procession_core::Deferred;
use procession_core::Signal;
#[cfg(feature = "reactor")]
use procession_reactor::Handle;

#[cfg(target_os = "linux")]
use super::cgroup::{Cgroup, NoCgroup};
use super::ending::{EndingStep, ScopeEnding, ScopeTermination};
use super::error::ScopeError;
use super::handle::{Keeper, Scope};
#[cfg(target_os = "linux")]
use super::manager;
use super::name::UsedName;
#[cfg(not(target_os = "linux"))]
use super::no_cgroup::Cgroup;
#[cfg(feature = "reactor")]
use super::on_loop;
use crate::spawned::Stopwatch;

impl Scope {
    /// Makes a scope.
    ///
    /// The program has one scope of a name at a time. Scopes of other programs may have the same name:
    /// the folder is `procession-PID-NAME`.
    ///
    /// The first scope of a program installs the handlers of
    /// [`end_owned_groups`](crate::end_owned_groups), as an owned child of a reactor does.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Name`] if the name is empty, longer than 200 bytes, `.` or `..`, has a slash or a
    /// control character, or begins as the kernel's files do (`cgroup.`, `memory.`).
    /// [`ScopeError::Exists`] if the program has a scope of that name. [`ScopeError::Os`] if the program is short
    /// of descriptors or memory. A system that does not let the
    /// program make a cgroup is no error.
    ///
    /// # Platform
    ///
    /// systemd is asked if the program's own cgroup is another user's, over the socket
    /// `systemd/private` in `XDG_RUNTIME_DIR`, or in `/run/user/UID`. If it does not start a unit within
    /// 5 s, the scope is process groups. A child that has itself moved waits for systemd as long, and
    /// then fails at [`Step::Scope`](crate::Step::Scope).
    ///
    /// # References
    ///
    /// `StartTransientUnit` and `AttachProcessesToUnit` in
    /// [org.freedesktop.systemd1](https://man7.org/linux/man-pages/man5/org.freedesktop.systemd1.5.html).
    pub fn new(name: &str) -> Result<Self, ScopeError> {
        let name = UsedName::new(name)?;
        let cgroup = Cgroup::below_own(name.as_str());
        #[cfg(target_os = "linux")]
        let cgroup = cgroup.or_else(|none| manager::cgroup(none, name.as_str()));
        let keeper = match cgroup {
            Ok(cgroup) => Keeper::Cgroup(Box::new(cgroup)),
            #[cfg(target_os = "linux")]
            Err(NoCgroup { shortage: Some(error), .. }) => {
                return Err(ScopeError::Os { what: "make", name: name.as_str().to_owned(), error });
            }
            Err(none) => Keeper::Groups(Arc::default(), none.why),
        };
        Ok(Self::of(keeper, name))
    }

    /// Makes a scope in this cgroup, given by its folder, instead of the program's own.
    ///
    /// Limits need a cgroup without processes of its own: the program runs in `service/main`, for
    /// instance, and makes its scopes within `service`. systemd prepares that with `Delegate=yes` and
    /// `DelegateSubgroup=main`.
    ///
    /// # Errors
    ///
    /// Those of [`new`](Self::new); and [`ScopeError::Base`] if the program cannot make a cgroup
    /// there.
    pub fn within(base: impl AsRef<Path>, name: &str) -> Result<Self, ScopeError> {
        let (name, base) = (UsedName::new(name)?, base.as_ref().to_owned());
        let cgroup = Cgroup::below(base.clone(), name.as_str());
        let cgroup = cgroup.map_err(|none| ScopeError::Base(base, none.why))?;
        Ok(Self::of(Keeper::Cgroup(Box::new(cgroup)), name))
    }

    /// Sends `signal` to all that is in it, waits for at most `grace` until it is empty, else kills it
    /// and waits for at most a second. Blocks its thread.
    ///
    /// Stopped processes are continued. [`ScopeTermination`] says how it went. On a loop use
    /// `terminate_on`; on tokio call this in `spawn_blocking`.
    ///
    /// # Errors
    ///
    /// The system refuses to signal every member; or it does not show whether there are any.
    pub fn terminate(
        &self,
        signal: Signal,
        grace: Duration,
    ) -> Result<ScopeTermination, ScopeError> {
        let stopwatch = Stopwatch::start();
        let mut ending = ScopeEnding::new(self.clone(), signal, grace);
        loop {
            match ending.step(stopwatch.now())? {
                EndingStep::Done(termination) => return Ok(termination),
                EndingStep::Wait(at_most) => self.wait_until_empty(at_most)?,
            }
        }
    }

    /// Does what [`terminate`](Self::terminate) does, without blocking the loop. The signal is sent at
    /// once.
    ///
    /// Dropping the result changes nothing: the termination goes on. If the reactor is dropped before
    /// its end, the result fails with `Failed::Abandoned`.
    ///
    /// # Errors
    ///
    /// Those of [`terminate`](Self::terminate).
    #[cfg(feature = "reactor")]
    pub fn terminate_on(
        &self,
        reactor: &Handle,
        signal: Signal,
        grace: Duration,
    ) -> Deferred<ScopeTermination, ScopeError> {
        let (promise, deferred) = Deferred::new();
        let ending = ScopeEnding::new(self.clone(), signal, grace);
        on_loop::go_on(reactor, ending, promise, reactor.now());
        deferred
    }

    /// Stops all that is in it, and what they start, until [`thaw`](Self::thaw). Unlike SIGSTOP, no
    /// process sees it.
    ///
    /// It waits until everything has stopped, normally for less than a millisecond. While a scope is
    /// frozen, no child starts in it. KILL ends a frozen process; other signals wait for the thaw.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Unsupported`] without a cgroup. `TimedOut` if a process has not stopped within a
    /// second; the scope is being frozen then.
    pub fn freeze(&self) -> Result<(), ScopeError> {
        self.cgroup("freeze")?.freeze(true).map_err(self.os("freeze"))
    }

    /// Lets all that is in a frozen scope go on.
    ///
    /// # Errors
    ///
    /// Those of [`freeze`](Self::freeze).
    pub fn thaw(&self) -> Result<(), ScopeError> {
        self.cgroup("thaw")?.freeze(false).map_err(self.os("thaw"))
    }

    /// Returns the numbers of the processes in it, ascending. Zombies are none.
    ///
    /// When it returns, a process may have ended, and another one may have its number.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Unsupported`] without a cgroup.
    pub fn members(&self) -> Result<Vec<u32>, ScopeError> {
        const WHAT: &str = "list the members of";
        let members = self.cgroup(WHAT)?.folder().members().map_err(self.os(WHAT))?;
        Ok(members.into_iter().collect())
    }

    /// Moves a running process into it, with all its threads. What the process has started before
    /// stays where it is.
    ///
    /// A pidfd makes sure that the number is still that of the process that had it at the call.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Invalid`] for this program itself. [`ScopeError::Unsupported`] without a cgroup.
    /// `ESRCH` if there is no such process; else the kernel's reason.
    pub fn adopt(&self, pid: u32) -> Result<(), ScopeError> {
        const WHAT: &str = "adopt a process into";
        if pid == process::id() || pid == 0 {
            let why = format!("process {pid} is the program itself, which is never moved");
            return Err(ScopeError::Invalid { what: WHAT, name: self.name().to_owned(), why });
        }
        self.cgroup(WHAT)?.adopt(pid).map_err(self.os(WHAT))
    }
}
