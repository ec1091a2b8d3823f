//! Parses a line of `/proc/PID/stat` (`proc_pid_stat(5)`). It allocates nothing, because a signal handler
//! reads such lines too.

use std::ffi::c_int;

/// The fields that this crate needs of one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ProcStat {
    /// False for a zombie with at most one thread. A zombie with more threads is alive: only its first
    /// thread has ended.
    pub(crate) is_alive: bool,
    pub(crate) parent: c_int,
    pub(crate) group: c_int,
}

impl ProcStat {
    /// Parses a line, or at least its first 20 fields.
    pub(crate) fn parse(line: &[u8]) -> Option<Self> {
        // The name is in parentheses, and may contain any byte, parentheses too.
        let name_ends = line.iter().rposition(|byte| *byte == b')')?;
        let fields = line.get(name_ends + 1..)?.split(u8::is_ascii_whitespace);
        let mut fields = fields.filter(|field| !field.is_empty());
        let is_ended = matches!(fields.next()?, b"Z" | b"X" | b"x");
        let parent = number(fields.next()?)?;
        let group = number(fields.next()?)?;
        // Field 20, `num_threads`.
        let threads = number(fields.nth(14)?)?;
        Some(Self { is_alive: !is_ended || threads > 1, parent, group })
    }
}

/// Parses a number without a sign.
pub(super) fn number(digits: &[u8]) -> Option<c_int> {
    let add = |sum: c_int, digit: &u8| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        sum.checked_mul(10)?.checked_add(digit.into())
    };
    if digits.is_empty() { None } else { digits.iter().try_fold(0, add) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(name: &str, state: &str, threads: u32) -> Option<ProcStat> {
        let zeros = "0 ".repeat(13);
        let line = format!("7 ({name}) {state} 1 5 5 {zeros}{threads} 0 99\n");
        ProcStat::parse(line.as_bytes())
    }

    #[test]
    fn a_zombie_is_dead_unless_it_has_threads_and_a_name_may_be_anything() {
        let member = |is_alive| Some(ProcStat { is_alive, parent: 1, group: 5 });
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
        let own = std::fs::read("/proc/self/stat").unwrap();
        let own = ProcStat::parse(&own).unwrap();
        assert_eq!(own.parent, rustix::process::getppid().unwrap().as_raw_nonzero().get());
        assert!(own.is_alive && own.group == rustix::process::getpgrp().as_raw_nonzero().get());
        for line in ["", "7", "7 (x", "7 (x)", "7 (x) Z 1", "7 (x) Z one 5 5", "7 (x) Z 1 5 5 0"] {
            assert_eq!(ProcStat::parse(line.as_bytes()), None);
        }
        assert_eq!(ProcStat::parse(b"7 (\xff) Z 1 \xff"), None);
        assert_eq!(number(b"12x"), None);
        assert_eq!(number(b"99999999999"), None);
    }
}
