//! The log of strace.

use std::path::Path;

/// One system call of one process, as strace writes it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The process or thread.
    pub(crate) pid: u32,
    /// `name(arguments) = result`, or without a result if it was interrupted by another line.
    pub(crate) text: String,
}

impl Call {
    /// The name of the call.
    pub(crate) fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }
}

/// The calls in a file that `strace -f -o` wrote, in the order of their beginnings.
pub(crate) fn calls(log: &Path) -> Vec<Call> {
    let text = std::fs::read_to_string(log).expect("strace wrote it");
    let call = |line: &str| {
        let (pid, text) = line.split_once(' ')?;
        let text = text.trim_start();
        let is_call = text.starts_with(|c: char| c.is_ascii_lowercase());
        is_call.then(|| Call { pid: pid.parse().expect("a pid"), text: text.to_owned() })
    };
    text.lines().filter_map(call).collect()
}
