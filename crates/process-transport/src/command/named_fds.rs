//! Descriptors that a program finds by variables: sockets of a service manager, make's jobserver.

use std::borrow::Cow;
use std::env;
use std::ffi::{OsStr, OsString};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;

use procession_protocol::ChildFd;
use rustix::fs::{FileType, fstat};

use super::fd::Fd;
use crate::sys;

/// The number of the first descriptor of `listen_fds`: `SD_LISTEN_FDS_START`.
pub(crate) const LISTEN_FDS_START: i32 = 3;

/// The greatest length of a name: systemd's `FDNAME_MAX`.
const MOST_NAME_BYTES: usize = 255;

/// The greatest length of all names, with what divides them: what `execve(2)` takes of a string
/// (`MAX_ARG_STRLEN`) on systems with pages of 4 KiB, without the variable's name.
const MOST_NAMES_BYTES: usize = 128 * 1024 - 32;

/// Descriptors that come with variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamedFds {
    listening: Vec<(String, Fd)>,
    jobserver: Option<Box<Jobserver>>,
}

/// Why the named descriptors of a command are refused: the subject and the reason.
type Refusal = (String, Cow<'static, str>);

impl NamedFds {
    pub(super) fn listen(&mut self, fds: impl IntoIterator<Item = (String, Fd)>) {
        self.listening = fds.into_iter().collect();
    }

    pub(super) fn hand_on(&mut self, jobserver: Option<Jobserver>) {
        self.jobserver = jobserver.map(Box::new);
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same =
            |(one, two): (&(String, Fd), &(String, Fd))| one.0 == two.0 && one.1.is_same(&two.1);
        self.listening.len() == other.listening.len()
            && self.listening.iter().zip(&other.listening).all(same)
            && match (&self.jobserver, &other.jobserver) {
                (None, None) => true,
                (Some(one), Some(two)) => {
                    one.read.is_same(&two.read) && one.write.is_same(&two.write)
                }
                _ => false,
            }
    }

    /// Returns whether the child is told its own process id.
    pub(crate) fn needs_pid(&self) -> bool {
        !self.listening.is_empty()
    }

    /// Returns the entries, for a command whose highest number is `highest`.
    pub(crate) fn entries(&self, highest: i32) -> impl Iterator<Item = (ChildFd, &Fd)> {
        let listening = self.listening.iter().map(|(_, fd)| fd);
        let listening = (LISTEN_FDS_START..).map(ChildFd::from).zip(listening);
        let first = self.jobserver_at(highest);
        let jobserver = self.jobserver.iter().flat_map(move |one| {
            [(ChildFd::from(first), &one.read), (ChildFd::from(first + 1), &one.write)]
        });
        listening.chain(jobserver)
    }

    /// Returns the variables that tell the program of them, but for the process id.
    pub(crate) fn variables(&self, highest: i32) -> Vec<(&'static str, OsString)> {
        let mut variables = Vec::new();
        if !self.listening.is_empty() {
            let names: Vec<&str> = self.listening.iter().map(|(name, _)| name.as_str()).collect();
            variables.push(("LISTEN_FDS", names.len().to_string().into()));
            variables.push(("LISTEN_FDNAMES", names.join(":").into()));
        }
        if let Some(jobserver) = &self.jobserver {
            variables.push((MAKEFLAGS, jobserver.flags(self.jobserver_at(highest))));
        }
        variables
    }

    /// Returns whether this is a variable of theirs.
    pub(crate) fn sets(&self, variable: &OsStr) -> bool {
        // The last is systemd's number of the process that it started.
        let listens = ["LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PID", "LISTEN_PIDFDID"];
        !self.listening.is_empty() && listens.iter().any(|name| variable == OsStr::new(name))
            || self.jobserver.is_some() && variable == OsStr::new(MAKEFLAGS)
    }

    /// Returns why they are refused beside the entry and the variables of the command.
    pub(crate) fn refusal<'a>(
        &self,
        mut numbers: impl Iterator<Item = &'a ChildFd>,
        mut variables: impl Iterator<Item = &'a OsString>,
    ) -> Option<Refusal> {
        let bad = self.listening.iter().find_map(|(name, _)| Some((name, why_bad(name)?)));
        if let Some((name, why)) = bad {
            return Some(("listen_fds".to_owned(), format!("the name {name:?}: {why}").into()));
        }
        let bytes: usize = self.listening.iter().map(|(name, _)| name.len() + 1).sum();
        if bytes > MOST_NAMES_BYTES {
            let why =
                format!("the names have {bytes} bytes, and a variable takes {MOST_NAMES_BYTES}");
            return Some(("listen_fds".to_owned(), why.into()));
        }
        let end =
            LISTEN_FDS_START.saturating_add(self.listening.len().try_into().unwrap_or(i32::MAX));
        if let Some(number) = numbers.find(|fd| (LISTEN_FDS_START..end).contains(&fd.as_raw())) {
            return Some((
                format!("child fd {number}"),
                "listen_fds puts a descriptor there".into(),
            ));
        }
        let variable = variables.find(|name| self.sets(name))?;
        let why = "listen_fds or inherit_jobserver sets it";
        Some((format!("variable {}", Path::new(variable).display()), why.into()))
    }

    /// Returns the first of the two numbers that the jobserver gets: they follow all others.
    fn jobserver_at(&self, highest: i32) -> i32 {
        let listening = i32::try_from(self.listening.len()).unwrap_or(i32::MAX);
        highest.max(2).max(2_i32.saturating_add(listening)).saturating_add(1)
    }
}

