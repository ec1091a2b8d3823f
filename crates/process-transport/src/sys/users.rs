//! User and group ids: what a command asks for, resolved before the clone.

use crate::command::Identity;
use crate::error::{SpawnError, Step};
use rustix::process::{Gid, getegid, geteuid, getgid, getgroups, getuid};
use std::collections::BTreeSet;
use std::ffi::{CStr, CString, OsStr, c_char, c_int};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::ptr;

/// What the child sets, in this order; `None` leaves it alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) groups: Option<Vec<u32>>,
    /// Nobody named them, and no id changes: where they may not be set they stay as they are.
    pub(crate) groups_may_stay: bool,
    pub(crate) gid: Option<u32>,
    pub(crate) uid: Option<u32>,
}

impl Credentials {
    /// Whether the child changes its user or group id.
    pub(crate) fn change_ids(&self) -> bool {
        self.gid.is_some() || self.uid.is_some()
    }

    /// Whether user and group id, where they are named, are the parent's, the effective and the real.
    fn are_own(&self) -> bool {
        self.uid.is_none_or(|uid| uid == geteuid().as_raw() && geteuid() == getuid())
            && self.gid.is_none_or(|gid| gid == getegid().as_raw() && getegid() == getgid())
    }

    /// Leaves out what the parent has already: that takes no privilege.
    fn changes_only(mut self) -> Self {
        if self.are_own() {
            (self.uid, self.gid) = (None, None);
            if self.groups.as_ref().is_some_and(|groups| has_groups(groups)) {
                self.groups = None;
            }
        }
        self
    }

    /// The group that terminals belong to, where the system has one.
    pub(crate) fn group_of_terminals() -> Option<u32> {
        group_by_name(c"tty")
    }
}

/// Whether this process is in exactly these groups; that of its own id need not be listed.
fn has_groups(groups: &[u32]) -> bool {
    let Ok(own) = getgroups() else { return false };
    let with_own_id = |groups: BTreeSet<u32>| &groups | &BTreeSet::from([getegid().as_raw()]);
    with_own_id(own.into_iter().map(Gid::as_raw).collect())
        == with_own_id(groups.iter().copied().collect())
}

/// Turns uid, gid, groups and user of a command into what the child sets.
pub(crate) fn credentials(identity: &Identity) -> Result<Credentials, SpawnError> {
    let mut wanted = wanted(identity)?.changes_only();
    wanted.groups_may_stay =
        wanted.groups.is_some() && identity.groups.is_none() && !wanted.change_ids();
    Ok(wanted)
}

/// Before what changes nothing is left out.
fn wanted(identity: &Identity) -> Result<Credentials, SpawnError> {
    let groups = identity.groups.clone();
    if let Some(user) = &identity.user {
        let entry = find_user(user)?;
        let listed = group_list(&entry);
        let (uid, gid) = (Some(entry.uid), Some(entry.gid));
        return Ok(Credentials {
            groups: groups.or(Some(listed)),
            gid,
            uid,
            ..Credentials::default()
        });
    }
    let ids = Credentials { gid: identity.gid, uid: identity.uid, ..Credentials::default() };
    let unchanged = Credentials { groups: groups.clone(), ..Credentials::default() };
    if !ids.change_ids() || ids.are_own() && !geteuid().is_root() {
        return Ok(unchanged);
    }
    match (identity.uid, identity.gid) {
        (Some(uid), None) => {
            let entry = user_by_id(uid)?;
            if entry.is_none() && ids.are_own() {
                return Ok(unchanged);
            }
            let Some(entry) = entry else {
                let error = SpawnError::os(Step::Resolve, format!("uid {uid}"), libc::EINVAL);
                return Err(
                    error.because("the user database does not know it, and no gid is given")
                );
            };
            let listed = group_list(&entry);
            Ok(Credentials {
                groups: groups.or(Some(listed)),
                gid: Some(entry.gid),
                uid: Some(uid),
                ..Credentials::default()
            })
        }
        (uid, gid) => {
            let only = gid.filter(|_| uid.is_some() || geteuid().is_root()).map(|gid| vec![gid]);
            Ok(Credentials { groups: groups.or(only), gid, uid, ..Credentials::default() })
        }
    }
}

/// A line of the user database.
struct User {
    name: CString,
    uid: u32,
    gid: u32,
}

fn find_user(user: &OsStr) -> Result<User, SpawnError> {
    let failed = |errno| SpawnError::os(Step::Resolve, user, errno);
    let name = CString::new(user.as_bytes()).map_err(|_| failed(libc::EINVAL))?;
    if let Some(entry) = user_by_name(&name)? {
        return Ok(entry);
    }
    let id = user.to_str().and_then(|text| text.parse().ok());
    let entry = id.map(user_by_id).transpose()?.flatten();
    entry.ok_or_else(|| failed(libc::EINVAL).because("there is no such user"))
}

fn user_by_name(name: &CStr) -> Result<Option<User>, SpawnError> {
    let subject = OsStr::from_bytes(name.to_bytes());
    look_up(subject, |entry, buffer, result| {
        // SAFETY: `name` ends in NUL; the buffer's pointer and length belong together; both result
        // pointers lead to locals of `look_up`.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, buffer.as_mut_ptr(), buffer.len(), result) }
    })
}

fn user_by_id(uid: u32) -> Result<Option<User>, SpawnError> {
    let subject = format!("uid {uid}");
    look_up(OsStr::new(&subject), |entry, buffer, result| {
        // SAFETY: as in `user_by_name`.
        unsafe { libc::getpwuid_r(uid, entry, buffer.as_mut_ptr(), buffer.len(), result) }
    })
}

/// Calls one of the reentrant look-ups with a buffer that is large enough.
fn look_up(
    subject: &OsStr,
    call: impl Fn(*mut libc::passwd, &mut [c_char], *mut *mut libc::passwd) -> c_int,
) -> Result<Option<User>, SpawnError> {
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
            // What systems say for "there is none" (getpwnam(3), ERRORS).
            libc::ENOENT | libc::ESRCH => return Ok(None),
            errno => {
                let error = io::Error::from_raw_os_error(errno);
                return Err(SpawnError::new(Step::Resolve, subject, error));
            }
        }
    }
}

/// A group's id; `None` also where the database cannot be read.
fn group_by_name(name: &CStr) -> Option<u32> {
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

/// The user's groups in the group database, the primary one included.
fn group_list(user: &User) -> Vec<u32> {
    let mut count: c_int = 64;
    loop {
        let mut groups = vec![0_u32; usize::try_from(count).unwrap_or(0)];
        // Apple's systems have group ids as `int` here.
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

#[cfg(test)]
mod tests {
    use super::{Credentials, credentials};
    use crate::command::Identity;
    use crate::error::Step;
    use rustix::process::{geteuid, getuid};

    #[test]
    fn nothing_is_set_where_nothing_changes() {
        let own = Identity { uid: Some(getuid().as_raw()), ..Identity::default() };
        assert_eq!(getuid(), geteuid());
        assert_eq!(credentials(&own).unwrap(), Credentials::default());
    }

    #[test]
    fn an_unknown_user_needs_a_group() {
        let alone = Identity { uid: Some(54_321), ..Identity::default() };
        let error = credentials(&alone).unwrap_err();
        assert_eq!((error.step(), error.raw_os_error()), (Step::Resolve, Some(22)));
        let both = Identity { gid: Some(54_321), ..alone };
        assert_eq!(credentials(&both).unwrap().groups, Some(vec![54_321]));
    }
}
