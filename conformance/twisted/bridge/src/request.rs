//! The arguments of Twisted's `spawnProcess`, as a command.

use std::ffi::OsString;
use std::os::fd::{IntoRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStringExt;
use std::sync::Arc;

use procession::{Command, Fd, Pty, SpawnError, Step};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;

use crate::sys::{given, lent};

/// Reads its fields from attributes of a Python object.
#[derive(FromPyObject)]
pub(crate) struct Request {
    program: Vec<u8>,
    args: Vec<Vec<u8>>,
    /// `None` is the parent's environment.
    env: Option<Vec<(Vec<u8>, Vec<u8>)>>,
    cwd: Option<Vec<u8>>,
    uid: Option<u32>,
    gid: Option<u32>,
    terminal: bool,
    /// A terminal that the caller has made: master and slave.
    pair: Option<(RawFd, RawFd)>,
    fds: Vec<(i32, Wanted)>,
}

/// A descriptor of the child: a pipe (`"r"` or `"w"`) or a descriptor of the parent.
#[derive(FromPyObject)]
enum Wanted {
    Inherited(RawFd),
    Pipe(String),
}

impl Wanted {
    fn fd(&self) -> PyResult<Fd> {
        match self {
            Self::Inherited(fd) => Ok(Fd::inherit(lent(*fd)?)),
            Self::Pipe(kind) if kind == "r" => Ok(Fd::from_child()),
            Self::Pipe(kind) if kind == "w" => Ok(Fd::to_child()),
            Self::Pipe(kind) => Err(PyValueError::new_err(format!("{kind:?} should be an int"))),
        }
    }
}

/// The terminal that the caller has made. If the spawn fails, it remains the caller's.
pub(crate) struct Pair(Option<[Arc<OwnedFd>; 2]>);

impl Pair {
    /// Gives the descriptors back. Call it when no command has them.
    pub(crate) fn give_back(self) {
        for fd in self.0.into_iter().flatten() {
            Arc::into_inner(fd).map(IntoRawFd::into_raw_fd);
        }
    }
}

impl Request {
    /// Makes the command.
    pub(crate) fn command(self) -> PyResult<(Command, Pair)> {
        let text = OsString::from_vec;
        let mut args = self.args.into_iter().map(text);
        let Some(arg0) = args.next() else {
            return Err(PyValueError::new_err("argv must not be empty"));
        };
        let mut command = Command::new(text(self.program)).arg0(arg0).args(args);
        if let Some(env) = self.env {
            let env = env.into_iter().map(|(key, value)| (text(key), text(value)));
            command = command.env_clear().envs(env);
        }
        if let Some(cwd) = self.cwd {
            command = command.current_dir(text(cwd));
        }
        if let Some(uid) = self.uid {
            command = command.uid(uid);
        }
        if let Some(gid) = self.gid {
            command = command.gid(gid);
        }
        if !self.terminal {
            let fds: PyResult<Vec<_>> =
                self.fds.iter().map(|(number, wanted)| Ok((*number, wanted.fd()?))).collect();
            return Ok((command.child_fds(fds?), Pair(None)));
        }
        let Some((master, slave)) = self.pair else {
            return Ok((command.pty(Pty::new()), Pair(None)));
        };
        let (master, slave) = (Arc::new(given(master)?), Arc::new(given(slave)?));
        let pty = Pty::new().pair(Arc::clone(&master), Arc::clone(&slave));
        Ok((command.pty(pty), Pair(Some([master, slave]))))
    }
}

/// Turns an error of a spawn into Python's.
pub(crate) fn python_error(error: &SpawnError) -> PyErr {
    match error.raw_os_error() {
        Some(errno) if error.step() != Step::Validate => {
            PyOSError::new_err((errno, error.to_string()))
        }
        _ => PyValueError::new_err(error.to_string()),
    }
}
