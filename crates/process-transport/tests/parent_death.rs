//! The signal at the parent's death. The kernel sends it when the thread that spawned the child
//! ends. It also reaches a child with changed ids, and a child whose parent was gone before it
//! could ask.
//!
//! These tests play two roles. The test itself runs in its own process and inherits the children of
//! dead parents. It runs itself again as a parent that is to die.
#![cfg(feature = "reactor")]

mod parent_death {
    pub(crate) mod sys;
}
mod util;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command as StdCommand, Stdio};

use procession_core::Signal;
use procession_process_transport::{Command, SpawnProcess, Step};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;
use rustix::io::Errno;
use rustix::process::{getpid, set_child_subreaper};
use rustix::thread::gettid;

use crate::parent_death::sys;
use crate::util::{Driver, behaviour, command, isolated, root_or_skip, sh, skip};

/// The user and group that every system has for nobody.
const NOBODY: u32 = 65534;

/// Set in the process that plays the parent.
const ROLE: &str = "PROCESSION_TEST_DYING_PARENT";

/// Returns whether this process plays the parent.
fn is_parent() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// A protocol that ignores every event.
struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

/// The process that plays the parent.
struct Parent {
    process: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Parent {
    /// Runs the test `name` again, as the parent. This process inherits its children when it is
    /// dead; skips the test if it cannot, as in qemu's user mode up to 7.2.
    fn start(name: &str) -> Option<Self> {
        if let Err(error) = set_child_subreaper(Some(getpid())) {
            assert_eq!(error, Errno::INVAL, "no privilege is needed");
            skip(name, "this system has no PR_SET_CHILD_SUBREAPER");
            return None;
        }
        let mut process = StdCommand::new(std::env::current_exe().expect("this test binary"))
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs again");
        let input = process.stdin.take().expect("a pipe");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        Some(Self { process, input, output })
    }

    /// Returns the number in the parent's line that contains `word`.
    fn number(&mut self, word: &str) -> i32 {
        let mut line = String::new();
        loop {
            line.clear();
            let count = self.output.read_line(&mut line).expect("it is text");
            assert!(count > 0, "it ended without a line {word}");
            // The harness prints the test's name before it on the same line.
            if let Some((_, rest)) = line.split_once(word) {
                return rest.trim().parse().expect("it prints numbers");
            }
        }
    }

    /// Lets the parent go on.
    fn go_on(&mut self) {
        self.input.write_all(b"x").expect("it reads");
    }

    /// Kills the parent.
    fn kill(mut self) {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it is our child");
    }
}

/// The parent's part: prints its thread id and waits for the test.
fn announce_and_wait() {
    println!("thread={}", gettid().as_raw_nonzero());
    let mut word = [0];
    std::io::stdin().read_exact(&mut word).expect("the test's word");
}

/// The parent's part: starts the child, prints its pid, and runs until it is killed.
fn spawn_and_wait(driver: &mut Driver, command: Command) -> ! {
    let child = driver.spawn(command);
    println!("child={}", child.process.pid().expect("it runs"));
    loop {
        driver.run_for(util::WATCHDOG);
    }
}

/// A child that sleeps for long and asks for the signal.
fn sleeper() -> Command {
    command("/bin/sleep").arg("100").parent_death_signal(Signal::TERM)
}

/// The kernel sends the signal when the parent dies, whatever the cause.
#[test]
fn a_child_is_signalled_when_its_parent_dies() {
    const NAME: &str = "a_child_is_signalled_when_its_parent_dies";
    isolated(NAME, || {
        if is_parent() {
            spawn_and_wait(&mut Driver::new(), sleeper());
        }
        let Some(mut parent) = Parent::start(NAME) else { return };
        let child = parent.number("child=");
        parent.kill();
        assert_eq!(libc::WTERMSIG(sys::wait(child)), libc::SIGTERM);
    });
}

/// A change of ids clears the request, so the child makes it after the change.
#[test]
fn a_child_with_other_ids_is_signalled_too() {
    const NAME: &str = "a_child_with_other_ids_is_signalled_too";
    isolated(NAME, || {
        if !root_or_skip("a parent death signal after a change of ids") {
            return;
        }
        if is_parent() {
            spawn_and_wait(&mut Driver::new(), sleeper().uid(NOBODY).gid(NOBODY));
        }
        let Some(mut parent) = Parent::start(NAME) else { return };
        let child = parent.number("child=");
        parent.kill();
        assert_eq!(libc::WTERMSIG(sys::wait(child)), libc::SIGTERM);
    });
}

/// A parent that dies before its child has asked for the signal sends none. The child notices that.
#[test]
fn a_parent_that_is_gone_before_the_child_asks_counts() {
    const NAME: &str = "a_parent_that_is_gone_before_the_child_asks_counts";
    isolated(NAME, || {
        if is_parent() {
            let mut driver = Driver::new(); // so that the held child is not its first
            announce_and_wait();
            spawn_and_wait(&mut driver, sleeper());
        }
        let Some(status) = orphan_at_birth(NAME) else { return };
        assert_eq!(libc::WTERMSIG(status), libc::SIGTERM, "before its exec");
    });
}

/// Starts the parent, and kills it before its child has run. Returns the child's wait status.
fn orphan_at_birth(name: &str) -> Option<i32> {
    let mut parent = Parent::start(name)?;
    let thread = parent.number("thread=");
    if let Err(error) = sys::seize(thread) {
        skip("a parent that is gone", &format!("no ptrace: {error}"));
        parent.kill();
        return None;
    }
    parent.go_on();
    let child = sys::child_at_birth(thread);
    parent.process.kill().expect("it is our child");
    assert_eq!(libc::WTERMSIG(sys::wait(thread)), libc::SIGKILL);
    parent.process.wait().expect("it is our child");
    sys::detach(child);
    Some(sys::wait(child))
}

/// A parent in another PID namespace than its children, where it has no number. The signal is KILL,
/// because the first process of a namespace ignores every other signal that it sends to itself.
fn parent_out_of_sight() -> ! {
    let mut driver = Driver::new();
    announce_and_wait();
    sys::new_pid_namespace_for_children().expect("root may");
    spawn_and_wait(&mut driver, command("/bin/sleep").arg("2").parent_death_signal(Signal::KILL))
}

/// Case OL-06.
#[test]
fn a_parent_out_of_sight_that_is_gone_counts_as_well() {
    const NAME: &str = "a_parent_out_of_sight_that_is_gone_counts_as_well";
    isolated(NAME, || {
        if !root_or_skip("a PID namespace") {
            return;
        }
        if is_parent() {
            parent_out_of_sight();
        }
        let Some(status) = orphan_at_birth(NAME) else { return };
        // The first process of a namespace cannot kill itself, so it exits with 128 + SIGKILL.
        assert_eq!((libc::WIFEXITED(status), libc::WEXITSTATUS(status)), (true, 137));
    });
}

/// Case OL-06. The child lives as long as the parent, and is killed with it.
#[test]
fn a_parent_out_of_sight_that_lives_sends_nothing() {
    const NAME: &str = "a_parent_out_of_sight_that_lives_sends_nothing";
    isolated(NAME, || {
        if !root_or_skip("a PID namespace") {
            return;
        }
        if is_parent() {
            parent_out_of_sight();
        }
        let Some(mut parent) = Parent::start(NAME) else { return };
        parent.number("thread=");
        parent.go_on();
        let child = parent.number("child=");
        // When the child has this name, it has already asked for the signal and looked for its
        // parent.
        let clock = Reactor::new().unwrap();
        while std::fs::read_to_string(format!("/proc/{child}/comm")).unwrap() != "sleep\n" {
            assert!(clock.now() < util::WATCHDOG, "it does not come to its program");
            std::thread::yield_now();
        }
        parent.kill();
        assert_eq!(libc::WTERMSIG(sys::wait(child)), libc::SIGKILL);
    });
}

/// Without the request, a child outlives its parent.
#[test]
fn a_child_that_did_not_ask_outlives_its_parent() {
    const NAME: &str = "a_child_that_did_not_ask_outlives_its_parent";
    isolated(NAME, || {
        if is_parent() {
            spawn_and_wait(&mut Driver::new(), sh("exec sleep 0.3"));
        }
        let Some(mut parent) = Parent::start(NAME) else { return };
        let child = parent.number("child=");
        parent.kill();
        let status = sys::wait(child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "status {status:#x}");
    });
}

/// The reactor's thread spawned the child. The end of that thread counts, not the end of the
/// process.
#[test]
fn the_end_of_the_reactors_thread_counts() {
    isolated("the_end_of_the_reactors_thread_counts", || {
        let thread = std::thread::spawn(|| {
            let reactor = Reactor::new().expect("a reactor");
            let process = reactor.spawn_process(SilentProtocol, sleeper()).expect("it starts");
            process.pid().expect("it runs").cast_signed()
        });
        let child = thread.join().unwrap();
        assert_eq!(libc::WTERMSIG(sys::wait(child)), libc::SIGTERM);
    });
}

/// A living parent sends nothing. An unknown signal is an error of the step.
#[test]
fn a_parent_that_lives_sends_nothing() {
    behaviour("a_parent_that_lives_sends_nothing", |driver| {
        assert_eq!(driver.run(sh("exit 3").parent_death_signal(Signal::KILL)).code(), 3);
        let error = driver.fails(sh("exit").parent_death_signal(Signal::from_raw(999)));
        assert_eq!(
            (error.step(), error.raw_os_error()),
            (Step::ParentDeathSignal, Some(libc::EINVAL))
        );
    });
}
