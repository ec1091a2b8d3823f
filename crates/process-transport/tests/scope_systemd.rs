//! Area SC: scopes of a user who may make no cgroup, but has a systemd that may.
//!
//! A test starts systemd itself, as the manager of a user without a name, in a part of the hierarchy of
//! cgroups that is its own, and a program of that user in a cgroup that is root's. A session of ssh is
//! such a place. In a session, the user's manager asks that of the system to move processes; there is none
//! here, so it has the right to write there itself (`CAP_DAC_OVERRIDE`).
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, Output};
use std::{env, fs};

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Scope, ScopeError, ScopeMechanism, Step};
use procession_protocol::SpawnPath;
use rustix::process::kill_process;
use util::scopes::{cgroup_of, cgroup_or_skip, ends_without_a_trace, folder, is_in, until};
use util::{bound, command, isolated, ms, process_state, root_or_skip, sh, skip};

/// The variable that says what the user may do: write to the cgroup that has those of the program and of
/// the manager (`allowed`) or not (`denied`), or also has no manager (`absent`).
const ACCESS: &str = "PROCESSION_SYSTEMD_ACCESS";

/// What a program prints when it has seen everything.
const SEEN: &str = "it was seen";

/// What it prints if there is no controller of processes.
const NO_LIMIT: &str = "no limit was seen";

/// Sets up the user's place and starts the manager, then the program. Its arguments are the hierarchy of
/// cgroups, the cgroup in it that the test has made, the program, systemd's program, and the name of the
/// program's test.
const SCRIPT: &str = r#"
set -e
hierarchy=$1 base=/sys/fs/cgroup$2 program=$3 systemd=$4 user=4242 access=$PROCESSION_SYSTEMD_ACCESS
mount --make-rprivate /
mount --bind "$hierarchy" /sys/fs/cgroup
mount -t tmpfs run /run
mkdir -p /run/systemd/system /run/user/$user
touch /run/program
mount --bind "$program" /run/program
chown $user:$user /run/user/$user
export XDG_RUNTIME_DIR=/run/user/$user HOME=/run/user/$user
unset DBUS_SESSION_BUS_ADDRESS
mkdir "$base/manager" "$base/program"
for controller in $(cat "$base/cgroup.controllers"); do
    echo "+$controller" >"$base/cgroup.subtree_control"
done
chown -R $user:$user "$base/manager"
[ "$access" = denied ] || chown $user:$user "$base" "$base/cgroup.procs"
as="setpriv --reuid $user --regid $user --clear-groups"
if [ "$access" != absent ]; then
    sh -c 'echo 0 >"$0/manager/cgroup.procs"; exec "$@"' "$base" \
        $as --inh-caps +dac_override --ambient-caps +dac_override \
        "$systemd" --user --unit=basic.target >/dev/null 2>&1 &
    manager=$!
fi
cd /
set +e
sh -c 'echo 0 >"$0/program/cgroup.procs"; exec "$@"' "$base" \
    $as /run/program "$5" --exact --nocapture --test-threads=1
status=$?
[ -z "$manager" ] || { kill $manager; wait $manager; }
exit $status
"#;

fn quiet(command: Command) -> Command {
    command.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
}

fn unit_of(scope: &Scope) -> PathBuf {
    folder(scope).parent().expect("its unit").to_owned()
}

/// Returns the program of systemd.
fn systemd() -> Option<PathBuf> {
    let places = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
    places.into_iter().map(PathBuf::from).find(|place| place.exists())
}

/// Runs the program as the user.
fn check_as_user(name: &str, test: &str, access: &str) {
    if !root_or_skip(name) {
        return;
    }
    let Some(systemd) = systemd() else { return skip(name, "systemd is not installed") };
    let Some(scope) = cgroup_or_skip(name) else { return };
    let own = cgroup_of(std::process::id());
    let place = folder(&scope);
    let above = own.split('/').filter(|part| !part.is_empty()).count() + 1;
    let hierarchy = place.ancestors().nth(above).expect("it is in the hierarchy");
    let below = place.strip_prefix(hierarchy).expect("it is below");
    let output = run(hierarchy, &Path::new("/").join(below), &systemd, test, access);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains(SEEN), "{output:?}");
    if text.contains(NO_LIMIT) {
        skip(&format!("the limit in {name}"), "there is no controller of processes");
    }
    ends_without_a_trace(scope);
}

fn run(hierarchy: &Path, base: &Path, systemd: &Path, test: &str, access: &str) -> Output {
    let program = env::current_exe().expect("a path");
    let mode = fs::metadata(&program).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o005, 0o005, "everybody may run it");
    StdCommand::new("unshare")
        .args(["--mount", "sh", "-c", SCRIPT, "sh"])
        .args([hierarchy, base, &program])
        .args([systemd, Path::new(test)])
        .env(ACCESS, access)
        .output()
        .expect("unshare is there")
}

