//! A program that owns children, for the tests of how they end with the program. It has one thread,
//! unless its mode says otherwise, and no test harness.
//!
//! `procession-owner [SETTING]... MODE grace=MILLISECONDS [SETTING]...`. The settings before the
//! mode apply before the first child starts: `ignore=N`, `handler=N`, `watch=N` and others. The
//! later ones apply after it has started. A child's standard output is the program's, so a reader
//! of it sees the end of file when no process of the group lives. `PROCESSION_TEST_OWNER` sets how
//! children are started: `path` or `path,without_pidfd`.

mod exits;
mod soon;
mod sys;

use std::convert::Infallible;
use std::env;
use std::future::pending;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{
    Command, Fd, SpawnProcess, Spawned, end_children_with_program, end_owned_groups,
};
use procession_protocol::{ExitReason, Process, ProcessProtocol, SpawnPath};
use procession_reactor::{Reactor, SignalWatch, Stopped};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The leader and a member of its group ignore the four signals. Both report that they run.
const DEAF: &str = "trap '' TERM HUP INT QUIT; sh -c 'echo member=$$; exec sleep 600' & \
                    echo leader=$$; wait";

/// The leader and the member end by TERM. The member writes a word first.
const POLITE: &str = "(trap 'echo polite; exit' TERM; echo member=up; while :; do sleep 0.01; done) & \
                      trap 'wait; exit' TERM; echo leader=$$; wait; wait";

/// The leader ends at once. Its member ignores the four signals, inherits all descriptors, and
/// answers to USR1.
const LEFT: &str = "trap '' TERM HUP INT QUIT; \
                    sh -c 'trap \"echo still there\" USR1; echo member=$$; \
                    while :; do sleep 0.01; done' & echo leader=$$";

/// The leader ends by TERM at once. The process that it waited for needs a moment after TERM, and
/// then writes a word.
const TRAPPER: &str = "echo leader=$$; sh -c 'trap \"sleep 0.3; echo clean; exit\" TERM; echo member=$$; \
                       while :; do sleep 0.01; done'; true";

/// Like `DEAF`, but the member has so much memory that the kernel needs a while to end it.
const HEAVY: &str = "trap '' TERM HUP INT QUIT; \"$HEAVY_MEMBER\" be_heavy & echo leader=$$; wait";

/// The memory of the heavy member, in bytes.
const HEAVY_BYTES: usize = 256 << 20;

struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

/// Reports that the child has exited, and that it has ended.
struct ReportingProtocol;
impl ProcessProtocol for ReportingProtocol {
    fn process_exited(&mut self, _: &Process, _: ExitReason) {
        say("exited");
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        say("ended");
    }
}

fn child(script: &str) -> Command {
    let fds = [(0, Fd::null()), (1, Fd::inherit(io::stdout())), (2, Fd::inherit(io::stderr()))];
    let command = Command::new("/bin/sh").args(["-c", script]).child_fds(fds).owned(true);
    let how = env::var("PROCESSION_TEST_OWNER").unwrap_or_default();
    let command = match how.split(',').next() {
        Some("shared-files") => command.spawn_path(SpawnPath::SharedFiles),
        Some("shared-memory") => command.spawn_path(SpawnPath::SharedMemory),
        Some("fork") => command.spawn_path(SpawnPath::Fork),
        _ => command,
    };
    if how.ends_with("without_pidfd") { command.without_pidfd() } else { command }
}

fn say(word: &str) {
    let line = format!("{word}\n");
    rustix::io::write(rustix::stdio::stdout(), line.as_bytes()).expect("somebody reads");
}

/// Keeps much memory, in small pages, until it is killed.
fn be_heavy() -> ! {
    sys::without_huge_pages();
    let memory = vec![1_u8; HEAVY_BYTES];
    say(&format!("member={}", std::process::id()));
    loop {
        std::hint::black_box(&memory);
        sys::pause();
    }
}

fn main() -> Result<ExitCode> {
    if env::args().nth(1).is_some_and(|word| word == "be_heavy") {
        be_heavy(); // the member stays deaf
    }
    sys::default_signals();
    let mut words = env::args().skip(1).peekable();
    let mut settings = Settings::default();
    while let Some(word) = words.next_if(|word| word.contains('=')) {
        settings.push(&word);
    }
    let mode = words.next().ok_or("no mode")?;
    if mode == "storm" {
        return storm();
    }
    if mode == "exit_in_storm" {
        exits::end_in_a_storm();
    }
    match mode.as_str() {
        "storm_soon" => return soon::storm(),
        "exit_in_storm_soon" => return soon::end_in_a_storm(),
        _ => {}
    }
    let script = match mode.as_str() {
        mode if mode.ends_with("left") => LEFT,
        mode if mode.ends_with("trapper") => TRAPPER,
        mode if mode.ends_with("heavy") => HEAVY,
        _ => DEAF,
    };
    let deaf = child(script).kill_grace(Duration::from_millis(grace(&mut words)?));
    let deaf = deaf.env("HEAVY_MEMBER", env::current_exe()?);
    let deaf = if mode.ends_with("held_left") { deaf.child_fd(3, Fd::from_child()) } else { deaf };
    let later: Vec<String> = words.collect();
    match mode.as_str() {
        "spawn" | "bare" | "spawn_held_left" | "spawn_trapper" | "spawn_heavy" => {
            without_loop(&mode, &settings, &deaf, &later)
        }
        mode if exits::MODES.contains(&mode) => exits::end(mode, deaf),
        mode => with_loop(mode, &settings, deaf, &later),
    }
}

