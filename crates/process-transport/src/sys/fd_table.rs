//! The size of the process's descriptor table.

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::fcntl_dupfd_cloexec;

use super::limits::open_files_limit;
use super::one_thread::has_one_thread;

/// How many descriptors the table has room for afterwards. It then takes 32 KiB.
const ROOM: u64 = 4096;

/// Enlarges the table once, if the program has one thread; otherwise does nothing.
///
/// A table doubles when its numbers run out: at 256, 512, 1,024 descriptors and so on. If threads share it,
/// the kernel waits before it frees the old one until no processor can be reading it, for 8 to 24 ms. A
/// program with one thread does not wait. A table never shrinks, and a copy of it, for a child, is as
/// large as the open numbers need.
pub(crate) fn enlarge() {
    let last = open_files_limit().min(ROOM).checked_sub(1);
    let Some(last) = last.and_then(|last| i32::try_from(last).ok()) else { return };
    if has_one_thread() {
        // Without a free number up there, the table is large already. Other failures cost time later,
        // and nothing else.
        let any = eventfd(0, EventfdFlags::CLOEXEC).ok();
        let _closed_at_once = any.and_then(|any| fcntl_dupfd_cloexec(any, last).ok());
    }
}
