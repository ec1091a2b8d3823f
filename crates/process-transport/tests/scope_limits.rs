//! Area SC: what a scope limits, and what its processes have used. It takes the kernel's controllers.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::path::Path;
use std::time::Duration;
use std::{env, fs, process};

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Scope, ScopeError, Step};
use procession_protocol::ResourceUsage;
use procession_test_support::served;
use util::scopes::{cgroup_or_skip, ends_without_a_trace, folder, until};
use util::{command, ms, sh, skip_here};

/// The variable that makes a test of this file the child of another one.
const CHILD: &str = "PROCESSION_SCOPE_LIMITS";

fn quiet(command: Command) -> Command {
    command.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
}

/// Makes a scope whose base can hand a controller on; skips the test if there is none.
fn controlled_or_skip(test: &str, controller: &str) -> Option<Scope> {
    let scope = cgroup_or_skip(test)?;
    let base = folder(&scope).parent().expect("a cgroup").to_owned();
    let lists = |file: &str| {
        let listed = fs::read_to_string(base.join(file)).expect("a cgroup has it");
        listed.split_whitespace().any(|one| one == controller)
    };
    // The root of the hierarchy, which alone may have processes beside controllers, has no type.
    let can_enable = || lists("cgroup.controllers") && !base.join("cgroup.type").exists();
    if lists("cgroup.subtree_control") || can_enable() {
        return Some(scope);
    }
    skip_here(test, &format!("the program's cgroup cannot give its scopes {controller:?}"));
    None
}

/// Returns the number after a name in one of the scope's files.
fn number(folder: &Path, file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(folder.join(file)).expect("the controller has it");
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let line = lines.find(|(first, _)| *first == name).expect("its name");
    line.1.parse().expect("a number")
}

fn used(usage: &ResourceUsage) -> Duration {
    usage.user_time() + usage.system_time()
}

/// A program that has a buffer of so many MiB, and fills it.
fn fills(mib: u32) -> Command {
    let block = format!("bs={mib}M");
    quiet(command("dd").args(["if=/dev/zero", "of=/dev/null", "count=1", &*block]))
}

/// Case SC-21.
#[test]
fn who_needs_more_than_the_memory_of_its_scope_is_killed_alone() {
    let Some(scope) = controlled_or_skip("memory", "memory") else { return };
    const MOST: u64 = 24 << 20;
    let scope = scope.memory_max(MOST).unwrap();
    let place = folder(&scope);
    // Swap does not count, so it must not help here.
    fs::write(place.join("memory.swap.max"), "0").ok();
    let mut other = quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap();
    assert!(fills(4).scope(&scope).spawn().unwrap().wait().unwrap().is_ok(), "within the limit");
    assert_eq!(number(&place, "memory.events", "oom_kill"), 0);
    let reason = fills(64).scope(&scope).spawn().unwrap().wait().unwrap();
    assert_eq!(reason.unwrap_err().signal(), Some(Signal::KILL));
    assert_eq!(number(&place, "memory.events", "oom_kill"), 1);
    assert_eq!(scope.members().unwrap(), [other.pid()], "one of them, and not the smallest");
    match scope.usage() {
        Ok(usage) => {
            let peak = usage.memory_peak;
            assert!((MOST / 2..=MOST).contains(&peak), "{peak} of {MOST} bytes");
        }
        Err(error) => no_peak(&place, &error),
    }
    other.terminate(Signal::TERM, ms(5000)).unwrap();
    ends_without_a_trace(scope);
}

