//! Makes descriptors from the fd map: those for the child, and the parent's ends.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use procession_core::driver::Direction;
use procession_protocol::ChildFd;
use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::{fcntl_dupfd_cloexec, fcntl_getfd};

use super::terminal::Terminal;
use crate::command::{Fd, FdKind, FileMode, NumberMap};
use crate::error::{SpawnError, Step};
use crate::sys::platform::{above_stdio, pipe_above_stdio, socketpair};
use crate::sys::{self, PassedFd};

/// The parent's end of one of the child's descriptors. It blocks until a loop takes it.
#[derive(Debug)]
pub(crate) struct ParentEnd {
    pub(crate) fd: ChildFd,
    pub(crate) end: OwnedFd,
    pub(crate) direction: Direction,
    /// It was made non-blocking.
    pub(crate) is_nonblocking: bool,
}

impl ParentEnd {
    fn new(fd: ChildFd, end: OwnedFd, direction: Direction) -> Self {
        Self { fd, end, direction, is_nonblocking: false }
    }

    /// Makes the end non-blocking. The child never gets its file description; that of a caller's
    /// terminal has other owners, and keeps its other flags.
    pub(crate) fn make_nonblocking(&mut self) -> io::Result<()> {
        if !self.is_nonblocking {
            let flags = match self.direction {
                Direction::Read => OFlags::RDONLY,
                Direction::Write => OFlags::WRONLY,
                _ => fcntl_getfl(&self.end)?,
            };
            fcntl_setfl(&self.end, flags | OFlags::NONBLOCK)?;
            self.is_nonblocking = true;
        }
        Ok(())
    }

    /// Makes the end blocking again.
    pub(crate) fn make_blocking(&mut self) -> io::Result<()> {
        if self.is_nonblocking {
            fcntl_setfl(&self.end, fcntl_getfl(&self.end)? - OFlags::NONBLOCK)?;
            self.is_nonblocking = false;
        }
        Ok(())
    }
}

/// All descriptors that the fd map asks for.
#[derive(Default)]
pub(super) struct Ends {
    pub(super) parent: Vec<ParentEnd>,
    /// Numbers other than 0 to 2 that are the terminal too.
    on_terminal: Vec<ChildFd>,
    child: NumberMap<Source>,
    /// Descriptors that the child has only until its exec.
    until_exec: NumberMap<OwnedFd>,
}

/// A descriptor of which the child gets a copy.
enum Source {
    Owned(OwnedFd),
    Inherited(Arc<dyn AsFd + Send + Sync>),
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
    pub(super) fn make(map: &NumberMap<&Fd>, has_terminal: bool) -> Result<Self, SpawnError> {
        let mut ends = Self { child: NumberMap::with_capacity(map.len()), ..Self::default() };
        for (&number, fd) in map.iter() {
            ends.add(number, fd).map_err(|error| failed(number, fd, error))?;
        }
        for number in copies(map) {
            match resolve_same_as(map, number, has_terminal) {
                Some(FdOrigin::Number(made_by)) => {
                    ends.share(made_by, number).map_err(|error| {
                        SpawnError::new(Step::Pipe, format!("child fd {number}"), error)
                    })?;
                }
                Some(FdOrigin::Terminal) => ends.on_terminal.push(number),
                None => {}
            }
        }
        Ok(ends)
    }

    fn add(&mut self, number: ChildFd, fd: &Fd) -> io::Result<()> {
        let source = match fd.kind() {
            FdKind::ToChild => {
                let (read, write) = pipe_above_stdio()?;
                self.parent.push(ParentEnd::new(number, write, Direction::Write));
                Source::Owned(read)
            }
            FdKind::FromChild => {
                let (read, write) = pipe_above_stdio()?;
                self.parent.push(ParentEnd::new(number, read, Direction::Read));
                Source::Owned(write)
            }
            FdKind::Socketpair => {
                let (ours, theirs) = socketpair()?;
                let (ours, theirs) = (above_stdio(ours)?, above_stdio(theirs)?);
                self.parent.push(ParentEnd::new(number, ours, Direction::Both));
                Source::Owned(theirs)
            }
            FdKind::Inherit(fd) => Source::Inherited(Arc::clone(fd)),
            FdKind::Null => Source::Owned(open(Path::new(NULL), OFlags::RDWR)?),
            FdKind::File(path, mode) => Source::Owned(open_file(path, mode_flags(*mode))?),
            FdKind::SameAs(_) | FdKind::Closed => return Ok(()),
        };
        self.child.insert(number, source);
        Ok(())
    }

    fn share(&mut self, made_by: ChildFd, number: ChildFd) -> io::Result<()> {
        let Some(source) = self.child.get(&made_by) else { return Ok(()) };
        let copy = match source {
            Source::Owned(fd) => Source::Owned(fcntl_dupfd_cloexec(fd, 3)?),
            Source::Inherited(fd) => Source::Inherited(Arc::clone(fd)),
        };
        self.child.insert(number, copy);
        Ok(())
    }

    /// Adds a terminal: its master is the parent's end of 1, its slave is the child's 0 to 2 and
    /// every number that is the same as one of these.
    pub(super) fn add_terminal(&mut self, terminal: &Terminal, master: OwnedFd) {
        if let Some(slave) = &terminal.slave {
            let others = self.on_terminal.iter().copied();
            for number in TERMINAL.into_iter().chain(others) {
                self.child.insert(number, Source::Inherited(slave.clone()));
            }
        }
        self.parent.push(ParentEnd::new(ChildFd::STDOUT, master, Direction::Both));
    }

