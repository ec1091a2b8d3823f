//! Looking at a process group: whether anybody of it lives. Safe code over /proc.
//!
//! # Model
//!
//! A signal 0 to the group says "alive" as long as it has a zombie, which the first process of the
//! system may leave for seconds. So each member is looked at: a zombie with one thread at most is
//! dead; one with more is alive, for only its first thread has ended. A look stops at the first that
//! lives, and begins there the next time. A group that seems empty is looked at twice: a member may
//! have begun another one, with a number that was passed already, and have ended itself.
//!
//! What /proc says counts only where it is this process's own: it has to name this process, and the
//! leader as its child as long as that is not reaped.
//!
//! Zombies of the group that this process has adopted (as a subreaper, or as the first process of a
//! PID namespace) are reaped on the way; nobody else would. Never a child that this library has
//! started, such as the leader, or one that was put into the group by its number: its status is for
//! whoever waits for it.

use crate::sys::{self, Peeked};
use procession_core::Signal;
use procession_protocol::GroupState;
use std::os::fd::BorrowedFd;

#[cfg(target_os = "linux")]
pub(crate) use linux::is_own_proc;

/// Whether the group of a child that is not reaped has its number. One that cannot be asked does.
pub(crate) fn is_led_by(pid: u32) -> bool {
    sys::group_of(pid).map_or(true, |group| group.cast_unsigned() == pid)
}

/// Sends a signal to the group of a leader by its number, which is its own while nobody has reaped it:
/// other code of this program may have, and the number be another child's. The error is an error number.
pub(crate) fn send_by_number(leader: sys::Child<'_>, signal: Signal) -> Result<(), i32> {
    if sys::peek(leader) == Peeked::Lost {
        return Err(libc::ESRCH);
    }
    let (sys::Child::Fd(_, pid) | sys::Child::Pid(pid)) = leader;
    sys::send_to_group_number(pid, signal)
}

/// Looks whether anybody lives of the group that a child of ours leads, or led.
///
/// Once the leader is reaped the number may be somebody else's; as long as its pidfd finds members it
/// is not.
pub(crate) fn look(
    look: &mut GroupLook,
    leader: u32,
    pidfd: Option<BorrowedFd<'_>>,
    is_reaped: bool,
) -> GroupState {
    if !is_reaped {
        return look.look(leader, false);
    }
    let found = pidfd.map(|pidfd| sys::send_to_group(pidfd, Signal::from_raw(0)));
    match found {
        Some(Err(libc::ESRCH)) => GroupState::Empty,
        Some(Ok(()) | Err(libc::EPERM)) => match look.look(leader, true) {
            GroupState::Unknown => GroupState::Alive,
            seen => seen,
        },
        Some(Err(_)) | None => GroupState::Unknown,
    }
}

/// The looks at one group.
#[derive(Debug, Default)]
pub(crate) struct GroupLook {
    /// Who was alive the last time.
    #[cfg(target_os = "linux")]
    alive: Option<u32>,
}

#[cfg(not(target_os = "linux"))]
impl GroupLook {
    /// There is no /proc here.
    pub(crate) fn look(&mut self, _: u32, _: bool) -> GroupState {
        GroupState::Unknown
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use super::GroupLook;
    use crate::own_children::own_children;
    use crate::sys;
    use procession_protocol::GroupState;
    use std::fs;
    use std::io;
    use std::process;

    /// What /proc says of one process.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct MemberState {
        pub(super) is_alive: bool,
        pub(super) parent: i32,
        pub(super) group: i32,
    }

    impl MemberState {
        /// Reads a line of `/proc/PID/stat` (`proc_pid_stat(5)`).
        pub(super) fn parse(line: &[u8]) -> Option<Self> {
            // The name stands in parentheses, and may hold any byte, these among them.
            let name_ends = line.iter().rposition(|byte| *byte == b')')?;
            let mut fields =
                str::from_utf8(line.get(name_ends + 1..)?).ok()?.split_ascii_whitespace();
            let state = fields.next()?;
            let parent = fields.next()?.parse().ok()?;
            let group = fields.next()?.parse().ok()?;
            // Fourteen fields on: a first thread that has ended leaves the others to run.
            let threads: i64 = fields.nth(14)?.parse().ok()?;
            let is_dead = matches!(state, "Z" | "X" | "x") && threads <= 1;
            Some(Self { is_alive: !is_dead, parent, group })
        }
    }

