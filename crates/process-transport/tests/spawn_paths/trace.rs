//! Reading the log of strace.

use std::path::Path;

/// One system call of one process, as strace writes it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The process or thread that made the call.
    pub(crate) pid: u32,
    /// `name(arguments) = result`. The result is missing if another line interrupted the call.
    pub(crate) text: String,
}

impl Call {
    /// Returns the name of the call.
    pub(crate) fn name(&self) -> &str {
        self.text.split('(').next().unwrap_or_default()
    }
}

/// Reads the calls from a file that `strace -f -o` wrote, in the order in which they began.
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
