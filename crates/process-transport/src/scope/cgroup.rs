//! A scope's cgroup: made below the program's own, or below a given one.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use procession_core::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Access, access};

use super::base;
use super::branch::{Branch, Branches};
use super::folder::{self, Folder, value};
use super::unit::Unit;
use crate::sys::{self, Birthplace, ScopePlace};

/// How many folders of the same name, left by dead programs with this program's number, are passed
/// over.
const MOST_LEFTOVERS: u32 = 16;

/// How long a freeze may take. A member that the kernel cannot stop takes as long as it likes.
const FREEZES_WITHIN: Duration = Duration::from_secs(1);

/// How long the drop waits for the killed.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// A cgroup that this program made.
#[derive(Debug)]
pub(super) struct Cgroup {
    base: PathBuf,
    folder: Folder,
    opened: Arc<OwnedFd>,
    /// Its place in the table of the scopes that end with the program: before `kill`, which it names.
    place: Option<ScopePlace>,
    /// Its `cgroup.kill`, since Linux 5.14.
    kill: Option<OwnedFd>,
    /// See [`Birthplace::new`].
    kills_newborns: Arc<AtomicBool>,
    branches: Branches,
    /// Written while it is frozen, read while a child is launched: a child that is frozen before its
    /// exec would hold its parent up.
    is_frozen: RwLock<bool>,
    /// The unit of systemd that it is in.
    unit: Option<Unit>,
}

/// Why no cgroup could be made.
#[derive(Debug)]
pub(super) struct NoCgroup {
    pub(super) why: String,
    /// The user may not make one there.
    pub(super) is_denied: bool,
    /// The program is short of something, so that this says nothing about the system.
    pub(super) shortage: Option<io::Error>,
}

impl From<String> for NoCgroup {
    fn from(why: String) -> Self {
        Self { why, is_denied: false, shortage: None }
    }
}

impl NoCgroup {
    fn because(path: &Path, error: &io::Error) -> Self {
        let is_denied = error.kind() == io::ErrorKind::PermissionDenied;
        let errno = error.raw_os_error();
        let is_short =
            errno.is_some_and(|errno| matches!(errno, libc::EMFILE | libc::ENFILE | libc::ENOMEM));
        let shortage = errno.filter(|_| is_short).map(io::Error::from_raw_os_error);
        Self { why: format!("{}: {error}", path.display()), is_denied, shortage }
    }
}

/// Why a limit was not set.
#[derive(Debug)]
pub(super) enum NoLimit {
    /// The system cannot enforce it here.
    Unsupported(String),
    Os(io::Error),
}

impl Cgroup {
    /// Makes a cgroup below the program's own; fails with the reason why the system does not let it.
    pub(super) fn below_own(name: &str) -> Result<Self, NoCgroup> {
        let read =
            |path: &str| fs::read(path).map_err(|error| NoCgroup::because(Path::new(path), &error));
        let base = base::folder(&read("/proc/self/cgroup")?, &read("/proc/self/mountinfo")?);
        Self::below(base.map_err(str::to_owned)?, name)
    }

    /// Makes a cgroup in that of a unit.
    pub(super) fn in_unit(unit: Unit, name: &str) -> Result<Self, NoCgroup> {
        let made = Self::below(unit.folder.clone(), name)?;
        Ok(Self { unit: Some(unit), ..made })
    }

    /// Makes a cgroup below this one.
    pub(super) fn below(base: PathBuf, name: &str) -> Result<Self, NoCgroup> {
        let because = NoCgroup::because;
        let procs = base.join("cgroup.procs");
        // Who moves a process needs this for the cgroup above both places.
        access(&procs, Access::WRITE_OK).map_err(|error| because(&procs, &error.into()))?;
        let folder = make(&base, name).map_err(|error| because(&base, &error))?;
        let path = folder.path().to_owned();
        let made = Self::of(base, folder);
        made.inspect_err(|_| {
            fs::remove_dir(&path).ok(); // it is empty, and the error says what is wrong
        })
    }

