//! The probe: a helper program of this crate that does what the case catalogue does with python3.

use procession_process_transport::Command;

use super::path::command;
use super::recorder::Record;
use super::ways::Ended;

/// The path of the probe.
pub(crate) const PROBE: &str = env!("CARGO_BIN_EXE_procession-probe");

/// Makes a command that runs the probe with `args`.
pub(crate) fn probe<const N: usize>(args: [&str; N]) -> Command {
    command(PROBE).args(args)
}

/// What a child wrote, in whatever way it ran.
pub(crate) trait Written {
    /// Returns what the child wrote to `fd`, as text.
    fn written(&self, fd: i32) -> String;

    /// Returns the numbers of which the parent had an end, which was lost.
    fn all_lost(&self) -> Vec<i32>;
}

impl Written for Record {
    fn written(&self, fd: i32) -> String {
        self.text(fd)
    }

    fn all_lost(&self) -> Vec<i32> {
        self.lost()
    }
}

impl Written for Ended {
    fn written(&self, fd: i32) -> String {
        self.text(fd)
    }

    fn all_lost(&self) -> Vec<i32> {
        self.lost()
    }
}

/// Returns the descriptors that the child had, which the probe's `fdlist` wrote to `fd`.
pub(crate) fn fd_list(child: &impl Written, fd: i32) -> Vec<i32> {
    let text = child.written(fd);
    let list = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let list = list.unwrap_or_else(|| panic!("no list of descriptors: {text:?}"));
    list.split(", ")
        .filter(|number| !number.is_empty())
        .map(|number| number.parse().expect("the probe prints numbers"))
        .collect()
}
