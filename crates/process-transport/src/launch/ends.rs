//! From the fd map to descriptors: what the child is to get, and the parent's ends.

use crate::command::{Command, Fd, FdKind, FileMode};
use crate::error::{SpawnError, Step};
use crate::platform;
use crate::prepare::resolve_same_as;
use crate::sys::Gift;
use crate::terminal::{Before, Terminal};
use procession_protocol::ChildFd;
use procession_reactor::pipe::Direction;
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::fcntl_dupfd_cloexec;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

/// The parent's end of one of the child's descriptors; non-blocking when the child runs.
#[derive(Debug)]
pub(crate) struct ParentEnd {
    pub(crate) fd: ChildFd,
    pub(crate) end: OwnedFd,
    pub(crate) direction: Direction,
}

/// Everything that the fd map asks for.
#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) parent: Vec<ParentEnd>,
    /// Which of them is a terminal's master, which may be the caller's.
    master: Option<usize>,
    child: BTreeMap<ChildFd, Source>,
}

/// What the child gets a copy of.
enum Source {
    Owned(OwnedFd),
    Inherited(Rc<dyn AsFd>),
}

impl Source {
    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Owned(fd) => fd.as_fd(),
            Self::Inherited(fd) => (**fd).as_fd(),
        }
    }
}

impl Ends {
    /// Makes the pipes, sockets and files of the command's map.
    pub(crate) fn make(command: &Command) -> Result<Self, SpawnError> {
        let map = command.fd_entries();
        let mut ends = Self::default();
        for (&number, fd) in &map {
            ends.add(number, fd)
                .map_err(|error| SpawnError::new(Step::Pipe, subject(number, fd), error))?;
        }
        for number in map.keys() {
            if let Some(made_by) = resolve_same_as(&map, *number).filter(|by| by != number) {
                ends.share(made_by, *number).map_err(|error| {
                    SpawnError::new(Step::Pipe, format!("child fd {number}"), error)
                })?;
            }
        }
        Ok(ends)
    }

    fn add(&mut self, number: ChildFd, fd: &Fd) -> io::Result<()> {
        let source = match fd.kind() {
            FdKind::ToChild => {
                let (read, write) = pipe()?;
                self.keep(number, write, OFlags::WRONLY, Direction::Write)?;
                Source::Owned(read)
            }
            FdKind::FromChild => {
                let (read, write) = pipe()?;
                self.keep(number, read, OFlags::RDONLY, Direction::Read)?;
                Source::Owned(write)
            }
            FdKind::Socketpair => {
                let (ours, theirs) = platform::socketpair()?;
                let (ours, theirs) = (above_stdio(ours)?, above_stdio(theirs)?);
                self.keep(number, ours, OFlags::RDWR, Direction::Both)?;
                Source::Owned(theirs)
            }
            FdKind::Inherit(fd) => Source::Inherited(Rc::clone(fd)),
            FdKind::Null => Source::Owned(open(Path::new("/dev/null"), OFlags::RDWR)?),
            FdKind::File(path, mode) => Source::Owned(open(path, mode_flags(*mode))?),
            FdKind::SameAs(_) | FdKind::Closed => return Ok(()),
        };
        self.child.insert(number, source);
        Ok(())
    }

    /// The parent's end: non-blocking, which is a state of the description that the child never gets.
    fn keep(
        &mut self,
        fd: ChildFd,
        end: OwnedFd,
        access: OFlags,
        direction: Direction,
    ) -> io::Result<()> {
        fcntl_setfl(&end, access | OFlags::NONBLOCK)?;
        self.parent.push(ParentEnd { fd, end, direction });
        Ok(())
    }

    fn share(&mut self, made_by: ChildFd, number: ChildFd) -> io::Result<()> {
        let Some(source) = self.child.get(&made_by) else { return Ok(()) };
        let copy = match source {
            Source::Owned(fd) => Source::Owned(fcntl_dupfd_cloexec(fd, 3)?),
            Source::Inherited(fd) => Source::Inherited(Rc::clone(fd)),
        };
        self.child.insert(number, copy);
        Ok(())
    }

    /// The terminal's master is the parent's end of 1; the slave is returned, for the parent to keep,
    /// and what the terminal was like, to be forgotten once the child runs.
    pub(crate) fn add_terminal(&mut self, terminal: Terminal) -> (Rc<OwnedFd>, Before) {
        let Terminal { master, slave, before } = terminal;
        let slave = Rc::new(slave);
        for number in [ChildFd::STDIN, ChildFd::STDOUT, ChildFd::STDERR] {
            self.child.insert(number, Source::Inherited(slave.clone()));
        }
        self.master = Some(self.parent.len());
        self.parent.push(ParentEnd {
            fd: ChildFd::STDOUT,
            end: master,
            direction: Direction::Both,
        });
        (slave, before)
    }

    /// The child runs: from here on the terminal's master is read and written as every parent's end.
    pub(crate) fn unblock_terminal(&self) {
        if let Some(ParentEnd { end, .. }) = self.master.and_then(|index| self.parent.get(index)) {
            // The two calls cannot fail for an open terminal (fcntl(2), ERRORS).
            fcntl_getfl(end).and_then(|flags| fcntl_setfl(end, flags | OFlags::NONBLOCK)).ok();
        }
    }

    /// What the child is to get.
    pub(crate) fn gifts(&self) -> Vec<Gift<'_>> {
        self.child
            .iter()
            .map(|(number, source)| Gift { source: source.fd(), target: number.as_raw() })
            .collect()
    }
}

/// For a file its path says more than the number.
fn subject(number: ChildFd, fd: &Fd) -> std::ffi::OsString {
    match fd.kind() {
        FdKind::File(path, _) => path.clone().into_os_string(),
        _ => format!("child fd {number}").into(),
    }
}

/// A pipe whose ends are close-on-exec and above the standard streams: read, then write.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = platform::pipe()?;
    Ok((above_stdio(read)?, above_stdio(write)?))
}

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o666);
    above_stdio(rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, mode)?)
}

fn mode_flags(mode: FileMode) -> OFlags {
    match mode {
        FileMode::Read => OFlags::RDONLY,
        FileMode::Write => OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        FileMode::Append => OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND,
        FileMode::ReadWrite => OFlags::RDWR | OFlags::CREATE,
    }
}

/// Where 0, 1 or 2 are closed in this process, what is made here must not be taken for them.
pub(crate) fn above_stdio(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    Ok(fcntl_dupfd_cloexec(&fd, 3)?)
}