/// Checks the error of a kernel that keeps no peak.
fn no_peak(folder: &Path, error: &ScopeError) {
    assert!(!folder.join("memory.peak").exists(), "{error}");
    assert!(matches!(error, ScopeError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("keeps no peak"), "{error}");
    served("the memory peak of a scope", "nothing");
}

/// The child of the next test: starts others until the system refuses, and prints the reason. It does
/// nothing without its variable.
#[test]
fn a_program_that_starts_others() {
    if env::var_os(CHILD).is_none() {
        return;
    }
    let start = || process::Command::new("/bin/sleep").arg("30").spawn();
    let error = std::iter::repeat_with(start).find_map(Result::err).expect("a limit");
    println!("\nerrno={}", error.raw_os_error().expect("the system's"));
}

/// Case SC-22. A child of the program fails too, and does not go there by another way.
#[test]
fn nobody_starts_more_than_the_processes_of_its_scope() {
    let Some(scope) = controlled_or_skip("pids", "pids") else { return };
    const MOST: usize = 8;
    let scope = scope.pids_max(MOST as u64).unwrap();
    let place = folder(&scope);
    let args = ["a_program_that_starts_others", "--exact", "--nocapture", "--test-threads=1"];
    let many = Command::new(env::current_exe().unwrap()).args(args).env(CHILD, "1");
    let many = many.child_fd(0, Fd::null()).child_fd(2, Fd::null()).drain_after_exit(ms(50));
    let output = many.scope(&scope).spawn().unwrap().output().unwrap();
    let text = output.stdout_utf8().unwrap();
    assert!(text.contains(&format!("errno={}\n", libc::EAGAIN)), "{text}");
    assert!(number(&place, "pids.events", "max") > 0);
    // Its own threads counted too, and have ended with it.
    let left = scope.members().unwrap().len();
    assert!((1..MOST).contains(&left), "{left} sleeps");
    let mut more: Vec<_> = (left..MOST)
        .map(|_| quiet(command("/bin/sleep").arg("30")).scope(&scope).spawn().unwrap())
        .collect();
    let error = quiet(command("/bin/true")).scope(&scope).spawn().unwrap_err();
    assert_eq!((error.step(), error.raw_os_error()), (Step::Clone, Some(libc::EAGAIN)), "{error}");
    assert_eq!(scope.members().unwrap().len(), MOST);
    scope.kill().unwrap();
    for child in &mut more {
        assert_eq!(child.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    }
    // The killed leave their places when they are reaped.
    until("a place is free", || {
        fs::read_to_string(place.join("pids.current")).unwrap().trim_end() == "0"
    });
    assert!(quiet(command("/bin/true")).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    ends_without_a_trace(scope);
}

/// Case SC-23. It counts in periods of the kernel, so a slow machine changes nothing.
#[test]
fn a_scope_gets_no_more_than_its_processor_time() {
    let Some(scope) = controlled_or_skip("cpu", "cpu") else { return };
    let (quota, period) = (ms(10), ms(100));
    let scope = scope.cpu_max(quota, period).unwrap();
    let place = folder(&scope);
    let mut busy = quiet(sh("while :; do :; done")).scope(&scope).spawn().unwrap();
    until("five periods were cut short", || number(&place, "cpu.stat", "nr_throttled") >= 5);
    let used = scope.cpu_time().unwrap();
    let periods = u32::try_from(number(&place, "cpu.stat", "nr_periods")).unwrap();
    // The first period, the last one, and a tick in each in which the kernel notices nothing.
    let most = (quota + ms(10)) * (periods + 2);
    assert!(used <= most, "{used:?} in {periods} periods");
    assert!(used >= quota * 3, "{used:?} in {periods} periods");
    scope.kill().unwrap();
    assert_eq!(busy.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    ends_without_a_trace(scope);
}

/// Case SC-24. The reason of a child's end has the time of that child; the scope has that of all. It takes
/// no controller.
#[test]
fn the_time_of_a_scope_counts_those_that_nobody_waits_for() {
    let Some(scope) = cgroup_or_skip("time") else { return };
    let script = "setsid sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done' & exit 0";
    let mut child = quiet(sh(script)).scope(&scope).spawn().unwrap();
    let reason = child.wait().unwrap().unwrap();
    let alone = used(reason.usage().expect("a reaped child has it"));
    until("the other one has ended", || scope.members().unwrap().is_empty());
    let both = scope.cpu_time().unwrap();
    assert!(both > alone * 2, "{both:?} of all, {alone:?} of the child");
    ends_without_a_trace(scope);
}

/// Case SC-24.
#[test]
fn the_usage_of_a_scope_has_its_time_and_its_peak() {
    let Some(scope) = controlled_or_skip("usage", "memory") else { return };
    let scope = scope.memory_max(256 << 20).unwrap();
    let place = folder(&scope);
    let before = scope.cpu_time().unwrap();
    let reason = fills(32).scope(&scope).spawn().unwrap().wait().unwrap().unwrap();
    let alone = used(reason.usage().expect("a reaped child has it"));
    match scope.usage() {
        Ok(usage) => {
            let peak = usage.memory_peak;
            assert!((32 << 20..64 << 20).contains(&peak), "{peak} bytes");
            let since = usage.cpu - before;
            assert!(since >= alone / 2, "{since:?}, the child alone {alone:?}");
            assert!(since <= alone * 2 + ms(100), "{since:?}, the child alone {alone:?}");
        }
        Err(error) => no_peak(&place, &error),
    }
    ends_without_a_trace(scope);
}

/// Case SC-29. Each process starts others without end, in sessions of their own, up to the limit; those that
/// cannot are replaced by others.
#[test]
fn a_fork_bomb_at_its_limit_is_killed_at_once() {
    let Some(scope) = controlled_or_skip("endless", "pids") else { return };
    const MOST: u64 = 2000;
    let scope = scope.pids_max(MOST).unwrap();
    let place = folder(&scope);
    let bomb = "while :; do setsid sh -c \"$0\" \"$0\" & done";
    let bomb = quiet(command("/bin/sh").args(["-c", bomb, bomb]));
    let mut first = bomb.owned(true).scope(&scope).spawn().unwrap();
    let current = || fs::read_to_string(place.join("pids.current")).unwrap();
    until("the limit is reached", || number(&place, "pids.events", "max") > 0);
    assert!(current().trim_end().parse::<u64>().unwrap() <= MOST);
    scope.kill().unwrap();
    first.wait().unwrap().unwrap_err();
    until("none is left", || scope.members().unwrap().is_empty());
    ends_without_a_trace(scope);
}
