//! Reading the log of strace.

use std::path::Path;

/// One system call of one process, as strace writes it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The process or thread that made the call.
    pub(crate) pid: u32,
    /// `name(arguments) = result`, also if the line of another process interrupted the call.
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
    let mut calls: Vec<Call> = Vec::new();
    for (pid, text) in text.lines().filter_map(|line| line.split_once(' ')) {
        let pid = pid.parse().expect("a pid");
        let text = text.trim_start();
        if text.starts_with(|c: char| c.is_ascii_lowercase()) {
            calls.push(Call { pid, text: text.to_owned() });
        } else if let Some((_, rest)) = text.split_once(" resumed>") {
            // The process itself makes one call after the other.
            let begun = calls.iter_mut().rev().find(|call| call.pid == pid);
            let begun = &mut begun.expect("the call has begun").text;
            *begun = begun.replace(" <unfinished ...>", rest);
        }
    }
    calls
}
