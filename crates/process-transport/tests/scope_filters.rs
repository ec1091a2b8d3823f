//! Area SC: scopes where a filter refuses what they need.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Scope, ScopeError, ScopeMechanism};
use procession_protocol::SpawnPath;
use rustix::process::{Pid, getpgid};

use crate::filter::{Calls, answer};
use crate::util::scopes::{cgroup_or_skip, ends_without_a_trace, folder, is_in};
use crate::util::{Leaks, bound, command, isolated, ms, sh};

fn quiet(command: Command) -> Command {
    command.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
}

/// From now on this thread makes no folder, as in a container whose cgroups cannot be changed.
fn no_folder_can_be_made() {
    answer(libc::SYS_mkdirat, Calls::All, libc::EROFS);
    #[cfg(any(target_arch = "x86_64", target_arch = "x86", target_arch = "arm"))]
    answer(libc::SYS_mkdir, Calls::All, libc::EROFS);
}

/// Case SC-16. Without cgroups, a scope is process groups, and says so.
#[test]
fn without_a_cgroup_it_is_process_groups() {
    isolated("without_a_cgroup_it_is_process_groups", || {
        quiet(command("/bin/true")).spawn().unwrap().wait().unwrap().unwrap();
        let leaks = Leaks::baseline();
        no_folder_can_be_made();
        let scope = Scope::new("groups").unwrap();
        assert_eq!(scope.mechanism(), ScopeMechanism::ProcessGroup);
        assert_eq!(scope.path(), None);
        let mut first = quiet(sh("sleep 30 & wait")).scope(&scope).spawn().unwrap();
        let mut second = quiet(sh("sleep 30 & wait")).owned(true).scope(&scope).spawn().unwrap();
        let pid = Pid::from_raw(first.pid().cast_signed());
        assert_eq!(getpgid(pid).unwrap(), pid.unwrap(), "each leads a group");
        let errors = [
            scope.freeze().unwrap_err(),
            scope.thaw().unwrap_err(),
            scope.members().unwrap_err(),
            scope.adopt(first.pid()).unwrap_err(),
            scope.clone().pids_max(5).unwrap_err(),
            scope.usage().unwrap_err(),
            scope.cpu_time().unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, ScopeError::Unsupported { .. }), "{error}");
            assert!(error.to_string().contains("it is no cgroup but process groups"), "{error}");
        }
        let ended = scope.terminate(Signal::TERM, bound(ms(5000))).unwrap();
        assert!(ended.is_gone() && !ended.escalated(), "{ended}");
        assert_eq!(first.wait().unwrap().unwrap_err().signal(), Some(Signal::TERM));
        assert_eq!(second.wait().unwrap().unwrap_err().signal(), Some(Signal::TERM));
        let mut third = quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap();
        drop(scope);
        assert_eq!(third.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
        drop((first, second, third));
        leaks.assert_none();
    });
}

/// Case SC-01. Where the kernel does not know the call, or a filter refuses it, the child goes to the
/// cgroup before its exec.
#[test]
fn without_clone3_the_child_goes_there_itself() {
    for errno in [libc::ENOSYS, libc::EPERM, libc::EINVAL, libc::EOPNOTSUPP] {
        isolated("without_clone3_the_child_goes_there_itself", || {
            let Some(scope) = cgroup_or_skip("clone3") else { return };
            answer(libc::SYS_clone3, Calls::All, errno);
            for path in [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork] {
                let cat = Command::new("/bin/cat").arg("/proc/self/cgroup").scope(&scope);
                let output = cat.spawn_path(path).spawn().unwrap().output().unwrap();
                assert!(is_in(&folder(&scope), output.stdout_utf8().unwrap()), "{path:?}");
            }
            ends_without_a_trace(scope);
        });
    }
}
