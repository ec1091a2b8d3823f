//! Area SC: a scope keeps what its children start, whatever that does.
#![cfg(feature = "reactor")]

mod util;

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Scope, ScopeError, Step};
use procession_protocol::SpawnPath;
use rustix::process::{Pid, Resource, Rlimit, getpgid, getrlimit, setrlimit};
use util::scopes::{cgroup_of, cgroup_or_skip, ends_without_a_trace, folder, is_in, until};
use util::{bound, command, forced_path, in_every_way, isolated, ms, process_state, sh};

fn quiet(command: Command) -> Command {
    command.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

/// Cases SC-01 and SC-03. On the reactor, off the loop, blocking and on tokio.
#[test]
fn a_child_is_born_in_the_scope_in_every_way() {
    in_every_way("a_child_is_born_in_the_scope_in_every_way", |way| {
        let Some(scope) = cgroup_or_skip("born") else { return };
        let own = cgroup_of(std::process::id());
        let ended = way.run(command("/bin/cat").arg("/proc/self/cgroup").scope(&scope));
        let text = ended.text(1);
        let line = text.lines().find_map(|line| line.strip_prefix("0::")).expect("version 2");
        assert!(is_in(&folder(&scope), line), "{line}");
        assert_eq!(cgroup_of(std::process::id()), own, "the program is never moved");
        ends_without_a_trace(scope);
    });
}

/// Case SC-01. With each way to start a process, also where the child goes there itself.
#[test]
fn a_child_is_born_in_the_scope_on_each_path() {
    isolated("a_child_is_born_in_the_scope_on_each_path", || {
        let Some(scope) = cgroup_or_skip("paths") else { return };
        let cat = |owned: bool| {
            Command::new("/bin/cat").arg("/proc/self/cgroup").owned(owned).scope(&scope)
        };
        let paths = [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork];
        for path in paths.into_iter().filter(|path| forced_path().is_none_or(|one| one == *path)) {
            for owned in [false, true] {
                let output = cat(owned).spawn_path(path).spawn().unwrap().output().unwrap();
                let text = output.stdout_utf8().unwrap();
                let line = text.lines().find_map(|line| line.strip_prefix("0::")).unwrap();
                assert!(is_in(&folder(&scope), line), "{path:?}: {line}");
                assert_eq!(line.contains("/run-"), owned, "{path:?}: {line}");
            }
        }
        // The C library's fork knows no cgroup: the child writes its number before its exec.
        let output = util::sys::pre_exec(cat(false), 0).spawn().unwrap().output().unwrap();
        assert!(is_in(&folder(&scope), output.stdout_utf8().unwrap()));
        ends_without_a_trace(scope);
    });
}

/// Case SC-02. A daemon leaves its session, its group and its parents.
#[test]
fn a_termination_reaches_what_left_the_session() {
    let Some(scope) = cgroup_or_skip("setsid") else { return };
    let script = "setsid sh -c 'setsid sleep 30 & exit 0' & exit 0";
    assert!(quiet(sh(script)).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    until("one sleep is left", || {
        let members = scope.members().unwrap();
        members.len() == 1 && fs::read(format!("/proc/{}/comm", members[0])).unwrap() == b"sleep\n"
    });
    let daemon = scope.members().unwrap()[0];
    let ended = scope.terminate(Signal::TERM, bound(ms(5000))).unwrap();
    assert!(ended.is_gone() && !ended.escalated(), "{ended}");
    assert!(is_dead(daemon));
    assert_eq!(scope.members().unwrap(), [0; 0]);
    ends_without_a_trace(scope);
}

/// Case SC-04. KILL comes after the grace, and ends those that ignore TERM.
#[test]
fn who_ignores_the_signal_is_killed_after_the_grace() {
    let Some(scope) = cgroup_or_skip("deaf") else { return };
    let script = "trap '' TERM; setsid sh -c 'while :; do sleep 30; done' & echo ready; wait";
    let deaf = sh(script).child_fd(0, Fd::null()).child_fd(2, Fd::null()).scope(&scope);
    let mut child = deaf.spawn().unwrap();
    drop(deaf); // it has the scope
    let mut ready = [0; 6];
    let output = child.take(1).unwrap();
    rustix::io::read(&output, &mut ready).unwrap();
    let grace = ms(300);
    let ended = scope.terminate(Signal::TERM, grace).unwrap();
    assert!(ended.is_gone() && ended.escalated(), "{ended}");
    assert!(ended.after() >= grace && ended.after() < bound(ms(2000)), "{ended}");
    assert_eq!(child.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    // An empty scope has nothing to end.
    let again = scope.terminate(Signal::TERM, grace).unwrap();
    assert!(again.is_gone() && !again.escalated() && again.after() < grace, "{again}");
    ends_without_a_trace(scope);
}

/// Case SC-05.
#[test]
fn a_killed_scope_can_be_used_again() {
    let Some(scope) = cgroup_or_skip("again") else { return };
    for _ in 0..3 {
        let mut sleep = quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap();
        assert_eq!(scope.members().unwrap(), [sleep.pid()]);
        scope.kill().unwrap();
        assert_eq!(sleep.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
        // The first child after a KILL, which the kernel may kill at its birth.
        let cat = command("/bin/cat").arg("/proc/self/cgroup").scope(&scope);
        let output = cat.spawn().unwrap().output().unwrap();
        assert!(is_in(&folder(&scope), output.stdout_utf8().unwrap()), "{output:?}");
        // It has become empty by itself; then a termination empties it.
        let mut sleep = quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap();
        assert!(scope.terminate(Signal::TERM, bound(ms(5000))).unwrap().is_gone());
        assert_eq!(sleep.wait().unwrap().unwrap_err().signal(), Some(Signal::TERM));
    }
    ends_without_a_trace(scope);
}

/// Case SC-06.
#[test]
fn a_frozen_scope_stands_still_and_starts_nothing() {
    let Some(scope) = cgroup_or_skip("frozen") else { return };
    let mut child = quiet(sh("while :; do :; done")).scope(&scope).spawn().unwrap();
    scope.freeze().unwrap();
    let before = scope.cpu_time().unwrap();
    let error = quiet(command("/bin/true")).scope(&scope).spawn().unwrap_err();
    assert_eq!(error.step(), Step::Scope);
    assert_eq!(error.to_string(), "cannot join the scope for \"/bin/true\": it is frozen");
    assert_eq!(scope.cpu_time().unwrap(), before, "it does not run");
    scope.thaw().unwrap();
    until("it runs again", || scope.cpu_time().unwrap() > before);
    scope.freeze().unwrap();
    scope.kill().unwrap();
    assert_eq!(child.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL), "even frozen");
    scope.thaw().unwrap();
    assert!(quiet(command("/bin/true")).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    ends_without_a_trace(scope);
}

/// Case SC-07.
#[test]
fn a_running_process_is_adopted_and_the_program_is_not() {
    let Some(scope) = cgroup_or_skip("adopt") else { return };
    let mut sleep = quiet(command("/bin/sleep").arg("30")).spawn().unwrap();
    assert!(!is_in(&folder(&scope), &cgroup_of(sleep.pid())));
    scope.adopt(sleep.pid()).unwrap();
    assert_eq!(scope.members().unwrap(), [sleep.pid()]);
    for own in [0, std::process::id()] {
        assert!(matches!(scope.adopt(own), Err(ScopeError::Invalid { .. })), "{own}");
    }
    assert_eq!(scope.members().unwrap(), [sleep.pid()], "the program is not in it");
    scope.kill().unwrap();
    assert_eq!(sleep.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    let gone = scope.adopt(sleep.pid()).unwrap_err();
    assert_eq!(gone.io_error().and_then(std::io::Error::raw_os_error), Some(libc::ESRCH));
    assert!(scope.adopt(u32::MAX).is_err());
    ends_without_a_trace(scope);
}

/// Case SC-08. The drop of the last clone, and no earlier one.
#[test]
fn the_last_drop_kills_what_is_in_it_and_removes_the_folder() {
    let Some(scope) = cgroup_or_skip("drop") else { return };
    let clone = scope.clone();
    let script = "setsid sleep 30 & sleep 30 & exit 0";
    assert!(quiet(sh(script)).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    // The folder of an owned child, in which a process is left.
    let owned = quiet(sh(script)).owned(true).scope(&scope).spawn().unwrap().wait();
    assert!(owned.unwrap().is_ok());
    until("four sleeps", || scope.members().unwrap().len() == 4);
    let members = scope.members().unwrap();
    drop(scope);
    assert!(members.iter().all(|pid| !is_dead(*pid)), "a clone is left");
    ends_without_a_trace(clone);
    assert!(members.iter().all(|pid| is_dead(*pid)));
}

/// Case SC-09.
#[test]
fn a_name_is_checked_and_used_once() {
    for bad in ["", ".", "..", "a/b", "a\nb", "cgroup.kill", "memory.x", &"n".repeat(201)] {
        let error = Scope::new(bad).unwrap_err();
        assert!(matches!(error, ScopeError::Name { .. }), "{bad:?}: {error}");
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    }
    let scope = Scope::new("once").unwrap();
    assert!(matches!(Scope::new("once"), Err(ScopeError::Exists(name)) if name == "once"));
    assert_eq!(scope.name(), "once");
    drop(scope);
    Scope::new("once").unwrap();
}

/// Case SC-10.
#[test]
fn a_limit_that_makes_no_sense_is_refused() {
    let (ok, zero) = (ms(100), Duration::ZERO);
    let scope = Scope::new("limits").unwrap();
    let invalid = |result: Result<Scope, ScopeError>| {
        let error = result.unwrap_err();
        assert!(matches!(error, ScopeError::Invalid { .. }), "{error}");
    };
    invalid(scope.clone().memory_max(0));
    invalid(scope.clone().pids_max(0));
    for (quota, period) in
        [(zero, ok), (ok, zero), (ok, ms(2000)), (Duration::from_micros(999), ok)]
    {
        invalid(scope.clone().cpu_max(quota, period));
    }
}

/// Case SC-11. This program's own cgroup has no controllers to hand on on some systems.
#[test]
fn a_limit_that_the_system_cannot_enforce_is_an_error() {
    let Some(scope) = cgroup_or_skip("unlimited") else { return };
    let base = folder(&scope).parent().unwrap().to_owned();
    let controllers = fs::read_to_string(base.join("cgroup.controllers")).unwrap();
    if controllers.split_whitespace().any(|one| one == "memory") {
        return util::skip_here("unlimited", "this system has the controllers");
    }
    let limits = [
        scope.clone().memory_max(1 << 30).unwrap_err(),
        scope.clone().pids_max(64).unwrap_err(),
        scope.clone().cpu_max(ms(50), ms(100)).unwrap_err(),
        scope.usage().unwrap_err(),
    ];
    for error in limits {
        assert!(matches!(error, ScopeError::Unsupported { .. }), "{error}");
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        assert!(error.to_string().contains("controller"), "{error}");
    }
    ends_without_a_trace(scope);
}

/// Case SC-12. It dies while it starts 2,000 sessions.
#[test]
fn a_fork_bomb_of_2_000_is_killed_at_once() {
    let Some(scope) = cgroup_or_skip("bomb") else { return };
    let script = "i=0; while [ $i -lt 2000 ]; do setsid sleep 30 & i=$((i+1)); done; exec sleep 30";
    let mut bomb = quiet(sh(script)).owned(true).scope(&scope).spawn().unwrap();
    until("a half of them lives", || scope.members().unwrap().len() > 1000);
    scope.kill().unwrap();
    assert_eq!(bomb.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    // One KILL is enough: nobody escapes by starting others.
    until("none is left", || scope.members().unwrap().is_empty());
    ends_without_a_trace(scope);
}

/// Case SC-13. Children start in the scope while it is being killed, again and again.
#[test]
fn children_that_are_born_while_it_dies_are_killed_or_start_well() {
    let Some(scope) = cgroup_or_skip("dying") else { return };
    let (launching, ended) = mpsc::channel::<()>();
    std::thread::scope(|threads| {
        let scope = &scope;
        let launcher = threads.spawn(move || {
            let _until_the_end = launching;
            for _ in 0..200 {
                match quiet(command("/bin/sleep").arg("30")).scope(scope).spawn() {
                    Ok(mut child) => {
                        let reason = child.wait().unwrap();
                        assert_eq!(reason.unwrap_err().signal(), Some(Signal::KILL));
                    }
                    // The kill came before its exec.
                    Err(error) => assert!(matches!(error.step(), Step::Clone | Step::Exec)),
                }
            }
        });
        // Kills without a pause would keep the kernel's lock from the launcher on a busy machine.
        let pause = Duration::from_micros(200);
        while ended.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
            scope.kill().unwrap();
        }
        launcher.join().unwrap();
    });
    ends_without_a_trace(scope);
}

/// Case SC-14. A termination of an owned child ends its folder, and nothing else of the scope.
#[test]
fn the_termination_of_an_owned_child_ends_what_left_its_group() {
    let Some(scope) = cgroup_or_skip("branch") else { return };
    let mut other = quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap();
    let script =
        "setsid sleep 30 & setsid sh -c 'trap \"\" TERM; while :; do sleep 30; done' & wait";
    let mut owned = quiet(sh(script)).owned(true).scope(&scope).spawn().unwrap();
    until("all are there", || scope.members().unwrap().len() >= 5);
    let ended = owned.terminate(Signal::TERM, ms(200)).unwrap();
    assert!(ended.is_gone() && ended.escalated(), "{ended}");
    assert_eq!(scope.members().unwrap(), [other.pid()], "the scope as a whole is not touched");
    let pid = Pid::from_raw(other.pid().cast_signed());
    assert_eq!(getpgid(pid).unwrap(), getpgid(None).unwrap(), "a scope makes no group");
    other.terminate(Signal::TERM, bound(ms(5000))).unwrap();
    drop(owned);
    let folders = fs::read_dir(folder(&scope)).unwrap().filter_map(Result::ok);
    assert_eq!(folders.filter(|entry| entry.path().is_dir()).count(), 0, "its folder is gone");
    ends_without_a_trace(scope);
}

/// Case SC-15. A build with a compiler cache: the first compiler starts a server, which leaves its
/// session and outlives the build.
#[test]
fn a_build_with_a_daemon_ends_whole() {
    let Some(scope) = cgroup_or_skip("build") else { return };
    let compiler = "[ -e \"$0/server\" ] || { setsid sh -c '(echo $$ >\"$1/server\"; exec sleep 30) &' \
                    - \"$0\"; }; while ! [ -s \"$0/server\" ]; do :; done; echo compiled";
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        let cc = sh(compiler).arg(dir.path()).child_fd(0, Fd::null()).child_fd(2, Fd::null());
        let cc = cc.drain_after_exit(ms(50)).owned(true).scope(&scope);
        let output = cc.spawn().unwrap().output().unwrap();
        assert_eq!(output.stdout_utf8().unwrap(), "compiled\n");
    }
    let server = fs::read_to_string(dir.path().join("server")).unwrap();
    until("the server alone is left", || scope.members().unwrap().len() == 1);
    assert!(server.trim_end().parse::<u32>().is_ok());
    assert!(scope.terminate(Signal::TERM, bound(ms(5000))).unwrap().is_gone());
    ends_without_a_trace(scope);
}

/// Case SC-17. A folder that is none of a cgroup.
#[test]
fn a_base_that_is_no_cgroup_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    for base in [dir.path(), std::path::Path::new("/no/such/folder"), std::path::Path::new("/")] {
        let error = Scope::within(base, "base").unwrap_err();
        assert!(matches!(error, ScopeError::Base(..)), "{error}");
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left there");
    let Some(scope) = cgroup_or_skip("above") else { return };
    let inner = Scope::within(scope.path().unwrap(), "inner").unwrap();
    let mut sleep = quiet(command("/bin/sleep").arg("30")).scope(&inner).spawn().unwrap();
    assert_eq!(scope.members().unwrap(), [sleep.pid()], "also what is in a scope within it");
    scope.kill().unwrap();
    assert!(sleep.wait().unwrap().is_err());
    ends_without_a_trace(inner);
    ends_without_a_trace(scope);
}

/// Case SC-18. The loop goes on while a scope ends.
#[test]
fn a_scope_ends_on_a_loop() {
    let Some(scope) = cgroup_or_skip("loop") else { return };
    let mut reactor = procession_reactor::Reactor::new().unwrap();
    let deaf = quiet(sh("trap '' TERM; setsid sh -c 'echo >/dev/null; exec sleep 30' & wait"));
    let mut child = deaf.scope(&scope).spawn().unwrap();
    until("two are there", || scope.members().unwrap().len() >= 2);
    let handle = reactor.handle().clone();
    let ended = scope.terminate_on(&handle, Signal::TERM, ms(100));
    let ended = reactor.block_on(ended).unwrap();
    assert!(ended.is_gone(), "{ended}");
    assert!(child.wait().unwrap().is_err());
    ends_without_a_trace(scope);
}

/// Case SC-30.
#[test]
fn a_program_without_descriptors_gets_an_error_and_no_process_groups() {
    isolated("a_program_without_descriptors_gets_an_error_and_no_process_groups", || {
        let Some(scope) = cgroup_or_skip("short") else { return };
        let printed = format!("{scope:?}");
        assert!(printed.len() < 1000, "{printed}");
        ends_without_a_trace(scope);
        let before = getrlimit(Resource::Nofile);
        let limit = |current| setrlimit(Resource::Nofile, Rlimit { current, ..before }).unwrap();
        limit(Some(3));
        let made = Scope::new("short-of-all");
        limit(before.current);
        let Err(ScopeError::Os { error, .. }) = made else { panic!("{made:?}") };
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
        ends_without_a_trace(Scope::new("short-of-all").unwrap());
    });
}
