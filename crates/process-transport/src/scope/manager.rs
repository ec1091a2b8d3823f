//! Has the user's systemd start a unit for a scope, where the user may make no cgroup below the
//! program's own: in a session of a terminal or of ssh, whose cgroup is root's.
//!
//! # Model
//!
//! The unit is a transient scope of systemd, whose cgroup is delegated to the user (`Delegate=yes`). It
//! ends when no process is in it, so one process keeps it: a shell that waits for the end of its input,
//! and is killed with the [`Scope`](super::Scope), or ends by itself if the program is killed. It is in
//! a folder of its own, so that the unit can hand controllers on. The program itself is not moved.
//!
//! The call goes to systemd's own socket, on which no bus is needed.

use std::env;
use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procession_core::Signal;

use super::base;
use super::bus::{self, Heard};
use super::cgroup::{Cgroup, NoCgroup};
use super::folder::Folder;
use super::unit::Unit;
use crate::command::{Command, Fd};
use crate::spawned::{Spawned, Stopwatch};
use crate::sys::{self, ManagerCall};

/// How long the start of a unit may take.
const STARTS_WITHIN: Duration = Duration::from_secs(5);

/// How many units of the same name, left by dead programs with this program's number, are passed over.
const MOST_LEFTOVERS: u32 = 16;

/// The error of a unit that exists.
const EXISTS: &str = "org.freedesktop.systemd1.UnitExists";

/// Counts the units of this program. Their names have numbers, because a scope's name may have
/// characters that a unit's may not.
static UNITS: AtomicU64 = AtomicU64::new(0);

/// Makes a cgroup in a unit of its own, if the program was denied one below its own.
pub(super) fn cgroup(none: NoCgroup, name: &str) -> Result<Cgroup, NoCgroup> {
    let Some(socket) = socket().filter(|_| none.is_denied) else { return Err(none) };
    let made = unit(socket, name)
        .map_err(|error| NoCgroup::from(error.to_string()))
        .and_then(|unit| Cgroup::in_unit(unit, name));
    made.map_err(|other| {
        NoCgroup::from(format!("{}, and the user's systemd: {}", none.why, other.why))
    })
}

/// Returns the socket of the user's systemd, if there is one.
fn socket() -> Option<PathBuf> {
    let folder = env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let folder = folder.map(PathBuf::from).unwrap_or_else(|| {
        Path::new("/run/user").join(rustix::process::geteuid().as_raw().to_string())
    });
    Some(folder.join("systemd/private")).filter(|socket| socket.exists())
}

fn unit(socket: PathBuf, scope: &str) -> io::Result<Unit> {
    let keeper = Keeper::start()?;
    let pid = keeper.child.pid();
    let name = start(&socket, scope, pid)?;
    let cgroup = fs::read(format!("/proc/{pid}/cgroup"))?;
    let folder = base::folder(&cgroup, &fs::read("/proc/self/mountinfo")?);
    let folder = folder.map_err(io::Error::other)?;
    if folder.file_name().is_none_or(|last| last != &*name) {
        let why = format!("{name} has started, and process {pid} is in {}", folder.display());
        return Err(io::Error::other(why));
    }
    let own = Folder::make(folder.join("keeper"))?;
    own.write("cgroup.procs", &pid.to_string())?;
    Ok(Unit { name, socket, folder, keeper: Box::new(keeper) })
}

/// Starts a unit with this process; returns its name.
fn start(socket: &Path, scope: &str, pid: u32) -> io::Result<String> {
    let description = format!("scope {scope} of process {}", process::id());
    for _ in 0..=MOST_LEFTOVERS {
        let number = UNITS.fetch_add(1, Ordering::Relaxed);
        let unit = format!("procession-{}-{number}.scope", process::id());
        let call = ManagerCall::new(socket, bus::start_unit(&unit, &description, pid))?;
        match Bus::call(socket, &call)?.result_of(&unit)? {
            Ok(()) => return Ok(unit),
            Err((name, _)) if name == EXISTS => {}
            Err((name, text)) => return Err(io::Error::other(format!("{name}: {text}"))),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// A connection on which one call was made.
struct Bus {
    stream: UnixStream,
    began: Stopwatch,
}

impl Bus {
    fn call(socket: &Path, call: &ManagerCall) -> io::Result<Self> {
        let stream = UnixStream::connect(socket)?;
        stream.set_write_timeout(Some(STARTS_WITHIN))?;
        let mut bus = Self { stream, began: Stopwatch::start() };
        bus.write(call.greeting())?;
        let mut accepted = [0; sys::ACCEPTED.len()];
        bus.fill(&mut accepted)?;
        if accepted != *sys::ACCEPTED {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        bus.fill(&mut [0; sys::REST_OF_ACCEPTED])?;
        bus.write(call.message())?;
        Ok(bus)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        sys::without_sigpipe(|| self.stream.write_all(bytes))
    }

    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let left = STARTS_WITHIN.saturating_sub(self.began.now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read_exact(bytes).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => error,
        })
    }

    /// Waits until the unit has started; the inner error is systemd's, with its name.
    fn result_of(mut self, unit: &str) -> io::Result<Result<(), (String, String)>> {
        loop {
            let mut head = [0; 16];
            self.fill(&mut head)?;
            let bytes = sys::message_bytes(&head).ok_or(io::ErrorKind::InvalidData)?;
            let mut message = vec![0; bytes];
            self.fill(&mut message[head.len()..])?;
            message[..head.len()].copy_from_slice(&head);
            match bus::heard(&message) {
                Heard::Refused { name, text } => return Ok(Err((name, text))),
                Heard::Started { unit: one, result } if one == unit => {
                    return Ok(if result == "done" { Ok(()) } else { Err((one, result)) });
                }
                Heard::Started { .. } | Heard::Other => {}
            }
        }
    }
}

/// The process that keeps a unit.
#[derive(Debug)]
struct Keeper {
    child: Spawned,
    /// Its end tells the shell that the program has ended.
    _input: OwnedFd,
    owner: u32,
}

impl Keeper {
    fn start() -> io::Result<Self> {
        let shell = Command::new("/bin/sh").args(["-c", "read -r _"]).new_session();
        let shell = shell.env_clear().current_dir("/").stdin(Fd::to_child());
        let mut child = shell.stdout(Fd::null()).stderr(Fd::null()).spawn()?;
        let input = child.take(0).map_err(io::Error::other)?;
        Ok(Self { child, _input: input, owner: process::id() })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        // In a forked copy, it is its parent's.
        if self.owner == process::id() {
            self.child.signal(Signal::KILL).ok(); // it may have ended
            self.child.wait().ok(); // its end is all that matters
        }
    }
}
