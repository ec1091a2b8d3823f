//! Lets a child check whether its parent still lives, when the child asks for a signal at the
//! parent's death: a parent that died before the child asked sends nothing any more.
//!
//! The child compares process numbers. A child in its own PID namespace, which does not contain its
//! parent, sees the number 0 for any parent. As long as such a child sees the parent's /proc, its
//! own entry there has the parent's number.
//!
//! The parent reads its own number in /proc for the first such child, and again once a child was in
//! another namespace. A program that makes a namespace for its children after that first one
//! misses one case: its own death within the microseconds before the next child has asked.

use std::ffi::c_long;

use super::raw;

/// The parent, as its child knows it; made before the clone.
#[derive(Debug, Clone, Copy)]
pub(super) struct ParentIdentity {
    pid: u32,
    /// The parent's number in /proc, if /proc can be read.
    in_proc: Option<u32>,
}

impl ParentIdentity {
    /// Describes this process, `pid`, for a child that may be in another PID namespace if
    /// `may_be_elsewhere`.
    pub(super) fn new(pid: u32, may_be_elsewhere: bool) -> Self {
        let in_proc = if may_be_elsewhere { own_number_in_proc() } else { None };
        Self { pid, in_proc }
    }

    /// Returns, in the child, whether it has another parent by now. Calls `on_elsewhere` if the
    /// child is in another PID namespace.
    pub(super) fn is_gone(&self, on_elsewhere: impl FnOnce()) -> bool {
        match raw::parent() {
            c_long::MIN..0 => false, // a filter refuses the call
            0 => {
                on_elsewhere();
                match (self.in_proc, parent_in_proc()) {
                    (Some(before), Some(now)) => before != now,
                    _ => false, // there is no way to know
                }
            }
            // If a filter refused to tell the parent its own number, there is no way to know it
            // either.
            parent => i32::try_from(self.pid).is_ok_and(|pid| parent != c_long::from(pid)),
        }
    }
}

#[cfg(target_os = "linux")]
fn own_number_in_proc() -> Option<u32> {
    let mut buffer = [0; 16];
    let link = raw::read_link(c"/proc/self", &mut buffer).ok()?;
    number(buffer.get(..link)?)
}

/// Returns the number of the caller's parent from /proc, with system calls and a buffer on the
/// stack.
#[cfg(target_os = "linux")]
fn parent_in_proc() -> Option<u32> {
    // A name of at most 64 bytes, and three of the fields.
    let mut page = [0; 256];
    let fd = raw::open_for_reading(c"/proc/self/stat").ok()?;
    let bytes = raw::read(fd, &mut page);
    raw::close(fd).ok()?;
    parent_of(page.get(..bytes.ok()?)?)
}

#[cfg(not(target_os = "linux"))]
fn own_number_in_proc() -> Option<u32> {
    None
}

#[cfg(not(target_os = "linux"))]
fn parent_in_proc() -> Option<u32> {
    None
}

/// Returns the fourth field. The name before it stands in parentheses, and may contain parentheses
/// and spaces.
#[cfg(any(target_os = "linux", test))]
fn parent_of(page: &[u8]) -> Option<u32> {
    let name_ends = page.iter().rposition(|&byte| byte == b')')?;
    let fields = page.get(name_ends..)?;
    number(fields.split(|&byte| byte == b' ').nth(2)?)
}

#[cfg(any(target_os = "linux", test))]
fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_u32, |number, digit| {
        let digit = digit.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

#[cfg(test)]
mod tests {
    use super::parent_of;

    #[test]
    fn the_parent_is_found_behind_any_name() {
        for name in ["sh", "a) S 7 (b", ")", ""] {
            let page = format!("42 ({name}) R 17 42 3 0 -1");
            assert_eq!(parent_of(page.as_bytes()), Some(17), "{name}");
        }
        for page in
            ["", "42 (sh", "42 (sh)", "42 (sh) R", "42 (sh) R ", "42 (sh) R x 1", "(a) R -1"]
        {
            assert_eq!(parent_of(page.as_bytes()), None, "{page}");
        }
        assert_eq!(parent_of(b"1 (a) R 4294967296 1"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_parent_in_proc_is_the_systems() {
        let own = super::parent_in_proc().expect("there is a /proc");
        // In a PID namespace of its own, with the /proc of another, the numbers differ.
        if super::own_number_in_proc() == Some(std::process::id()) {
            assert_eq!(own, std::os::unix::process::parent_id());
        }
    }
}
