//! Each system call of a launch, refused with EPERM and ENOSYS, and where the child alone makes it by
//! its death, on each path: a child that runs, a typed error, or an end by that signal, and nothing
//! left behind.
//!
//! Paths are forced in the slow tier (`PROCESSION_SLOW` is 1); else each launch finds its own.
//!
//! Calls that the test itself cannot do without (`close`, `fcntl`, `read`, `write`, `mmap`, `poll`, `waitid`)
//! are not among them.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use procession_process_transport::{Command, SpawnError, Spawned, Step};
use procession_protocol::SpawnPath;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::filter::{Calls, answer, kill};
use crate::util::{Leaks, PROBE, code, forced_path, isolated, ms, signal, sys};

/// How a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Answer(i32),
    Death,
}

/// What a call is for.
struct Call {
    name: &'static str,
    number: libc::c_long,
    /// The step that fails where it is needed; `None`: there is always a way without it.
    step: Option<Step>,
    /// The parent makes it as well, and would be killed.
    by_parent: bool,
}

const fn child(name: &'static str, number: libc::c_long, step: Option<Step>) -> Call {
    Call { name, number, step, by_parent: false }
}

const fn parent(name: &'static str, number: libc::c_long, step: Option<Step>) -> Call {
    Call { name, number, step, by_parent: true }
}

/// Those of a command that asks for nothing.
const PLAIN: [Call; 17] = [
    child("close_range", libc::SYS_close_range, None),
    child("recvmsg", libc::SYS_recvmsg, None),
    child("dup3", libc::SYS_dup3, Some(Step::FdMap)),
    child("execve", libc::SYS_execve, Some(Step::Exec)),
    child("execveat", libc::SYS_execveat, None),
    child("setsid", libc::SYS_setsid, None),
    parent("sendmsg", libc::SYS_sendmsg, None),
    parent("socketpair", libc::SYS_socketpair, None),
    parent("clone", libc::SYS_clone, Some(Step::Clone)),
    parent("clone3", libc::SYS_clone3, None),
    parent("pidfd_open", libc::SYS_pidfd_open, None),
    parent("pidfd_send_signal", libc::SYS_pidfd_send_signal, None),
    parent("pipe2", libc::SYS_pipe2, Some(Step::Pipe)),
    parent("fstat", libc::SYS_fstat, None),
    parent("uname", libc::SYS_uname, None),
    parent("madvise", libc::SYS_madvise, None),
    parent("getrusage", libc::SYS_getrusage, None),
];

/// Those of a command that asks for much.
const ASKED: [Call; 8] = [
    child("getppid", libc::SYS_getppid, Some(Step::ParentDeathSignal)),
    child("setsid", libc::SYS_setsid, Some(Step::Session)),
    child("umask", libc::SYS_umask, Some(Step::Umask)),
    child("setpriority", libc::SYS_setpriority, Some(Step::Priority)),
    child("sched_setaffinity", libc::SYS_sched_setaffinity, Some(Step::Priority)),
    child("chdir", libc::SYS_chdir, Some(Step::Chdir)),
    child("prctl", libc::SYS_prctl, Some(Step::ParentDeathSignal)),
    child("close_range", libc::SYS_close_range, None),
];

fn plain() -> Command {
    Command::new(PROBE).args(["exit", "7"])
}

fn asked() -> Command {
    plain()
        .new_session()
        .umask(0o77)
        .nice(1)
        .cpu_affinity([0])
        .current_dir("/")
        .parent_death_signal(procession_core::Signal::KILL)
}

/// What came of a spawn.
#[derive(Debug, PartialEq, Eq)]
enum Came {
    /// The program ran, and exited with 7.
    Ran(SpawnPath),
    /// A filter killed it.
    Died,
    Failed(Step, Option<i32>),
}

fn came(spawned: Result<Spawned, SpawnError>) -> Came {
    match spawned {
        Err(error) => Came::Failed(error.step(), error.raw_os_error()),
        Ok(mut child) => {
            let reason = child.wait().expect("it is our child");
            if signal(&reason) == Some(libc::SIGSYS) {
                return Came::Died;
            }
            assert_eq!(code(&reason), Some(7), "{reason:?}");
            Came::Ran(child.spawned_by())
        }
    }
}

/// Whether this may come of it.
fn is_right(came: &Came, call: &Call, refusal: Refusal, path: Option<SpawnPath>) -> bool {
    match came {
        Came::Ran(by) => path.is_none_or(|path| path == *by),
        Came::Died => refusal == Refusal::Death && (call.step.is_some() || path.is_some()),
        Came::Failed(step, errno) => {
            // A path that is forced may be one that cannot be taken.
            let is_path = *step == Step::Validate && path == Some(SpawnPath::SharedFiles);
            let is_refused = match refusal {
                Refusal::Answer(refused) => *errno == Some(refused),
                Refusal::Death => false,
            };
            is_path || is_refused && call.step == Some(*step)
        }
    }
}

/// Once the path is tried first where the call is refused already, and once where it has been taken.
fn in_a_copy(command: &Command, call: &Call, refusal: Refusal, path: Option<SpawnPath>) {
    for is_first in [true, false] {
        let copy = sys::fork(|| {
            sys::alarm(ms(20_000));
            let command = match path {
                Some(path) => command.clone().spawn_path(path),
                None => command.clone(),
            };
            if !is_first {
                assert!(matches!(came(plain().spawn()), Came::Ran(_)));
            }
            let leaks = Leaks::baseline();
            match refusal {
                Refusal::Answer(errno) => answer(call.number, Calls::All, errno),
                Refusal::Death => kill(call.number),
            }
            for _ in 0..2 {
                let came = came(command.spawn());
                assert!(is_right(&came, call, refusal, path), "{came:?}");
                Leaks::assert_no_children();
            }
            if !is_first {
                leaks.assert_no_fds();
            }
            0
        });
        let pid = Pid::from_raw(copy.cast_signed());
        let waited = waitpid(pid, WaitOptions::empty());
        let (_, status) = waited.expect("it is our child").expect("it has ended");
        let name = call.name;
        assert_eq!(status.exit_status(), Some(0), "{name} {refusal:?} {path:?} {is_first}");
    }
}

fn every_refusal(command: &Command, calls: &[Call]) {
    if forced_path().is_some() {
        return; // all are forced here
    }
    let is_slow = std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1");
    let refusals = [Refusal::Answer(libc::EPERM), Refusal::Answer(libc::ENOSYS), Refusal::Death];
    let all = [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork].map(Some);
    let forced = if is_slow { &all[..] } else { &[] };
    for call in calls {
        for refusal in refusals {
            if refusal == Refusal::Death && call.by_parent {
                continue;
            }
            for path in forced.iter().chain([&None]) {
                in_a_copy(command, call, refusal, *path);
            }
        }
    }
}

#[test]
fn a_plain_launch_without_any_one_of_its_calls_works_or_says_why() {
    isolated("a_plain_launch_without_any_one_of_its_calls_works_or_says_why", || {
        every_refusal(&plain(), &PLAIN);
    });
}

#[test]
fn a_launch_that_is_asked_for_much_works_or_says_what_it_cannot_do() {
    isolated("a_launch_that_is_asked_for_much_works_or_says_what_it_cannot_do", || {
        every_refusal(&asked(), &ASKED);
    });
}
