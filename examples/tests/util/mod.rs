//! Runs an example as a user would: as a separate program, until it ends or a deadline passes.
#![allow(dead_code, unused_imports, reason = "every test has all of this and uses its own part")]

mod server;
mod terminal;

use std::cell::Cell;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Once;
use std::time::Duration;

use procession::ProcessTerminated;
use procession::prelude::*;
pub(crate) use procession_test_support::{bound, skip};

pub(crate) use self::server::{Server, client, runs, script, until};
pub(crate) use self::terminal::OnTerminal;

/// How long an example may take before the test fails.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

const SAMPLES_APART: Duration = Duration::from_millis(5);

/// The outcome of an example.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The exit status. A death by a signal fails the test.
    pub(crate) status: i32,
    /// All of its standard output.
    pub(crate) stdout: String,
    /// All of its standard error.
    pub(crate) stderr: String,
    /// The most memory that it held, as the kernel reported some milliseconds before its end.
    pub(crate) peak_rss_bytes: u64,
}

/// Returns the path of an example, which lies beside the test binary.
///
/// Plain `cargo test` builds both. With a filter, including `--examples`, cargo builds only the
/// tests, so this builds the examples.
pub(crate) fn program(name: &str) -> PathBuf {
    static BUILT: Once = Once::new();
    let test = std::env::current_exe().expect("a test has an executable");
    let profile = test.ancestors().nth(2).expect("it is target/PROFILE/deps/TEST");
    let program = profile.join("examples").join(name);
    let sources = sources(name);
    let changed = |path: &Path| path.metadata().and_then(|data| data.modified()).ok();
    let is_fresh = || sources.iter().all(|source| changed(&program) >= changed(source));
    BUILT.call_once(|| {
        if !is_fresh() {
            build(profile);
        }
    });
    assert!(is_fresh(), "{} is missing or old: run cargo build --examples", program.display());
    program
}

/// Returns the file of an example, or the files of its folder.
fn sources(name: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    match path.read_dir() {
        Ok(files) => files.map(|file| file.expect("it is there").path()).collect(),
        Err(_) => vec![path.with_extension("rs")],
    }
}

/// Builds all examples of this package in the folder of a profile.
fn build(profile: &Path) {
    let name = match profile.file_name().and_then(OsStr::to_str).expect("a profile has a name") {
        "debug" => "dev",
        other => other,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = std::process::Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--examples", "--profile", name])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .env("CARGO_TARGET_DIR", profile.parent().expect("a profile has a target directory"))
        .status();
    assert!(built.expect("cargo can be started").success(), "the examples can be built");
}

/// Returns a command for an example.
pub(crate) fn example(name: &str) -> Command {
    // In a UTF-8 locale `wc` decodes characters, which is five times slower.
    Command::new(program(name)).env("LC_ALL", "C").kill_on_drop(true)
}

/// Runs a command to its end, without input.
pub(crate) fn run(command: Command) -> Ended {
    capture(command.child_fd(0, Fd::null()), None)
}

/// Runs a command to its end, with this input.
pub(crate) fn feed(command: Command, input: impl Into<Bytes>) -> Ended {
    capture(command, Some(input.into()))
}

/// Runs a command on a terminal, types, and returns what the terminal shows at the end.
pub(crate) fn on_terminal(command: Command, typed: impl Into<Bytes>) -> Ended {
    capture(command.pty(Pty::new().size(24, 80)), Some(typed.into()))
}

fn capture(command: Command, input: Option<Bytes>) -> Ended {
    procession_test_support::announce();
    let mut reactor = Reactor::new().expect("the thread has no other reactor");
    let (ended, result) = Deferred::new();
    let capture = Capture {
        stdout: BytesMut::new(),
        stderr: BytesMut::new(),
        peak_rss_bytes: Rc::default(),
        input,
        ended,
    };
    reactor.spawn_process(capture, command).expect("it can be started");
    reactor
        .block_on(result.timeout(bound(DEADLINE)))
        .expect("it ends before the deadline, by itself")
}

struct Capture {
    stdout: BytesMut,
    stderr: BytesMut,
    peak_rss_bytes: Rc<Cell<u64>>,
    input: Option<Bytes>,
    ended: Promise<Ended, ProcessTerminated>,
}

impl Capture {
    fn ended(&self, reason: ExitReason) -> Result<Ended, ProcessTerminated> {
        let status = match reason {
            Ok(_) => 0,
            Err(terminated) => terminated.exit_code().ok_or(terminated)?,
        };
        Ok(Ended {
            status,
            stdout: String::from_utf8_lossy(&self.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            peak_rss_bytes: self.peak_rss_bytes.get(),
        })
    }
}

impl ProcessProtocol for Capture {
    fn connection_made(&mut self, process: &Process) {
        watch_memory(process.clone(), Rc::clone(&self.peak_rss_bytes));
        if let Some(input) = self.input.take() {
            process.write(input);
            process.close_stdin();
        }
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.stdout.extend_from_slice(&data);
    }

    fn err_received(&mut self, _: &Process, data: Bytes) {
        self.stderr.extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.ended.complete(self.ended(reason));
    }
}

/// Polls the high-water mark of a process's memory, which covers all the time before.
///
/// The usage that comes with an exit does not help: its peak starts with that of the program that
/// called exec, and it counts the process's own children.
fn watch_memory(process: Process, peak: Rc<Cell<u64>>) {
    let Some(pid) = process.pid() else { return };
    // A zombie has no memory, and its file lacks this line.
    peak.set(high_water_bytes(pid).unwrap_or(0).max(peak.get()));
    Handle::current().call_later(SAMPLES_APART, move |_| watch_memory(process, peak));
}

/// Returns the most memory that a process has held so far.
pub(crate) fn high_water_bytes(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}
