//! The probe's reports about its ids, session and terminal.

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{getgroups, getpgrp, getpid, getsid};

use crate::stdio::print;
use crate::sys;

/// Prints real, effective and saved uid and gid, then the groups.
pub(crate) fn ids() -> i32 {
    let status = procfs_status();
    let field = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().skip(1).take(3).collect();
        format!("({})", words.join(", "))
    };
    let mut groups: Vec<u32> =
        getgroups().expect("groups").iter().map(|group| group.as_raw()).collect();
    groups.sort_unstable();
    print(1, format!("{} {} {groups:?}\n", field("Uid:"), field("Gid:")).as_bytes());
    0
}

/// Returns `/proc/self/status`, which has the saved ids too.
fn procfs_status() -> String {
    std::fs::read_to_string("/proc/self/status").expect("/proc is mounted")
}

/// Prints whether the probe leads a session and a group, and whether its controlling terminal
/// opens.
pub(crate) fn session() -> i32 {
    let pid = getpid();
    let leads = getsid(None).is_ok_and(|session| session == pid) && getpgrp() == pid;
    print(1, if leads { b"True\n" } else { b"False\n" });
    match open("/dev/tty", OFlags::RDWR, Mode::empty()) {
        Ok(_) => 0,
        Err(errno) => {
            print(2, format!("errno {}\n", errno.raw_os_error()).as_bytes());
            1
        }
    }
}

/// Prints whether the probe leads the foreground group of its controlling terminal, and whether
/// that terminal opens.
pub(crate) fn terminal() -> i32 {
    let pid = getpid();
    let leads = getsid(None).is_ok_and(|session| session == pid);
    let foreground =
        rustix::termios::tcgetpgrp(sys::fd(0)).is_ok_and(|foreground| foreground == pid);
    let word = |truth| if truth { "True" } else { "False" };
    let opens = open("/dev/tty", OFlags::RDWR, Mode::empty())
        .is_ok_and(|terminal| rustix::termios::isatty(&terminal));
    print(1, format!("{} {}\n", word(leads && foreground), word(opens)).as_bytes());
    0
}

/// Tries to become root. If that fails, prints the error and returns 1.
pub(crate) fn regain() -> i32 {
    let root = rustix::process::Uid::ROOT;
    match rustix::thread::set_thread_uid(root) {
        Ok(()) => 0,
        Err(errno) => {
            print(2, format!("errno {}\n", errno.raw_os_error()).as_bytes());
            1
        }
    }
}

/// Prints the path of the terminal on standard input.
pub(crate) fn tty() -> i32 {
    match rustix::termios::ttyname(sys::fd(0), Vec::new()) {
        Ok(name) => {
            print(1, name.to_bytes());
            print(1, b"\n");
            0
        }
        Err(_) => 1,
    }
}

/// Prints the rows and columns of the terminal on standard input, as `stty size` does.
pub(crate) fn size() -> i32 {
    match rustix::termios::tcgetwinsize(sys::fd(0)) {
        Ok(size) => {
            print(1, format!("{} {}\n", size.ws_row, size.ws_col).as_bytes());
            0
        }
        Err(_) => 1,
    }
}