    /// One pass over /proc.
    enum Pass {
        Alive(u32),
        /// Nobody was seen alive; whether the leader was seen, a zombie of ours.
        Nobody {
            saw_leader: bool,
        },
        Unknown,
    }

    impl GroupLook {
        /// Looks whether anybody lives of the group that a child of ours leads, or led.
        pub(crate) fn look(&mut self, group: u32, leader_is_reaped: bool) -> GroupState {
            let Some(group) = i32::try_from(group).ok().filter(|group| *group > 1) else {
                return GroupState::Unknown;
            };
            let last = self.alive.take().filter(|pid| {
                let state = read(*pid).ok().flatten();
                state.is_some_and(|state| state.group == group && state.is_alive)
            });
            if last.is_some() {
                self.alive = last;
                return GroupState::Alive;
            }
            if !is_own_proc() {
                return GroupState::Unknown;
            }
            for _ in 0..2 {
                match pass(group) {
                    Pass::Alive(pid) => {
                        self.alive = Some(pid);
                        return GroupState::Alive;
                    }
                    Pass::Nobody { saw_leader } if saw_leader || leader_is_reaped => {}
                    Pass::Nobody { .. } | Pass::Unknown => return GroupState::Unknown,
                }
            }
            GroupState::Empty
        }
    }

    /// Whether /proc is that of this process's PID namespace.
    pub(crate) fn is_own_proc() -> bool {
        let own = fs::read_link("/proc/self").ok();
        let own = own.and_then(|own| own.to_str()?.parse::<i32>().ok());
        own == i32::try_from(process::id()).ok()
    }

    fn pass(group: i32) -> Pass {
        let own = process::id().cast_signed();
        let mut saw_leader = false;
        let Ok(entries) = fs::read_dir("/proc") else { return Pass::Unknown };
        for entry in entries {
            let Ok(entry) = entry else { return Pass::Unknown };
            let name = entry.file_name();
            let Some(number) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // A fiftieth of what reading the file takes. Nearly all are somebody else's.
            match sys::group_of(number) {
                Ok(of) if of != group => continue,
                Err(libc::ESRCH) => continue,
                _ => {}
            }
            let state = match read(number) {
                Ok(Some(state)) if state.group == group => state,
                Ok(_) => continue,
                Err(_) => return Pass::Unknown,
            };
            if state.is_alive {
                return Pass::Alive(number);
            }
            if state.parent != own {
                continue;
            }
            saw_leader |= number == group.cast_unsigned();
            reap_adopted(number, group.cast_unsigned());
        }
        Pass::Nobody { saw_leader }
    }

    /// Reaps a zombie of the group, unless it is a child that we have started.
    fn reap_adopted(number: u32, group: u32) {
        let own = own_children();
        if number != group && !own.has(number) && !own.is_joined_now(group) {
            // A tracer may still hold it.
            sys::try_reap(sys::Child::Pid(number), &mut None, i64::MAX).ok();
        }
    }

    /// `None` if there is no such process any more.
    fn read(pid: u32) -> io::Result<Option<MemberState>> {
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(line) => {
                MemberState::parse(&line).map(Some).ok_or_else(|| io::ErrorKind::InvalidData.into())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::linux::MemberState;
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
        let own = std::fs::read("/proc/self/stat").unwrap();
        let own = MemberState::parse(&own).unwrap();
        assert_eq!(own.parent, rustix::process::getppid().unwrap().as_raw_nonzero().get());
        assert!(own.is_alive && own.group == rustix::process::getpgrp().as_raw_nonzero().get());
        for line in ["", "7", "7 (x", "7 (x)", "7 (x) Z 1", "7 (x) Z one 5 5", "7 (x) Z 1 5 5 0"] {
            assert_eq!(MemberState::parse(line.as_bytes()), None);
        }
        assert_eq!(MemberState::parse(b"7 (\xff) Z 1 \xff"), None);
    }

    #[test]
    fn a_group_that_cannot_be_ours_is_unknown() {
        for group in [0, 1, u32::MAX] {
            assert_eq!(GroupLook::default().look(group, true), GroupState::Unknown);
        }
        let own = rustix::process::getpgrp().as_raw_nonzero().get().cast_unsigned();
        assert_eq!(GroupLook::default().look(own, true), GroupState::Alive);
        assert_eq!(GroupLook::default().look(4_194_305, true), GroupState::Empty);
        assert_eq!(GroupLook::default().look(4_194_305, false), GroupState::Unknown);
    }
}
