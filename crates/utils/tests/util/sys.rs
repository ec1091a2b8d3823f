//! A forked copy of the process of a test.
#![expect(unsafe_code, reason = "fork has no safe form")]

use rustix::process::{Pid, WaitOptions, waitpid};

/// Runs `copy` in a copy of this process, which returns from `main` then.
pub(crate) fn in_a_copy(copy: impl FnOnce()) {
    // SAFETY: the caller is alone in its process but for the harness's thread, which only waits and so
    // holds no lock that the copy needs.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        let run = std::panic::AssertUnwindSafe(copy);
        let code = std::panic::catch_unwind(run).map_or(101, |()| 0);
        std::process::exit(code)
    }
    let waited = waitpid(Pid::from_raw(pid), WaitOptions::empty());
    let (_, status) = waited.expect("it is our child").expect("it has ended");
    assert_eq!(status.exit_status(), Some(0), "{status:?}");
}
