//! The probe's reports about its descriptors.

use std::fmt::Write;

use rustix::fs::{FileType, fstat};
use rustix::process::{Resource, getrlimit};

use crate::stdio::print;
use crate::sys;

/// One more than the highest descriptor that may be open.
const HIGHEST: u64 = 1 << 20;

/// Finds the open descriptors without opening any.
fn open() -> impl Iterator<Item = i32> {
    let limit = getrlimit(Resource::Nofile).current.unwrap_or(HIGHEST).min(HIGHEST);
    let limit = i32::try_from(limit).expect("a million fits");
    (0..limit).filter(|number| fstat(sys::fd(*number)).is_ok())
}

/// Writes the list of open descriptors to `out`: `[0, 1, 2]`.
pub(crate) fn list(out: i32) -> i32 {
    let all: Vec<i32> = open().collect();
    print(out, format!("{all:?}").as_bytes());
    0
}

/// Ends the writing direction of a socket.
pub(crate) fn end_writing(number: i32) -> i32 {
    rustix::net::shutdown(sys::fd(number), rustix::net::Shutdown::Write).expect("a socket");
    0
}

/// Writes a line for each open descriptor to `out`: number, device, inode, access mode and flags.
pub(crate) fn info(out: i32) -> i32 {
    let mut text = String::new();
    for number in open() {
        let fd = sys::fd(number);
        let stat = fstat(fd).expect("it is open");
        let status = rustix::fs::fcntl_getfl(fd).expect("it is open");
        let flags = rustix::io::fcntl_getfd(fd).expect("it is open");
        let mode = status & rustix::fs::OFlags::RWMODE;
        let nonblocking = status.contains(rustix::fs::OFlags::NONBLOCK);
        let cloexec = flags.contains(rustix::io::FdFlags::CLOEXEC);
        writeln!(
            text,
            "{number} dev={} ino={} mode={} nonblock={nonblocking} cloexec={cloexec}",
            stat.st_dev,
            stat.st_ino,
            mode.bits(),
        )
        .expect("a String takes all");
    }
    print(out, text.as_bytes());
    0
}

/// Prints whether 0, 1 and 2 are pipes, in the format of Python.
pub(crate) fn fifos() -> i32 {
    let is_fifo = |number| {
        let stat = fstat(sys::fd(number)).expect("it is open");
        FileType::from_raw_mode(stat.st_mode) == FileType::Fifo
    };
    let words = [0, 1, 2].map(|number| if is_fifo(number) { "True" } else { "False" });
    print(1, format!("[{}]\n", words.join(", ")).as_bytes());
    0
}

/// Writes its own number to each descriptor from `first` to `last`.
pub(crate) fn tags(first: i32, last: i32) -> i32 {
    for number in first..=last {
        print(number, number.to_string().as_bytes());
    }
    0
}

/// Prints the local port of the socket at descriptor `number`.
pub(crate) fn port(number: i32) -> i32 {
    let address = rustix::net::getsockname(sys::fd(number)).expect("it is a socket");
    let address = std::net::SocketAddr::try_from(address).expect("it is an internet socket");
    print(1, format!("{}\n", address.port()).as_bytes());
    0
}