/// The program of the next two tests; it does nothing without its variable.
#[test]
fn a_program_of_a_user_with_a_manager() {
    let Some(access) = env::var_os(ACCESS) else { return };
    let can_clone = access == "allowed";
    let own = cgroup_of(std::process::id());
    let socket =
        Path::new(&env::var_os("XDG_RUNTIME_DIR").expect("a folder")).join("systemd/private");
    until("systemd listens", || socket.exists());
    let scope = Scope::new("a scope: é").unwrap();
    assert_eq!(scope.mechanism(), ScopeMechanism::SystemdUnit, "{scope:?}");
    let place = folder(&scope);
    let unit = unit_of(&scope);
    let name = unit.file_name().unwrap().to_str().unwrap();
    assert!(name.starts_with("procession-") && name.ends_with(".scope"), "{name}");
    for path in [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork] {
        for owned in [false, true] {
            let cat = command("/bin/cat").arg("/proc/self/cgroup").owned(owned).scope(&scope);
            let output = cat.spawn_path(path).spawn().unwrap().output().unwrap();
            let text = output.stdout_utf8().unwrap();
            assert!(is_in(&place, text), "{path:?}: {text}");
            assert_eq!(text.contains("/run-"), owned, "{path:?}: {text}");
        }
    }
    // Empty for a while, it is still there.
    assert_eq!(scope.members().unwrap(), [0; 0]);
    let script = "setsid sh -c 'setsid sleep 30 & exit 0' & exit 0";
    assert!(quiet(sh(script)).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    until("one sleep is left", || scope.members().unwrap().len() == 1);
    let daemon = scope.members().unwrap()[0];
    let ended = scope.terminate(Signal::TERM, bound(ms(5000))).unwrap();
    assert!(ended.is_gone() && !ended.escalated(), "{ended}");
    assert!(matches!(process_state(daemon), 'Z' | 'X'));
    scope.kill().unwrap();
    assert!(quiet(command("/bin/true")).scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
    // A second one has a unit of its own.
    let other = Scope::new("other").unwrap();
    assert_eq!(other.mechanism(), ScopeMechanism::SystemdUnit);
    assert_ne!(unit_of(&other), unit);
    let mut sleep = quiet(command("/bin/sleep").arg("30")).scope(&other).spawn().unwrap();
    ends_without_a_trace(scope);
    until("the unit has ended", || !unit.exists());
    assert_eq!(other.members().unwrap(), [sleep.pid()]);
    let controllers = fs::read_to_string(unit_of(&other).join("cgroup.controllers")).unwrap();
    if controllers.split_whitespace().any(|one| one == "pids") {
        let other = other.clone().pids_max(2).expect("the unit has no process of its own");
        let mut forks = quiet(sh("/bin/true; exit 0")).scope(&other).spawn().unwrap();
        assert!(forks.wait().unwrap().is_err(), "a third process");
    } else {
        println!("\n{NO_LIMIT}");
        assert!(matches!(other.clone().pids_max(1), Err(ScopeError::Unsupported { .. })));
    }
    if !can_clone && env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1") {
        let stream = UnixStream::connect(&socket).unwrap();
        let manager = rustix::net::sockopt::socket_peercred(&stream).unwrap().pid;
        kill_process(manager, rustix::process::Signal::STOP).unwrap();
        let error = quiet(command("/bin/true")).scope(&other).spawn().unwrap_err();
        assert_eq!((error.step(), error.raw_os_error()), (Step::Scope, Some(libc::ETIMEDOUT)));
        kill_process(manager, rustix::process::Signal::CONT).unwrap();
    }
    // Without systemd's socket, a child is there by its clone or not at all.
    fs::remove_file(&socket).unwrap();
    match quiet(command("/bin/true")).scope(&other).spawn() {
        Ok(mut child) => assert!(can_clone && child.wait().unwrap().is_ok()),
        Err(error) => {
            assert!(!can_clone, "{error}");
            assert_eq!((error.step(), error.raw_os_error()), (Step::Scope, Some(libc::ENOENT)));
        }
    }
    ends_without_a_trace(other);
    assert_eq!(sleep.wait().unwrap().unwrap_err().signal(), Some(Signal::KILL));
    assert_eq!(cgroup_of(std::process::id()), own, "the program is never moved");
    println!("\n{SEEN}");
}

/// The program of the last test; it does nothing without its variable.
#[test]
fn a_program_of_a_user_without_a_manager() {
    if env::var_os(ACCESS).is_none() {
        return;
    }
    let scope = Scope::new("alone").unwrap();
    assert_eq!(scope.mechanism(), ScopeMechanism::ProcessGroup);
    let error = scope.members().unwrap_err();
    assert!(matches!(error, ScopeError::Unsupported { .. }), "{error}");
    assert!(error.to_string().contains("Permission denied"), "{error}");
    println!("\n{SEEN}");
}

/// Case SC-26. The user may write to the cgroup above the own one and the manager's, so a clone puts a
/// child there.
#[test]
fn the_users_systemd_gives_a_cgroup() {
    let name = "the_users_systemd_gives_a_cgroup";
    isolated(name, || check_as_user(name, "a_program_of_a_user_with_a_manager", "allowed"));
}

/// Case SC-26. As in a session, nobody but the manager may move a process there: each child asks it.
#[test]
fn a_child_asks_the_users_systemd_where_nobody_else_may_move_it() {
    let name = "a_child_asks_the_users_systemd_where_nobody_else_may_move_it";
    isolated(name, || check_as_user(name, "a_program_of_a_user_with_a_manager", "denied"));
}

/// Case SC-26.
#[test]
fn without_the_users_systemd_it_is_process_groups() {
    let name = "without_the_users_systemd_it_is_process_groups";
    isolated(name, || check_as_user(name, "a_program_of_a_user_without_a_manager", "absent"));
}
