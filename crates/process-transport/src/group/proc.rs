//! Reads /proc about one process, and checks that /proc is that of this PID namespace.

use std::fs;
use std::io;
use std::process;

/// The state of one process in /proc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MemberState {
    pub(super) is_alive: bool,
    pub(super) parent: i32,
    pub(super) group: i32,
}

impl MemberState {
    /// Reads `/proc/PID/stat`; returns `None` if the process does not exist any more.
    pub(super) fn of(pid: u32) -> io::Result<Option<Self>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(line) => {
                Self::parse(&line).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Parses a line of `/proc/PID/stat` (`proc_pid_stat(5)`).
    fn parse(line: &[u8]) -> Option<Self> {
        // The name stands in parentheses and may hold any byte, also parentheses.
        let name_ends = line.iter().rposition(|byte| *byte == b')')?;
        let mut fields = str::from_utf8(line.get(name_ends + 1..)?).ok()?.split_ascii_whitespace();
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // Fourteen fields further: a process whose first thread has ended still runs its other
        // threads.
        let threads: i64 = fields.nth(14)?.parse().ok()?;
        let is_dead = matches!(state, "Z" | "X" | "x") && threads <= 1;
        Some(Self { is_alive: !is_dead, parent, group })
    }
}

/// Returns whether /proc is that of this process's PID namespace.
pub(crate) fn is_own_proc() -> bool {
    let own = fs::read_link("/proc/self").ok();
    let own = own.and_then(|own| own.to_str()?.parse::<i32>().ok());
    own == i32::try_from(process::id()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str, state: &str, threads: u32) -> Option<MemberState> {
        let zeros = "0 ".repeat(13);
        let line = format!("7 ({name}) {state} 1 5 5 {zeros}{threads} 0 99\n");
        MemberState::parse(line.as_bytes())
    }

    #[test]
    fn a_zombie_is_dead_unless_it_has_threads_and_a_name_may_be_anything() {
        let member = |is_alive| Some(MemberState { is_alive, parent: 1, group: 5 });
        for name in ["sh", "a) Z 1 5 (b", "", ") (", "\n", "Z 0"] {
            for state in ["R", "S", "D", "T", "t", "I"] {
                assert_eq!(parsed(name, state, 1), member(true));
            }
            for state in ["Z", "X"] {
                assert_eq!(parsed(name, state, 0), member(false));
                assert_eq!(parsed(name, state, 1), member(false));
                assert_eq!(parsed(name, state, 2), member(true));
            }
        }
        let own = fs::read("/proc/self/stat").unwrap();
        let own = MemberState::parse(&own).unwrap();
        assert_eq!(own.parent, rustix::process::getppid().unwrap().as_raw_nonzero().get());
        assert!(own.is_alive && own.group == rustix::process::getpgrp().as_raw_nonzero().get());
        for line in ["", "7", "7 (x", "7 (x)", "7 (x) Z 1", "7 (x) Z one 5 5", "7 (x) Z 1 5 5 0"] {
            assert_eq!(MemberState::parse(line.as_bytes()), None);
        }
        assert_eq!(MemberState::parse(b"7 (\xff) Z 1 \xff"), None);
    }
}
