//! When a program is killed, the children of its helpers are killed too, whichever helper and
//! whichever spawn path started them. The exception is children that may outlive it.
//!
//! The test runs the program, which is this test binary again with one test, and kills it.
#![cfg(feature = "reactor")]
#![cfg(target_os = "linux")]

mod util;

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command as StdCommand, Stdio};
use std::time::Duration;

use procession_core::{Deferred, Signal};
use procession_process_transport::{Command, Fd};
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;
use procession_test_support::sys;
use procession_utils::{
    Run, get_process_output, get_process_output_and_value, get_process_output_merged,
    get_process_value, run_all,
};
use rustix::process::{Pid, Signal as KernelSignal, kill_process};

use crate::util::{WATCHDOG, bound, isolated, ms, process_state, sh};

/// This variable is set in the process that plays the program.
const ROLE: &str = "PROCESSION_TEST_KILLED_PROGRAM";

fn is_program() -> bool {
    std::env::var_os(ROLE).is_some()
}

/// Returns a long-running child that reports its pid on descriptor 3, the program's standard
/// output.
fn child(word: &str) -> Command {
    sh(&format!("echo {word}=$$ >&3; exec sleep 60")).child_fd(3, Fd::inherit(std::io::stdout()))
}

/// The program's part: starts all children, and runs until it is killed.
fn run_for_good(start: impl FnOnce() -> Vec<Deferred<(), ()>>) -> ! {
    let mut reactor = Reactor::new().expect("a reactor");
    let running = start();
    loop {
        assert!(running.iter().all(|one| one.try_take().is_none()), "they live long");
        reactor.turn(None).expect("a turn");
    }
}

fn forget<T: 'static, E: std::fmt::Debug + 'static>(running: Deferred<T, E>) -> Deferred<(), ()> {
    running.map(drop).map_err(drop)
}

