//! Finds the file that a spawn would execute.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::exec_failure;
use super::prepare::candidates;
use crate::command::Command;
use crate::error::{SpawnError, Step};

/// Finds the file that a [`Command`] with this program would execute now.
///
/// A name without a slash is searched for in `PATH`, else in `/bin:/usr/bin`, by the rules of
/// [`Command::new`]. The result is relative if the directory in `PATH` is. A name with a slash is the result
/// itself, if it can be executed.
///
/// Only the exec knows: the file may change until then, and it may name an interpreter that is missing.
///
/// # Errors
///
/// Fails as the spawn would, with the step [`Step::Exec`]: with `ENOENT` if there is no such file, with
/// `EACCES` if there is one, but it is a directory or another special file, or the effective user may not
/// execute it, and with any other error of `access(2)`. Fails with the step [`Step::Validate`] if the name has a NUL.
///
/// # Examples
///
/// ```
/// use procession::which;
///
/// assert!(which("sh")?.ends_with("sh"));
/// let error = which("no such program").unwrap_err();
/// assert_eq!(error.to_string(), r#"cannot execute "no such program": No such file or directory"#);
/// # Ok::<(), procession::SpawnError>(())
/// ```
#[doc(alias = "find_executable")]
#[doc(alias = "look_path")]
pub fn which(program: impl AsRef<OsStr>) -> Result<PathBuf, SpawnError> {
    let program = program.as_ref();
    let paths = candidates(&Command::new(program))?;
    let paths: Vec<PathBuf> = paths.iter().map(|path| OsStr::from_bytes(path).into()).collect();
    let is_searched = !program.as_bytes().contains(&b'/');
    let mut errno = libc::ENOENT;
    // The child ranks the errors of its execs in the same way.
    for path in &paths {
        match why_not(path) {
            None => return Ok(path.clone()),
            Some(libc::EACCES) => errno = libc::EACCES,
            Some(libc::ENOENT | libc::ENOTDIR | libc::ESTALE) if is_searched => {}
            Some(other) => {
                errno = other;
                break;
            }
        }
    }
    let explained = exec_failure::explain_paths(program, paths, None, errno);
    Err(SpawnError::os(Step::Exec, program, errno).with(explained))
}

/// Returns why a file cannot be executed, as far as it and its directories show.
fn why_not(path: &Path) -> Option<i32> {
    if let Err(error) = accessat(CWD, path, Access::EXEC_OK, AtFlags::EACCESS) {
        return Some(error.raw_os_error());
    }
    match path.metadata() {
        Ok(file) if file.is_file() => None,
        Ok(_) => Some(libc::EACCES),
        Err(error) => Some(error.raw_os_error().unwrap_or(libc::ENOENT)),
    }
}