/// Parses `grace=MILLISECONDS`, the grace of the deaf child.
fn grace(words: &mut impl Iterator<Item = String>) -> Result<u64> {
    let word = words.next().ok_or("no grace")?;
    Ok(word.strip_prefix("grace=").ok_or("a grace comes after the mode")?.parse()?)
}

/// The settings that apply before the first child, or after it.
#[derive(Default)]
struct Settings {
    signals: Vec<(String, i32)>,
}

impl Settings {
    fn push(&mut self, word: &str) {
        let (what, number) = word.split_once('=').expect("a word with a number");
        self.signals.push((what.to_owned(), number.parse().expect("a number")));
    }

    fn of(words: &[String]) -> Self {
        let mut settings = Self::default();
        words.iter().for_each(|word| settings.push(word));
        settings
    }

    fn apply(&self, reactor: Option<&Reactor>) -> Result<Vec<SignalWatch>> {
        let mut watches = Vec::new();
        for (what, signal) in &self.signals {
            match what.as_str() {
                "ignore" => sys::ignore(*signal),
                "handler" => sys::exit_with_7_at(*signal),
                "ends" => sys::end_groups_and_exit_at(*signal),
                "chain" => sys::count_and_chain_at(*signal),
                "watch" | "unwatched" => {
                    let reactor = reactor.ok_or("a watch without a reactor")?;
                    let watch = reactor.on_signal(Signal::from_raw(*signal), |_| say("seen"))?;
                    // A dropped watch leaves the signal to the emulation of its default action.
                    watches.extend(Some(watch).filter(|_| what == "watch"));
                }
                "call" => {}
                other => return Err(format!("no setting {other}").into()),
            }
        }
        Ok(watches)
    }
}

fn with_loop(mode: &str, before: &Settings, deaf: Command, later: &[String]) -> Result<ExitCode> {
    let mut reactor = Reactor::new()?;
    if mode == "without_signals" {
        reactor = reactor.without_signals();
    }
    let first = before.apply(Some(&reactor))?;
    let command = match mode {
        "polite" => child(POLITE),
        "live_on" => deaf.kill_on_drop(false),
        "adopt" => {
            reactor.adopt(SilentProtocol, deaf.spawn()?)?;
            child("exit")
        }
        _ => deaf,
    };
    // The program keeps a handle of the child.
    let _process = if mode.ends_with("left") {
        reactor.spawn_process(ReportingProtocol, command)?
    } else {
        reactor.spawn_process(SilentProtocol, command)?
    };
    let second = Settings::of(later).apply(Some(&reactor))?;
    match mode {
        "callback" | "callback_heavy" => {
            reactor.call_soon(|_| {
                say("ready");
                loop {
                    sys::pause();
                }
            });
            reactor.block_on(pending::<Infallible>());
        }
        "run" => {
            reactor.call_soon(|_| say("ready"));
            let stopped = reactor.run()?;
            say(&format!("{stopped:?}"));
            assert_ne!(stopped, Stopped::Called);
            say("run has returned");
            loop {
                sys::pause();
            }
        }
        "fork" => {
            say(&format!("copy={}", sys::fork_and_pause()));
            say("ready");
            reactor.block_on(pending::<Infallible>());
        }
        "exit_by_chain" => {
            say("ready");
            while sys::chained() == 0 {
                sys::pause();
            }
            say("graceful");
        }
        _ => {
            say("ready");
            reactor.block_on(pending::<Infallible>());
        }
    }
    drop((first, second));
    Ok(ExitCode::from(3))
}

fn without_loop(
    mode: &str,
    before: &Settings,
    deaf: &Command,
    later: &[String],
) -> Result<ExitCode> {
    if mode != "bare" {
        end_children_with_program();
    }
    let _none = before.apply(None)?;
    let mut spawned = deaf.spawn()?;
    if mode == "spawn_held_left" {
        while spawned.try_wait()?.is_none() {
            sys::pause();
        }
        assert_eq!(spawned.wait_timeout(Duration::from_millis(50))?, None, "it is held");
        say("exited");
    }
    let _none = Settings::of(later).apply(None)?;
    say("ready");
    if later.iter().any(|word| word.starts_with("call")) {
        end_owned_groups();
        drop(spawned); // the reap does not wait for an act that is over
        assert!(deaf.spawn().is_err(), "nothing starts any more");
        return Ok(ExitCode::from(5));
    }
    loop {
        sys::pause();
    }
}

/// Starts and reaps owned children all the time, on two threads, and writes a dot for each.
fn storm() -> Result<ExitCode> {
    end_children_with_program();
    std::thread::spawn(|| {
        loop {
            let script = "trap '' TERM; sleep 600 & wait";
            let mut deaf = start(&child(script).kill_grace(Duration::from_millis(5)));
            let mut polite = start(&child("sleep 600 & sleep 600"));
            dot();
            for one in [&mut deaf, &mut polite] {
                one.terminate(Signal::KILL, Duration::ZERO).expect("it is ours");
            }
        }
    });
    let mut reactor = Reactor::new()?;
    loop {
        let polite = child("sleep 600 & sleep 600");
        let mut running = reactor.block_on(async {
            let handle = procession_reactor::Handle::current();
            handle.spawn_child(polite)
        })?;
        dot();
        running.process().signal_group(Signal::KILL)?;
        // KILL ends it.
        reactor.block_on(running.ended()).expect_err("it was killed");
    }
}

fn start(command: &Command) -> Spawned {
    command.spawn().expect("it starts")
}

fn dot() {
    rustix::io::write(rustix::stdio::stdout(), b".").expect("somebody reads");
}
