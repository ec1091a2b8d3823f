//! A copy of the variables of this process.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use super::cstrings::CStrings;

/// Enough for the variables of most programs; more of them cost a reallocation.
const USUAL_ENVIRONMENT_BYTES: usize = 4096;

/// Returns a copy of this process's current variables, without those that `leave_out` names.
pub(crate) fn inherited(leave_out: impl Fn(&OsStr) -> bool) -> CStrings {
    let vars = std::env::vars_os();
    let mut envp = CStrings::with_capacity(vars.size_hint().0, USUAL_ENVIRONMENT_BYTES);
    for (key, value) in vars {
        if !leave_out(&key) {
            envp.push_system(&[key.as_bytes(), b"=", value.as_bytes()]);
        }
    }
    envp
}
