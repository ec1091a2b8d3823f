//! The exact descriptor table of this process.

use std::collections::BTreeMap;
use std::fs::read_dir;

use rustix::fs::{fcntl_getfl, fstat, tell};
use rustix::io::fcntl_getfd;

use crate::util::sys;

/// The entry of one number: device, inode, descriptor flags, status flags, offset.
pub(crate) type Entry = (u64, u64, u32, u32, Option<u64>);

/// Returns every open descriptor of this process and its entry.
pub(crate) fn fd_table() -> BTreeMap<i32, Entry> {
    let entries = read_dir("/proc/self/fd").expect("/proc is mounted");
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    // The descriptor of the directory itself is closed by now.
    let open = numbers.into_iter().filter(|number| sys::is_open(*number));
    open.map(|number| (number, entry(number))).collect()
}

fn entry(number: i32) -> Entry {
    let fd = sys::borrow(number);
    let stat = fstat(fd).expect("it is open");
    let flags = fcntl_getfd(fd).expect("it is open").bits();
    let status = fcntl_getfl(fd).expect("it is open").bits();
    (stat.st_dev, stat.st_ino, flags, status, tell(fd).ok())
}
