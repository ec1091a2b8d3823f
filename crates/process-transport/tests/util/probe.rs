//! The probe, this crate's own helper program, which does what the catalogue does with python3.

use procession_process_transport::Command;

use super::path::command;
use super::recorder::Record;

/// Where the probe lies.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_procession-probe");

/// A command that runs the probe with `args`.
pub(crate) fn probe<const N: usize>(args: [&str; N]) -> Command {
    command(PROBE).args(args)
}

/// What `fdlist` wrote to `fd`: the descriptors that the child had.
pub(crate) fn fd_list(record: &Record, fd: i32) -> Vec<i32> {
    let text = record.text(fd);
    let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let list = list.unwrap_or_else(|| panic!("no list of descriptors: {text:?}"));
    list.split(", ")
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect("the probe prints numbers"))
        .collect()
}