    /// Keeps a descriptor for a path that the child looks up, until the exec, if the path leads
    /// through a descriptor of this process. A number in the map belongs to the child itself, and a
    /// number that is not open leads nowhere.
    pub(super) fn keep_for_lookup(&mut self, path: &OsStr) -> io::Result<()> {
        let Some(number) = own_descriptor(path.as_bytes()) else { return Ok(()) };
        if self.child.contains_key(&number) {
            return Ok(());
        }
        match sys::duplicate(number.as_raw()) {
            Ok(copy) => self.until_exec.insert(number, copy),
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Returns the first number whose source descriptor is not open.
    pub(super) fn closed_source(&self) -> Option<ChildFd> {
        let closed = |source: &Source| fcntl_getfd(source.fd()).is_err();
        self.child.iter().find(|(_, source)| closed(source)).map(|(number, _)| *number)
    }

    /// Returns the descriptors that the child gets.
    pub(super) fn passed(&self) -> Vec<PassedFd<'_>> {
        let until_exec = self.until_exec.iter().map(|(number, fd)| PassedFd {
            source: fd.as_fd(),
            target: number.as_raw(),
            until_exec: true,
        });
        self.child
            .iter()
            .map(|(number, source)| PassedFd {
                source: source.fd(),
                target: number.as_raw(),
                until_exec: false,
            })
            .chain(until_exec)
            .collect()
    }
}

/// Returns the descriptor of this process that a path leads to or through.
fn own_descriptor(path: &[u8]) -> Option<ChildFd> {
    let folders = [&b"/proc/self/fd/"[..], b"/proc/thread-self/fd/", b"/dev/fd/"];
    let rest = folders.into_iter().find_map(|folder| path.strip_prefix(folder))?;
    let number = rest.split(|byte| *byte == b'/').next()?;
    let is_number = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(number).ok().filter(|_| is_number)?;
    Some(ChildFd::from(number.parse::<i32>().ok()?))
}

/// Creates the error of an entry; for a file its path says more than its number.
fn failed(number: ChildFd, fd: &Fd, error: io::Error) -> SpawnError {
    let path = match fd.kind() {
        FdKind::File(path, _) => path.as_path(),
        FdKind::Null => Path::new(NULL),
        _ => return SpawnError::new(Step::Pipe, format!("child fd {number}"), error),
    };
    let number = format!(" for child fd {number}");
    SpawnError::new(Step::Pipe, path, error).by("cannot open").with(number)
}

const NULL: &str = "/dev/null";

fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let mode = Mode::from_raw_mode(0o666);
    above_stdio(rustix::fs::open(path, flags | OFlags::CLOEXEC | OFlags::NOCTTY, mode)?)
}

/// Opens without waiting: a FIFO whose other side is not open would block the thread, and so its
/// reactor. The child gets the file in blocking mode, as without this flag.
fn open_file(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let file = open(path, flags | OFlags::NONBLOCK)?;
    fcntl_setfl(&file, flags & OFlags::APPEND)?;
    Ok(file)
}

fn mode_flags(mode: FileMode) -> OFlags {
    match mode {
        FileMode::Read => OFlags::RDONLY,
        FileMode::Write => OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC,
        FileMode::Append => OFlags::WRONLY | OFlags::CREATE | OFlags::APPEND,
        FileMode::ReadWrite => OFlags::RDWR | OFlags::CREATE,
    }
}

/// The numbers that a terminal takes.
const TERMINAL: [ChildFd; 3] = [ChildFd::STDIN, ChildFd::STDOUT, ChildFd::STDERR];

/// The source of a number's descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FdOrigin {
    /// The map's entry of that number, which may be the number itself.
    Number(ChildFd),
    Terminal,
}

/// Returns the numbers of a map that are the same as another one.
pub(super) fn copies(map: &NumberMap<&Fd>) -> impl Iterator<Item = ChildFd> {
    let entries = map.iter().filter(|(_, fd)| matches!(fd.kind(), FdKind::SameAs(_)));
    entries.map(|(number, _)| *number)
}

/// Follows `same_as` to the source of the descriptor; returns `None` for a dead end.
pub(super) fn resolve_same_as(
    map: &NumberMap<&Fd>,
    mut number: ChildFd,
    has_terminal: bool,
) -> Option<FdOrigin> {
    for _ in 0..=map.len() {
        if has_terminal && TERMINAL.contains(&number) {
            return Some(FdOrigin::Terminal);
        }
        match map.get(&number)?.kind() {
            FdKind::SameAs(other) => number = *other,
            _ => return Some(FdOrigin::Number(number)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::own_descriptor;

    #[test]
    fn a_path_through_a_descriptor_of_the_process_is_recognised() {
        for (path, number) in [
            ("/proc/self/fd/7", Some(7)),
            ("/proc/self/fd/12/bin/sh", Some(12)),
            ("/proc/thread-self/fd/3", Some(3)),
            ("/dev/fd/9", Some(9)),
            ("/proc/self/fd/", None),
            ("/proc/self/fd/+7", None),
            ("/proc/self/fd/7x", None),
            ("/proc/self/fd/99999999999", None),
            ("/proc/1/fd/7", None),
            ("proc/self/fd/7", None),
        ] {
            let found = own_descriptor(path.as_bytes()).map(|fd| fd.as_raw());
            assert_eq!(found, number, "{path}");
        }
    }
}
