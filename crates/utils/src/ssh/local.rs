//! The local command of a run.

use std::time::Duration;

use procession_process_transport::driver::Elsewhere;
use procession_process_transport::{Command, Fd};

use super::texts::{self, Names, RunIds};
use super::words::Words;
use crate::LaunchError;
use crate::launcher::report::REPORT_FD;
use crate::launcher::script;

/// The longest command line that the host takes: `MAX_ARG_STRLEN` on Linux.
const MOST_BYTES: usize = 128 * 1024 - 1;

/// The local command of a run.
pub(super) struct Launched {
    pub(super) local: Command,
    /// The time between TERM and KILL there, in tenths of seconds.
    pub(super) tenths: u64,
}

/// Returns the local command of a run of a connection.
pub(super) fn launch(
    words: &Words,
    command: &Command,
    names: &Names,
    id: u64,
) -> Result<Launched, LaunchError> {
    let there = Elsewhere::of(command).map_err(|option| LaunchError::NotCarried { option })?;
    let ids = RunIds { id, tenths: tenths(there.kill_grace) };
    let run = texts::run(names, ids, &script::run(&there, texts::NO_DIR)?);
    if run.len() > MOST_BYTES {
        return Err(LaunchError::TooLong { bytes: run.len(), max_bytes: MOST_BYTES });
    }
    let local = there.launched_by("/bin/sh", ["-c", texts::LOCAL, "procession-ssh"]);
    let local = local.arg(&names.socket).arg(run).arg(texts::ask(names, ids));
    let local = local.arg(&words.program).args(words.session(names));
    Ok(Launched { local: local.child_fd(REPORT_FD, Fd::from_child()), tenths: ids.tenths })
}

fn tenths(time: Duration) -> u64 {
    u64::try_from(time.as_millis().div_ceil(100)).unwrap_or(u64::MAX).min(u64::from(u32::MAX))
}