/// The program, as the test that kills it sees it.
struct Program {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Program {
    fn start(name: &str) -> Self {
        let mut process = StdCommand::new(std::env::current_exe().expect("this test binary"))
            .args([name, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs again");
        let output = BufReader::new(process.stdout.take().expect("a pipe"));
        Self { process, output }
    }

    /// Reads reported words and pids until there are `count`.
    fn until_said(&mut self, count: usize) -> Vec<(String, u32)> {
        let mut said = Vec::new();
        while said.len() < count {
            let line = self.line().expect("it has not ended");
            // The harness prints the test's name on the same line, before the first report.
            if let Some((before, number)) = line.trim().rsplit_once('=')
                && let (Some(word), Ok(number)) = (before.rsplit(' ').next(), number.parse())
            {
                said.push((word.to_owned(), number));
            }
        }
        said
    }

    /// Returns a line, or `None` at the end of file, which means that no process holds the other
    /// end.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let bytes = self.output.read_line(&mut line).expect("it is text");
        (bytes > 0).then_some(line)
    }

    fn kill(&mut self) {
        self.process.kill().expect("it is our child");
        self.process.wait().expect("it is our child");
    }
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

/// Case OL-05.
#[test]
fn no_child_of_a_helper_outlives_the_kill_of_its_program_unless_it_is_told_to() {
    const NAME: &str = "no_child_of_a_helper_outlives_the_kill_of_its_program_unless_it_is_told_to";
    isolated(NAME, || {
        if is_program() {
            run_for_good(|| {
                let dies = || child("dies");
                let paths = [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork];
                let on_paths = paths.map(|path| Run::from(dies().spawn_path(path)).start());
                let mut all: Vec<_> = on_paths.into_iter().map(forget).collect();
                all.push(forget(Run::from(dies()).foreground().start()));
                all.push(forget(run_all([dies(), dies()], 2).all()));
                all.push(forget(get_process_output(dies())));
                all.push(forget(get_process_output_merged(dies())));
                all.push(forget(get_process_value(dies())));
                all.push(forget(get_process_output_and_value(dies(), "")));
                all.push(forget(Run::from(child("lives")).outlive_parent().start()));
                all.push(forget(get_process_value(child("lives").outlive_parent())));
                all
            });
        }
        let mut program = Program::start(NAME);
        let said = program.until_said(12);
        let of = |word: &'static str| {
            said.iter().filter(move |(said, _)| said == word).map(|(_, pid)| *pid)
        };
        assert_eq!((of("dies").count(), of("lives").count()), (10, 2));
        program.kill();
        let mut clock = Reactor::new().unwrap();
        let deadline = clock.now() + bound(WATCHDOG);
        while !of("dies").all(is_dead) {
            assert!(clock.now() < deadline, "{said:?}");
            clock.turn(Some(ms(5))).unwrap();
        }
        let alive: Vec<u32> = of("lives").filter(|pid| !is_dead(*pid)).collect();
        for pid in &alive {
            kill_process(Pid::from_raw(pid.cast_signed()).unwrap(), KernelSignal::KILL).unwrap();
        }
        assert_eq!(alive.len(), 2);
    });
}

/// Starts programs with helpers and ends them, without pause, on two threads. Each has a moment to
/// report itself, whatever event of an earlier one ends a turn.
fn storm() -> ! {
    let at_it = || -> ! {
        let mut reactor = Reactor::new().expect("a reactor");
        loop {
            let running = Run::from(child("storm")).start_on(&reactor);
            let end = reactor.now() + bound(ms(2));
            while reactor.now() < end {
                let left = end.saturating_sub(reactor.now());
                reactor.turn(Some(left)).expect("a turn");
            }
            drop(running);
        }
    };
    std::thread::spawn(move || at_it());
    at_it()
}

/// Kills this many programs, each at a random moment in a storm. Returns how long the last child of
/// a program lived after it.
fn kill_in_a_storm(name: &str, programs: u32) -> Duration {
    if is_program() {
        storm();
    }
    let clock = Reactor::new().expect("a reactor, for its clock");
    let mut state = 0x9e37_79b9_u32;
    let mut longest = Duration::ZERO;
    for _ in 0..programs {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let mut program = Program::start(name);
        program.until_said(1 + usize::try_from(state % 12).expect("below twelve"));
        for _ in 0..state % 500 {
            std::hint::spin_loop();
        }
        program.kill();
        let begun = clock.now();
        while program.line().is_some() {}
        longest = longest.max(clock.now() - begun);
    }
    longest
}

/// Case OL-15.
#[test]
fn twenty_programs_killed_at_any_moment_leave_no_direct_child() {
    const NAME: &str = "twenty_programs_killed_at_any_moment_leave_no_direct_child";
    isolated(NAME, || {
        let longest = kill_in_a_storm(NAME, 20);
        assert!(longest < bound(WATCHDOG), "somebody lived for {longest:?}");
    });
}

/// Case OL-15, in the slow tier.
#[test]
fn a_thousand_programs_killed_at_any_moment_leave_no_direct_child() {
    const NAME: &str = "a_thousand_programs_killed_at_any_moment_leave_no_direct_child";
    isolated(NAME, || {
        let is_slow = std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1");
        if is_slow {
            sys::alarm(Duration::from_secs(1800));
        }
        let longest = kill_in_a_storm(NAME, if is_slow { 1000 } else { 1 });
        assert!(longest < bound(WATCHDOG), "somebody lived for {longest:?}");
    });
}

/// Case OL-05. The command's setting takes precedence.
#[test]
fn a_helper_leaves_a_parent_death_signal_as_it_is() {
    const NAME: &str = "a_helper_leaves_a_parent_death_signal_as_it_is";
    isolated(NAME, || {
        if is_program() {
            let script = "trap 'echo told >&3; exit' TERM; echo waits=$$ >&3; \
                          while :; do sleep 0.01; done";
            let fd = Fd::inherit(std::io::stdout());
            let command = sh(script).child_fd(3, fd).parent_death_signal(Signal::TERM);
            run_for_good(|| vec![forget(Run::from(command).start())]);
        }
        let mut program = Program::start(NAME);
        program.until_said(1);
        program.kill();
        let rest: Vec<String> = std::iter::from_fn(|| program.line()).collect();
        assert_eq!(rest, ["told\n"]);
    });
}

/// Case OL-05, for a run that blocks its thread.
#[test]
fn the_child_of_a_blocking_run_does_not_outlive_the_kill_of_its_program() {
    const NAME: &str = "the_child_of_a_blocking_run_does_not_outlive_the_kill_of_its_program";
    isolated(NAME, || {
        if is_program() {
            let lives = || Run::from(child("lives")).outlive_parent().output_blocking();
            let lives = std::thread::spawn(lives);
            Run::from(child("dies")).output_blocking().expect("it lives long");
            lives.join().expect("it lives long").expect("it lives long");
        }
        let mut program = Program::start(NAME);
        let said = program.until_said(2);
        let of = |word: &str| said.iter().find(|(said, _)| said == word).expect("it was said").1;
        program.kill();
        let clock = util::now();
        while !is_dead(of("dies")) {
            assert!(clock.elapsed() < bound(WATCHDOG), "{said:?}");
            std::thread::yield_now();
        }
        let lives = of("lives");
        assert!(!is_dead(lives));
        kill_process(Pid::from_raw(lives.cast_signed()).unwrap(), KernelSignal::KILL).unwrap();
    });
}

/// Case BR-07.
#[test]
fn a_signal_that_ends_a_blocking_program_ends_the_group_of_its_run() {
    const NAME: &str = "a_signal_that_ends_a_blocking_program_ends_the_group_of_its_run";
    isolated(NAME, || {
        if is_program() {
            let script = "sleep 60 & echo member=$! >&3; echo leader=$$ >&3; wait";
            let group = sh(script).child_fd(3, Fd::inherit(std::io::stdout()));
            Run::from(group).output_blocking().expect("it lives long");
        }
        let mut program = Program::start(NAME);
        let said = program.until_said(2);
        let pid = Pid::from_raw(program.process.id().cast_signed()).unwrap();
        kill_process(pid, KernelSignal::TERM).unwrap();
        let status = program.process.wait().unwrap();
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        assert!(said.iter().all(|(_, pid)| is_dead(*pid)), "{said:?}");
    });
}
