//! The input of a launch, and the results of a launch and of waits: the same on every system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use procession_protocol::{ResourceUsage, SpawnPath, UnknownEnd};

use super::owned::Place;
use super::step::Step;

/// A descriptor for the child: ours, with its number there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedFd<'a> {
    pub(crate) source: BorrowedFd<'a>,
    pub(crate) target: i32,
    /// The exec closes it, so the program does not get it.
    pub(crate) until_exec: bool,
}

/// A child that has begun to run its program.
#[derive(Debug)]
pub(crate) struct Cloned {
    pub(crate) pid: u32,
    /// Its place among the children that end with the program; dropped before the pidfd is closed.
    pub(crate) place: Option<Place>,
    /// Outside Linux, a kqueue that becomes readable at the child's exit, the nearest thing to a
    /// pidfd; `None` if there is neither.
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) path: SpawnPath,
}

/// The reason why there is no child.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// This thread cannot use the path, now or at all; nothing happened.
    Path(io::Error),
    /// The path passes fewer descriptors than the command has; nothing happened.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only mail has a limit"))]
    TooMany { count: usize, most: usize },
    /// The command has closures for between clone and exec, and the path cannot run them.
    PreExec,
    /// The child could not get a table of its own, touched nothing, and is reaped.
    Refused(i32),
    /// A filter has killed the child before its exec, for a call that another path may not make.
    /// The child is not reaped.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    Killed { child: Box<Cloned>, in_close_range: bool },
    /// The kernel has killed a child that its clone put into a cgroup. It is not reaped. The next one
    /// goes there itself.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    KilledAtBirth(Box<Cloned>),
    /// `clone` failed.
    Clone(io::Error),
    /// The child reported a failure, and is reaped; or the failure is known before a child could
    /// report it.
    Child(Step, i32),
}

/// The result of a wait.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum WaitOutcome {
    /// The child runs, or is stopped.
    Running,
    /// The child is reaped; the status is as in `waitpid(2)`.
    Reaped(i32, ResourceUsage),
    /// Other code reaped the child, and the kernel has kept the status for its pidfd.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux keeps it"))]
    Kept(i32),
    /// Other code reaped the child, and the status is lost.
    Lost(UnknownEnd),
}

/// The result of a look at a child that does not reap it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeekOutcome {
    /// The child runs, or is stopped.
    Running,
    /// The child has ended, and waits to be reaped.
    Ended,
    /// Other code has reaped the child, or it cannot be waited for.
    Lost,
}

/// The children that a look covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChildSet {
    Everybody,
    /// Those in a group.
    Group(u32),
}

/// The first child that has ended, in the kernel's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstEnded {
    /// There is no child at all; or the system refuses to tell.
    NoChild,
    /// There are children, and all of them run.
    Nobody,
    Child(u32),
}

/// Names a child: by pidfd, which cannot name another process, else by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ChildId<'a> {
    /// Also with its number, for kernels (before 5.4) and filters that cannot wait on a pidfd, and
    /// for systems without pidfds.
    Fd(
        #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody has a pidfd"))]
        BorrowedFd<'a>,
        u32,
    ),
    Pid(u32),
}

impl<'a> ChildId<'a> {
    /// Names the child by its pidfd, if it has one.
    pub(crate) fn of(pid: u32, pidfd: Option<&'a OwnedFd>) -> Self {
        pidfd.map_or(Self::Pid(pid), |pidfd| Self::Fd(pidfd.as_fd(), pid))
    }
}