/// Returns why a name is refused, as systemd would refuse it.
fn why_bad(name: &str) -> Option<&'static str> {
    let is_good = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b':';
    match name.len() {
        0 => Some("a name is empty"),
        1..=MOST_NAME_BYTES if name.bytes().all(is_good) => None,
        1..=MOST_NAME_BYTES => Some("a name has printable ASCII characters but for ':'"),
        _ => Some("a name has at most 255 bytes"),
    }
}

const MAKEFLAGS: &str = "MAKEFLAGS";

/// What announces the jobserver in `MAKEFLAGS`, in GNU make from 4.2 and before that.
const OPTIONS: [&[u8]; 2] = [b"--jobserver-auth=", b"--jobserver-fds="];

/// The jobserver of the make that runs this program: a pipe with a byte for each job that may start.
#[derive(Debug, Clone)]
pub(crate) struct Jobserver {
    /// `MAKEFLAGS` before the numbers, and after them.
    before: Vec<u8>,
    after: Vec<u8>,
    read: Fd,
    write: Fd,
}

impl Jobserver {
    /// Returns this program's, if it has one that is a pipe. One that is a FIFO is known by its path, which
    /// the variable has.
    pub(super) fn inherited() -> Option<Self> {
        let flags = env::var_os(MAKEFLAGS)?;
        let Announced { before, read, write, after } = split(flags.as_bytes())?;
        let pipe = |number| sys::duplicate(number).ok().filter(is_pipe).map(Fd::from);
        let (read, write) = (pipe(read)?, pipe(write)?);
        Some(Self { before: before.to_vec(), after: after.to_vec(), read, write })
    }

    fn flags(&self, first: i32) -> OsString {
        let numbers = format!("{first},{}", first + 1);
        OsString::from_vec([&self.before, numbers.as_bytes(), &self.after].concat())
    }
}

fn is_pipe(fd: &OwnedFd) -> bool {
    fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// The two numbers of a jobserver in `MAKEFLAGS`, and what comes before and after them.
#[derive(Debug, PartialEq, Eq)]
struct Announced<'a> {
    before: &'a [u8],
    read: i32,
    write: i32,
    after: &'a [u8],
}

/// Finds the jobserver. The last option counts.
fn split(flags: &[u8]) -> Option<Announced<'_>> {
    let option = |at: usize| {
        let is_word = at == 0 || flags[at - 1] == b' ';
        let found = OPTIONS.iter().find(|option| is_word && flags[at..].starts_with(option))?;
        Some(at + found.len())
    };
    let from = (0..flags.len()).rev().find_map(option)?;
    let length = flags[from..].iter().position(|byte| *byte == b' ');
    let end = length.map_or(flags.len(), |length| from + length);
    let (read, write) = std::str::from_utf8(&flags[from..end]).ok()?.split_once(',')?;
    let number = |text: &str| text.parse::<i32>().ok().filter(|number| *number >= 0);
    let (read, write) = (number(read)?, number(write)?);
    Some(Announced { before: &flags[..from], read, write, after: &flags[end..] })
}

#[cfg(test)]
mod tests {
    use super::{Announced, split, why_bad};

    #[test]
    fn the_last_jobserver_of_the_flags_counts_and_the_rest_stays() {
        let found = |flags: &'static str| {
            let Announced { before, read, write, after } = split(flags.as_bytes())?;
            let text = |bytes| std::str::from_utf8(bytes).unwrap();
            Some((text(before), (read, write), text(after)))
        };
        let auth = " -j --jobserver-auth=";
        assert_eq!(found(" -j --jobserver-auth=3,4"), Some((auth, (3, 4), "")));
        assert_eq!(found(" -j --jobserver-auth=3,4 -- A=b"), Some((auth, (3, 4), " -- A=b")));
        let old = found("--jobserver-fds=5,6 -j");
        assert_eq!(old, Some(("--jobserver-fds=", (5, 6), " -j")));
        let both = found("--jobserver-auth=3,4 --jobserver-auth=7,8");
        assert_eq!(both, Some(("--jobserver-auth=3,4 --jobserver-auth=", (7, 8), "")));
        for none in [
            "",
            "kB",
            "-j --jobserver-auth=-2,-2",
            "--jobserver-auth=fifo:/tmp/x",
            "--jobserver-auth=3",
            "--jobserver-auth=3,4,5",
            "X--jobserver-auth=3,4",
        ] {
            assert_eq!(found(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_name_is_what_systemd_takes() {
        for good in ["http", "a b", "~", &"x".repeat(255)] {
            assert_eq!(why_bad(good), None, "{good:?}");
        }
        for bad in ["", ":", "a:b", "a\n", "é", "\x7f", "a\0b", &"x".repeat(256)] {
            assert!(why_bad(bad).is_some(), "{bad:?}");
        }
    }
}
