//! The probe: a helper program of this crate that does what the case catalogue does with python3.

use procession_process_transport::Command;

use super::path::command;
use super::recorder::Record;

/// The path of the probe.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_procession-probe");

/// Makes a command that runs the probe with `args`.
pub(crate) fn probe<const N: usize>(args: [&str; N]) -> Command {
    command(PROBE).args(args)
}

/// Returns the descriptors that the child had, which the probe's `fdlist` wrote to `fd`.
pub(crate) fn fd_list(record: &Record, fd: i32) -> Vec<i32> {
    let text = record.text(fd);
    let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let list = list.unwrap_or_else(|| panic!("no list of descriptors: {text:?}"));
    list.split(", ")
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect("the probe prints numbers"))
        .collect()
}
