//! What goes into a launch, and what a launch and a wait say: the same on every system.

use super::owned::Place;
use super::step::Step;
use procession_protocol::{ResourceUsage, SpawnPath, UnknownEnd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the child is to be given: a descriptor of ours, and its number there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassedFd<'a> {
    pub(crate) source: BorrowedFd<'a>,
    pub(crate) target: i32,
    /// It is closed by the exec, and no descriptor of the program's.
    pub(crate) until_exec: bool,
}

/// A child that has begun to run its program.
#[derive(Debug)]
pub(crate) struct Cloned {
    pub(crate) pid: u32,
    /// Among the children that end with the program; dropped before the pidfd is closed.
    pub(crate) place: Option<Place>,
    /// Elsewhere than on Linux a queue of its own that becomes readable at the child's exit, which
    /// comes closest to a pidfd; `None` where there is neither.
    pub(crate) pidfd: Option<OwnedFd>,
    pub(crate) path: SpawnPath,
}

/// Why there is no child.
#[derive(Debug)]
pub(crate) enum LaunchError {
    /// The path cannot be taken by this thread, now or at all; nothing happened.
    Path(io::Error),
    /// This path hands on fewer descriptors than the command has; nothing happened.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only mail has a limit"))]
    TooMany { count: usize, most: usize },
    /// A closure is to run between clone and exec, on a path that cannot have one.
    PreExec,
    /// The child could not get a table of its own, touched nothing, and is reaped.
    Refused(i32),
    /// A filter has killed the child before its exec, for a call that another path may not make. It is
    /// not reaped.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux has them"))]
    Killed { child: Box<Cloned>, in_close_range: bool },
    /// `clone` failed.
    Clone(io::Error),
    /// The child reported it, and is reaped; or it is known before what it would report.
    Child(Step, i32),
}

/// What a wait said.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Waited {
    /// The child runs on, or is stopped.
    Running,
    /// It is reaped; the status as of `waitpid(2)`.
    Reaped(i32, ResourceUsage),
    /// It was reaped, not by us, and the kernel has kept the status for its pidfd.
    #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux keeps it"))]
    Kept(i32),
    /// The same, and the status is lost.
    Lost(UnknownEnd),
}

/// What a look at a child said that does not reap it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peeked {
    /// It runs on, or is stopped.
    Running,
    /// It has ended, and waits to be reaped.
    Ended,
    /// Somebody else has reaped it, or it cannot be waited for.
    Lost,
}

/// Among which children somebody is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Among {
    Everybody,
    /// Those in a group.
    Group(u32),
}

/// The first child that has ended, in the kernel's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FirstEnded {
    /// There is no child, ended or not; or nobody can tell.
    NoChild,
    /// All of them run.
    Nobody,
    Child(u32),
}

/// Which child: by pidfd, which cannot name another process, else by number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Child<'a> {
    /// With its number, for kernels (before 5.4) and filters that know no wait on a pidfd, and for
    /// systems that have none.
    Fd(
        #[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody has a pidfd"))]
        BorrowedFd<'a>,
        u32,
    ),
    Pid(u32),
}

impl<'a> Child<'a> {
    /// By its pidfd where it has one.
    pub(crate) fn of(pid: u32, pidfd: Option<&'a OwnedFd>) -> Self {
        pidfd.map_or(Self::Pid(pid), |pidfd| Self::Fd(pidfd.as_fd(), pid))
    }
}