    fn of(base: PathBuf, folder: Folder) -> Result<Self, NoCgroup> {
        let because = |name: &str, error: io::Error| NoCgroup::because(&folder.file(name), &error);
        let kind = folder.read("cgroup.type").map_err(|error| because("cgroup.type", error))?;
        if kind.trim_end() != "domain" {
            return Err(format!("{}: it is {}", folder.path().display(), kind.trim_end()).into());
        }
        access(folder.file("cgroup.procs"), Access::WRITE_OK)
            .map_err(|error| because("cgroup.procs", error.into()))?;
        let opened = File::open(folder.path()).map_err(|error| because("", error))?;
        let above = |file: File| sys::platform::above_stdio(OwnedFd::from(file));
        let opened = Arc::new(above(opened).map_err(|error| because("", error))?);
        let kill = match fs::OpenOptions::new().write(true).open(folder.file("cgroup.kill")) {
            Ok(kill) => Some(above(kill).map_err(|error| because("cgroup.kill", error))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(because("cgroup.kill", error)),
        };
        let place = kill.as_ref().map(|kill| sys::enter_scope(kill.as_fd())).transpose();
        let place = place.map_err(|error| error.to_string())?;
        let (branches, kills_newborns, unit) = (Branches::default(), Arc::default(), None);
        let is_frozen = RwLock::new(false);
        Ok(Self { base, folder, opened, place, kill, kills_newborns, branches, is_frozen, unit })
    }

    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Returns whether it is in a unit that systemd has started for it.
    pub(super) fn is_in_unit(&self) -> bool {
        self.unit.is_some()
    }

    pub(super) fn kill(&self) -> io::Result<()> {
        match &self.kill {
            Some(kill) => rustix::io::write(kill, b"1").map(drop).map_err(io::Error::from),
            None => self.folder.kill(),
        }
    }

    /// Sends a signal to all members; fails if no member got it, and one refused it.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let signalled = self.folder.signal(signal, |_| true)?;
        match signalled.refused {
            Some(error) if !signalled.reached => Err(error),
            _ => Ok(()),
        }
    }

