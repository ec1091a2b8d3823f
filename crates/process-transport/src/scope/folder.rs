//! The folder of one cgroup, with the folders in it: its files, and what their contents mean.
//!
//! A folder that is gone has no member.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procession_core::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::sys;

/// How often new members are looked for before a signal. Members that start others without end need
/// a KILL.
const ROUNDS: usize = 64;

/// The path of one cgroup.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes the folder.
    pub(super) fn make(path: PathBuf) -> io::Result<Self> {
        fs::create_dir(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn read(&self, name: &str) -> io::Result<String> {
        fs::read_to_string(self.file(name))
    }

    /// Writes to a file that exists.
    pub(super) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        write(&self.file(name), text)
    }

    /// Returns whether a process lives in it, or in a folder of it.
    pub(super) fn is_populated(&self) -> io::Result<bool> {
        match self.read("cgroup.events") {
            Ok(events) => Ok(value(&events, "populated") != Some(0)),
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Waits until no process lives in it, or until `at_most` has passed; returns whether none does.
    pub(super) fn wait_until_empty(&self, at_most: Duration) -> io::Result<bool> {
        let is_empty = |events: &str| value(events, "populated") == Some(0);
        match wait_for(&self.file("cgroup.events"), at_most, is_empty) {
            Err(error) if is_gone(&error) => Ok(true),
            result => result,
        }
    }

    /// Returns the numbers of the processes in it and in the folders of it, ascending.
    pub(super) fn members(&self) -> io::Result<BTreeSet<u32>> {
        let mut members = BTreeSet::new();
        for folder in self.with_folders()? {
            match fs::read_to_string(folder.join("cgroup.procs")) {
                Ok(procs) => {
                    members.extend(procs.lines().filter_map(|line| line.parse::<u32>().ok()))
                }
                Err(error) if is_gone(&error) => {}
                Err(error) => return Err(error),
            }
        }
        members.remove(&0); // a process that this PID namespace does not show
        Ok(members)
    }

    /// Sends a signal to each member for which `is_meant` is true, and to those that they start
    /// meanwhile.
    pub(super) fn signal(
        &self,
        signal: Signal,
        is_meant: impl Fn(u32) -> bool,
    ) -> io::Result<Signalled> {
        let mut seen = BTreeSet::new();
        let mut result = Signalled::default();
        for _ in 0..ROUNDS {
            let new: Vec<u32> = self.members()?.difference(&seen).copied().collect();
            if new.is_empty() {
                break;
            }
            seen.extend(&new);
            let fds: Vec<(u32, io::Result<OwnedFd>)> =
                new.into_iter().filter(|pid| is_meant(*pid)).map(|pid| (pid, open(pid))).collect();
            // A number may have become another process's before its pidfd was opened. If it is still
            // a member's, then the pidfd is that member's, or that of a process that has ended.
            let still = self.members()?;
            for (_, fd) in fds.into_iter().filter(|(pid, _)| still.contains(pid)) {
                match fd.and_then(|fd| send(&fd, signal)) {
                    Ok(()) => result.reached = true,
                    Err(error) if is_gone(&error) => {}
                    Err(error) => result.refused = Some(error),
                }
            }
        }
        Ok(result)
    }

    /// Sends KILL to all members, and to all that they start meanwhile.
    pub(super) fn kill(&self) -> io::Result<()> {
        match self.write("cgroup.kill", "1") {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.kill_each(),
            Err(error) if is_gone(&error) => Ok(()),
            result => result,
        }
    }

    /// Does so on a kernel without `cgroup.kill` (before Linux 5.14): frozen members start no others.
    fn kill_each(&self) -> io::Result<()> {
        if !self.0.exists() {
            return Ok(());
        }
        let is_frozen = self.write("cgroup.freeze", "1").is_ok();
        if is_frozen {
            self.wait_until_frozen(true, Duration::from_millis(100))?;
        }
        let sent = self.signal(Signal::KILL, |_| true);
        if is_frozen {
            self.write("cgroup.freeze", "0").or_else(|error| ok_if_gone(error, ()))?;
        }
        sent?.refused.map_or(Ok(()), Err)
    }

    /// Waits until all members are frozen, or thawed; returns whether they are.
    pub(super) fn wait_until_frozen(&self, frozen: bool, at_most: Duration) -> io::Result<bool> {
        let is_so = |events: &str| value(events, "frozen") == Some(u64::from(frozen));
        wait_for(&self.file("cgroup.events"), at_most, is_so)
    }

    /// Removes it with the folders in it, the deepest first. A folder with a member stays.
    pub(super) fn remove(&self) -> io::Result<()> {
        let mut result = Ok(());
        for folder in self.with_folders()?.iter().rev() {
            result = fs::remove_dir(folder).or_else(|error| ok_if_gone(error, ()));
        }
        result // of the folder itself, which is the last
    }

    /// Returns this folder and all in it, each before those in it.
    fn with_folders(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = vec![self.0.clone()];
        let mut next = 0;
        while let Some(folder) = found.get(next) {
            next += 1;
            let entries = match fs::read_dir(folder) {
                Ok(entries) => entries,
                Err(error) if is_gone(&error) => continue,
                Err(error) => return Err(error),
            };
            let folders = entries
                .filter_map(Result::ok)
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            found.extend(folders.map(|entry| entry.path()).collect::<Vec<_>>());
        }
        Ok(found)
    }
}

/// The result of a signal to all members.
#[derive(Debug, Default)]
pub(super) struct Signalled {
    /// A member got it.
    pub(super) reached: bool,
    /// Why a member did not get it, although it lives.
    pub(super) refused: Option<io::Error>,
}

/// Writes to a file that exists.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    use std::io::Write;
    fs::OpenOptions::new().write(true).open(path)?.write_all(text.as_bytes())
}

/// Returns the number after a name in a file of lines.
pub(super) fn value(text: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.find(|(first, _)| *first == name)?.1.parse().ok()
}

/// Returns whether an error says that the folder, or the process, is gone.
fn is_gone(error: &io::Error) -> bool {
    let gone = [libc::ENOENT, libc::ENODEV, libc::ESRCH];
    error.raw_os_error().is_some_and(|errno| gone.contains(&errno))
}

fn ok_if_gone<T>(error: io::Error, value: T) -> io::Result<T> {
    if is_gone(&error) { Ok(value) } else { Err(error) }
}

/// Opens the pidfd of a process.
pub(super) fn open(pid: u32) -> io::Result<OwnedFd> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or(io::ErrorKind::InvalidInput)?;
    Ok(pidfd_open(pid, PidfdFlags::empty())?)
}

fn send(pidfd: &OwnedFd, signal: Signal) -> io::Result<()> {
    sys::send_by_pidfd(pidfd.as_fd(), signal).map_err(io::Error::from_raw_os_error)
}

/// Waits until the content of a file is as wanted, or until `at_most` has passed; returns whether it
/// is. The kernel reports each change of the file.
fn wait_for(path: &Path, at_most: Duration, is_so: impl Fn(&str) -> bool) -> io::Result<bool> {
    use std::io::{Read, Seek};
    let began = crate::spawned::Stopwatch::start();
    let mut file = fs::File::open(path)?;
    let mut text = String::new();
    loop {
        text.clear();
        file.rewind()?;
        file.read_to_string(&mut text)?;
        if is_so(&text) {
            return Ok(true);
        }
        let left = at_most.saturating_sub(began.now());
        if left.is_zero() {
            return Ok(false);
        }
        let timeout = Timespec::try_from(left).unwrap_or(Timespec { tv_sec: 3600, tv_nsec: 0 });
        let mut fds = [PollFd::new(&file, PollFlags::PRI)];
        match poll(&mut fds, Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
