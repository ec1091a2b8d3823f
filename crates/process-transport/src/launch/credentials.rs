//! User and group ids: resolves what a command asks for, before the clone.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::os::unix::ffi::OsStrExt;

use rustix::process::{Gid, getegid, geteuid, getgid, getgroups, getuid};

use crate::command::Identity;
use crate::error::{SpawnError, Step};
use crate::sys::{self, Credentials, User};

/// Returns whether this process is in exactly these groups; its own group id need not be listed.
fn has_groups(groups: &[u32]) -> bool {
    let Ok(own) = getgroups() else { return false };
    let with_own_id = |groups: BTreeSet<u32>| &groups | &BTreeSet::from([getegid().as_raw()]);
    with_own_id(own.into_iter().map(Gid::as_raw).collect())
        == with_own_id(groups.iter().copied().collect())
}

/// Returns whether the user and group ids that are set equal the parent's, both effective and real.
fn are_own(ids: &Credentials) -> bool {
    ids.uid.is_none_or(|uid| uid == geteuid().as_raw() && geteuid() == getuid())
        && ids.gid.is_none_or(|gid| gid == getegid().as_raw() && getegid() == getgid())
}

/// Returns whether this thread may set groups: as root, or with the capability, perhaps an ambient
/// one. A namespace may still forbid it.
fn may_set_groups() -> bool {
    #[cfg(target_os = "linux")]
    if rustix::thread::capabilities(None)
        .is_ok_and(|sets| sets.effective.contains(rustix::thread::CapabilitySet::SETGID))
    {
        return true;
    }
    geteuid().is_root()
}

/// Leaves out what the parent already has, because that would need privilege for no change.
fn changes_only(mut wanted: Credentials) -> Credentials {
    if are_own(&wanted) {
        (wanted.uid, wanted.gid) = (None, None);
        if wanted.groups.as_ref().is_some_and(|groups| has_groups(groups)) {
            wanted.groups = None;
        }
    }
    wanted
}

/// Returns the group that terminals belong to, if the system has one.
pub(super) fn group_of_terminals() -> Option<u32> {
    sys::group_by_name(c"tty")
}

/// Turns uid, gid, groups and user of a command into what the child sets.
pub(super) fn credentials(identity: &Identity) -> Result<Credentials, SpawnError> {
    let mut wanted = changes_only(wanted(identity)?);
    wanted.groups_may_stay =
        wanted.groups.is_some() && identity.groups.is_none() && !wanted.change_ids();
    let changes = wanted.change_ids() || wanted.groups.is_some();
    wanted.clears_ambient = changes && !identity.keep_ambient;
    Ok(wanted)
}

/// Returns the credentials that the command asks for, also those that change nothing.
fn wanted(identity: &Identity) -> Result<Credentials, SpawnError> {
    let groups = identity.groups.clone();
    if let Some(user) = &identity.user {
        let entry = find_user(user)?;
        let listed = sys::group_list(&entry);
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
    if !ids.change_ids() || are_own(&ids) && !may_set_groups() {
        return Ok(unchanged);
    }
    match (identity.uid, identity.gid) {
        (Some(uid), None) => {
            let entry = by_id(uid)?;
            if entry.is_none() && are_own(&ids) {
                return Ok(unchanged);
            }
            let Some(entry) = entry else {
                let error = SpawnError::os(Step::Resolve, format!("uid {uid}"), libc::EINVAL);
                return Err(
                    error.because("the user database does not know it, and no gid is given")
                );
            };
            let listed = sys::group_list(&entry);
            Ok(Credentials {
                groups: groups.or(Some(listed)),
                gid: Some(entry.gid),
                uid: Some(uid),
                ..Credentials::default()
            })
        }
        (uid, gid) => {
            let only = gid.filter(|_| uid.is_some() || may_set_groups()).map(|gid| vec![gid]);
            Ok(Credentials { groups: groups.or(only), gid, uid, ..Credentials::default() })
        }
    }
}

fn find_user(user: &OsStr) -> Result<User, SpawnError> {
    let failed = |errno| SpawnError::os(Step::Resolve, user, errno);
    let name = CString::new(user.as_bytes());
    let name = name.map_err(|_| failed(libc::EINVAL).because("it has a NUL byte"))?;
    if let Some(entry) =
        sys::user_by_name(&name).map_err(|error| SpawnError::new(Step::Resolve, user, error))?
    {
        return Ok(entry);
    }
    let id = user.to_str().and_then(|text| text.parse().ok());
    let entry = id.map(by_id).transpose()?.flatten();
    entry.ok_or_else(|| failed(libc::EINVAL).because("there is no such user"))
}

fn by_id(uid: u32) -> Result<Option<User>, SpawnError> {
    let failed = |error| SpawnError::new(Step::Resolve, format!("uid {uid}"), error);
    sys::user_by_id(uid).map_err(failed)
}

#[cfg(test)]
mod tests {
    use rustix::process::{geteuid, getuid};

    use super::credentials;
    use crate::command::Identity;
    use crate::error::Step;
    use crate::sys::Credentials;

    #[test]
    fn unchanged_ids_set_nothing() {
        let mut own = Identity::default();
        own.uid = Some(getuid().as_raw());
        assert_eq!(getuid(), geteuid());
        assert_eq!(credentials(&own).unwrap(), Credentials::default());
    }

    #[test]
    fn an_unknown_user_needs_a_group() {
        let mut identity = Identity::default();
        identity.uid = Some(54_321);
        let error = credentials(&identity).unwrap_err();
        assert_eq!((error.step(), error.raw_os_error()), (Step::Resolve, Some(22)));
        identity.gid = Some(54_321);
        assert_eq!(credentials(&identity).unwrap().groups, Some(vec![54_321]));
    }
}