    /// Freezes it, or thaws it, and waits until that is done.
    pub(super) fn freeze(&self, freeze: bool) -> io::Result<()> {
        let mut is_frozen = self.is_frozen.write().unwrap_or_else(PoisonError::into_inner);
        self.folder.write("cgroup.freeze", if freeze { "1" } else { "0" })?;
        *is_frozen = freeze;
        match self.folder.wait_until_frozen(freeze, FREEZES_WITHIN)? {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Lets no freeze begin until the drop of the result; `None` if it is frozen.
    pub(super) fn hold_thawed(&self) -> Option<RwLockReadGuard<'_, bool>> {
        let is_frozen = self.is_frozen.read().unwrap_or_else(PoisonError::into_inner);
        (!*is_frozen).then_some(is_frozen)
    }

    /// Moves a process here; its pidfd shows that the number is still its own.
    pub(super) fn adopt(&self, pid: u32) -> io::Result<()> {
        let pidfd = folder::open(pid)?;
        self.folder.write("cgroup.procs", &pid.to_string())?;
        let mut fds = [PollFd::new(&pidfd, PollFlags::IN)];
        let has_ended = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }))? > 0;
        if has_ended { Err(io::Error::from_raw_os_error(libc::ESRCH)) } else { Ok(()) }
    }

    /// Makes the folder of an owned child.
    pub(super) fn branch(&self) -> io::Result<Branch> {
        self.branches.make(&self.folder)
    }

    /// Returns where a child is born: here, or in its branch.
    pub(super) fn birthplace(&self, branch: Option<&Branch>) -> io::Result<Birthplace> {
        let (folder, opened, kills_newborns) = match branch {
            None => (&self.folder, Arc::clone(&self.opened), Arc::clone(&self.kills_newborns)),
            Some(branch) => {
                let opened = File::open(branch.folder().path())?;
                let opened = sys::platform::above_stdio(OwnedFd::from(opened))?;
                (branch.folder(), Arc::new(opened), Arc::default())
            }
        };
        let procs = folder.file("cgroup.procs").into_os_string();
        let procs = CString::new(procs.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput)?;
        let call = self.unit.as_ref().map(|unit| unit.call_to_join(folder.path())).transpose()?;
        Ok(Birthplace::new(opened, procs, kills_newborns).with_manager(call))
    }

    /// Sets a limit, and checks that the system has it.
    pub(super) fn limit(&self, controller: &str, file: &str, text: &str) -> Result<(), NoLimit> {
        self.enable(controller)?;
        self.folder.write(file, text).map_err(NoLimit::Os)?;
        let set = self.folder.read(file).map_err(NoLimit::Os)?;
        if is_set(text, set.trim_end()) {
            return Ok(());
        }
        Err(NoLimit::Unsupported(format!("the system has made {:?} of it", set.trim_end())))
    }

    /// Makes the base give its cgroups a controller.
    fn enable(&self, controller: &str) -> Result<(), NoLimit> {
        let has = |path: &Path| {
            let listed = fs::read_to_string(path).map_err(NoLimit::Os)?;
            Ok(listed.split_whitespace().any(|one| one == controller))
        };
        if has(&self.folder.file("cgroup.controllers"))? {
            return Ok(());
        }
        let base = self.base.display();
        if !has(&self.base.join("cgroup.controllers"))? {
            return Err(NoLimit::Unsupported(format!("{base} has no controller {controller:?}")));
        }
        let control = self.base.join("cgroup.subtree_control");
        match folder::write(&control, &format!("+{controller}")) {
            Ok(()) => Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                Err(NoLimit::Unsupported(format!(
                    "{base} has processes, so it cannot give {controller:?} to the cgroups in it: \
                     start the program with Delegate=yes and DelegateSubgroup=, and use \
                     Scope::within with the cgroup above its own"
                )))
            }
            Err(error) => Err(NoLimit::Os(error)),
        }
    }

    /// Kills what is in it, and removes it. A folder in which a process outlives the KILL stays.
    pub(super) fn end(&mut self) {
        // The descriptor that the place names is still open here.
        let place = self.place.take();
        drop(place);
        if self.folder.is_populated().unwrap_or(true) {
            self.kill().ok(); // a scope that somebody has removed has nobody to kill
            self.folder.wait_until_empty(ENDS_WITHIN).ok();
        }
        self.folder.remove().ok();
    }
}

/// Makes the folder of a scope; programs have different numbers, so they never meet.
fn make(base: &Path, name: &str) -> io::Result<Folder> {
    let pid = process::id();
    let mut path = base.join(format!("procession-{pid}-{name}"));
    for number in 2..MOST_LEFTOVERS + 2 {
        match Folder::make(path) {
            // A dead program with the same number has left it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                path = base.join(format!("procession-{pid}-{name}-{number}"));
            }
            result => return result,
        }
    }
    Folder::make(path)
}

/// Returns whether the kernel has taken a limit: as it is, or rounded down to a page.
fn is_set(wanted: &str, set: &str) -> bool {
    const LARGEST_PAGE: u64 = 64 << 10;
    match (wanted.parse::<u64>(), set.parse::<u64>()) {
        (Ok(wanted), Ok(set)) => set <= wanted && wanted - set < LARGEST_PAGE,
        _ => wanted == set,
    }
}

/// Returns the processor time of all that ever ran in it.
pub(super) fn cpu_time(folder: &Folder) -> io::Result<Duration> {
    let stat = folder.read("cpu.stat")?;
    value(&stat, "usage_usec")
        .map(Duration::from_micros)
        .ok_or_else(|| io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::is_set;

    #[test]
    fn a_limit_counts_as_set_up_to_the_size_of_a_page() {
        assert!(is_set("64", "64"));
        assert!(is_set("1000000", "999424"));
        assert!(!is_set("1000000", "max"));
        assert!(!is_set("1000000", "1003520"));
        assert!(!is_set("1000000", "4096"));
        assert!(is_set("50000 100000", "50000 100000"));
        assert!(!is_set("50000 100000", "max 100000"));
    }
}
