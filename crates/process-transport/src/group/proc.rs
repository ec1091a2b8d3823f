//! Reads /proc about one process, and checks that /proc is that of this PID namespace.

use std::fs;
use std::io;
use std::process;

use crate::sys::ProcStat;

/// Reads `/proc/PID/stat`; `None` if there is no such process any more.
pub(super) fn stat_of(pid: u32) -> io::Result<Option<ProcStat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(line) => {
            ProcStat::parse(&line).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns whether /proc is that of this process's PID namespace.
pub(crate) fn is_own_proc() -> bool {
    let own = fs::read_link("/proc/self").ok();
    let own = own.and_then(|own| own.to_str()?.parse::<i32>().ok());
    own == i32::try_from(process::id()).ok()
}
