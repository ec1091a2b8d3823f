//! Look-ups in the user and group databases.
#![expect(unsafe_code, reason = "the C library's look-ups have no safe form")]

use std::ffi::{CStr, CString, c_char, c_int};
use std::io;
use std::ptr;

/// An entry of the user database.
#[derive(Debug)]
pub(crate) struct User {
    name: CString,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// Returns the user of that name, if there is one.
pub(crate) fn user_by_name(name: &CStr) -> io::Result<Option<User>> {
    look_up(|entry, buffer, result| {
        // SAFETY: `name` ends in NUL; the buffer's pointer and length belong together; both result
        // pointers lead to locals of `look_up`.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr(), buffer.len(), result) }
    })
}

/// Returns the user with that id, if there is one.
pub(crate) fn user_by_id(uid: u32) -> io::Result<Option<User>> {
    look_up(|entry, buffer, result| {
        // SAFETY: as in `user_by_name`.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), result) }
    })
}

/// Calls one of the reentrant look-ups with a buffer that is large enough.
fn look_up(
    call: impl Fn(*mut libc::passwd, &mut [c_char], *mut *mut libc::passwd) -> c_int,
) -> io::Result<Option<User>> {
    let mut buffer: Vec<c_char> = vec![0; 1024];
    loop {
        // SAFETY: all zeros is a valid `passwd`: null pointers and ids of 0.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut result = ptr::null_mut();
        match call(&raw mut entry, &mut buffer, &raw mut result) {
            0 if result.is_null() => return Ok(None),
            0 => {
                // SAFETY: the look-up succeeded: the name leads to a string in `buffer`.
                let name = unsafe { CStr::from_ptr(entry.pw_name) }.to_owned();
                return Ok(Some(User { name, uid: entry.pw_uid, gid: entry.pw_gid }));
            }
            libc::ERANGE if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            // What systems return for "no such entry" (getpwnam(3), ERRORS).
            libc::ENOENT | libc::ESRCH => return Ok(None),
            errno => return Err(io::Error::from_raw_os_error(errno)),
        }
    }
}

/// Returns the most groups that a process can have, if the system tells.
pub(crate) fn most_groups() -> Option<usize> {
    // SAFETY: it takes a number and returns one.
    let most = unsafe { libc::sysconf(libc::_SC_NGROUPS_MAX) };
    most.try_into().ok()
}

/// Returns a group's id; `None` also if the database cannot be read.
pub(crate) fn group_by_name(name: &CStr) -> Option<u32> {
    let mut buffer: Vec<c_char> = vec![0; 1024];
    loop {
        // SAFETY: all zeros is a valid `group`: null pointers and an id of 0.
        let mut entry: libc::group = unsafe { std::mem::zeroed() };
        let mut result = ptr::null_mut();
        // SAFETY: as in `user_by_name`.
        let errno = unsafe {
            libc::getgrnam_r(
                name.as_ptr(),
                &raw mut entry,
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut result,
            )
        };
        match errno {
            0 => return (!result.is_null()).then_some(entry.gr_gid),
            libc::ERANGE if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 4, 0),
            libc::EINTR => {}
            _ => return None,
        }
    }
}

/// Returns the user's groups in the group database, with the primary one.
pub(crate) fn group_list(user: &User) -> Vec<u32> {
    let mut count: c_int = 64;
    loop {
        let mut groups = vec![0_u32; usize::try_from(count).unwrap_or(0)];
        // On Apple's systems group ids are `int` here.
        #[cfg(target_vendor = "apple")]
        let gid = user.gid.cast_signed();
        #[cfg(not(target_vendor = "apple"))]
        let gid = user.gid;
        let room = groups.as_mut_ptr().cast();
        // SAFETY: the name ends in NUL; `count` is the length of `groups`.
        let found = unsafe { libc::getgrouplist(user.name.as_ptr(), gid, room, &raw mut count) };
        let needed = usize::try_from(count).unwrap_or(0);
        if found >= 0 {
            groups.truncate(needed);
            return groups;
        }
        if needed <= groups.len() {
            return vec![user.gid];
        }
    }
}
