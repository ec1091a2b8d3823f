//! The four ways to run a child, for tests that hold in each of them: on the reactor, on the reactor
//! with a launch off the loop, by the blocking verbs, and on tokio.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;

use procession_process_transport::driver::LoopCommand;
use procession_process_transport::{Command, Fd, SpawnError};
use procession_protocol::{ChildFd, ExitReason, Process};
use procession_test_support::{Leaks, children, isolated_for_each, open_fds};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};

use super::drive::Driver;
use super::path::{command, forced_path};
use super::recorder::{Event, Record, code, signal};

/// The variable that says which way a process of a test takes.
const WAY: &str = "PROCESSION_TEST_WAY";

/// Runs `body` once for each way, each time in a process of its own, and checks that no descriptor
/// and no child is left.
pub(crate) fn in_every_way(name: &str, body: impl Fn(&mut dyn Way)) {
    isolated_for_each(name, WAY, &["reactor", "soon", "blocking", "tokio"], |way| {
        let _named = Named(way.to_owned());
        match way {
            "reactor" => reactor(&body),
            "soon" => soon(&body),
            "blocking" => blocking(&body),
            _ => on_tokio(&body),
        }
    });
}

fn reactor(body: &dyn Fn(&mut dyn Way)) {
    let mut driver = Driver::new();
    body(&mut driver);
    driver.finish();
}

fn soon(body: &dyn Fn(&mut dyn Way)) {
    let mut way = Soon(Driver::new());
    way.run(command("/bin/true"));
    way.rebase();
    body(&mut way);
    way.0.finish();
}

fn blocking(body: &dyn Fn(&mut dyn Way)) {
    let mut way = Blocking(Leaks::baseline());
    way.run(command("/bin/true"));
    way.rebase();
    body(&mut way);
    way.0.assert_none();
}

fn on_tokio(body: &dyn Fn(&mut dyn Way)) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut way = Tokio { leaks: Leaks::baseline(), runtime };
    way.run(command("/bin/true"));
    way.rebase();
    body(&mut way);
    way.leaks.assert_none();
}

/// Says in which way a test has failed.
struct Named(String);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the way that failed: {}", self.0);
        }
    }
}

/// A way to run children.
pub(crate) trait Way {
    /// Runs a child to its end. Writes each text to its descriptor, and closes that descriptor.
    fn feed(&mut self, command: Command, inputs: &[(i32, &'static str)]) -> Ended;

    /// Starts a child that must not start, and drops it if it does.
    fn try_spawn(&mut self, command: Command) -> Result<(), SpawnError>;

    /// Takes the baseline of open descriptors again, for a test that opened some itself.
    fn rebase(&mut self);

    /// Runs a child to its end, without input.
    fn run(&mut self, command: Command) -> Ended {
        self.feed(command, &[])
    }

    /// Spawns a command that must fail, and checks that it leaves no child and no descriptor.
    fn fails(&mut self, command: Command) -> SpawnError {
        let shown = format!("{command:?}");
        let before = open_fds();
        // Only pids are compared: states may change meanwhile, and a zombie is still a child.
        let pids = || children().into_iter().map(|(pid, ..)| pid).collect::<Vec<_>>();
        let alive = pids();
        let Err(error) = self.try_spawn(command) else { panic!("{shown} started") };
        assert_eq!(pids(), alive, "a failed spawn leaves no child: {shown}");
        // Descriptors that the command held are closed with it; none may be opened.
        let left: Vec<_> =
            open_fds().into_iter().filter(|(fd, link)| before.get(fd) != Some(link)).collect();
        assert_eq!(left, [], "a failed spawn leaves no descriptor: {shown}");
        error
    }
}

/// What a child wrote, and how it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    outputs: BTreeMap<i32, Vec<u8>>,
    /// The numbers of which the parent had an end.
    ends: Vec<i32>,
    reason: ExitReason,
}

impl Ended {
    /// Returns what the child wrote to `fd`.
    pub(crate) fn data(&self, fd: i32) -> Vec<u8> {
        self.outputs.get(&fd).cloned().unwrap_or_default()
    }

    /// Returns what the child wrote to `fd`, as text.
    pub(crate) fn text(&self, fd: i32) -> String {
        String::from_utf8_lossy(&self.data(fd)).into_owned()
    }

    /// Returns the numbers of which the parent had an end; each end was lost.
    pub(crate) fn lost(&self) -> Vec<i32> {
        self.ends.clone()
    }

    /// Returns the exit code, and fails if a signal ended the child.
    pub(crate) fn code(&self) -> i32 {
        code(&self.reason).unwrap_or_else(|| panic!("no exit code: {self:?}"))
    }

    /// Returns the signal that ended the child, and fails if it exited.
    pub(crate) fn signal(&self) -> i32 {
        signal(&self.reason).unwrap_or_else(|| panic!("no signal: {self:?}"))
    }
}

/// The numbers that the parent reads or writes. A terminal has one end, on 1.
fn ends_of(command: &Command) -> Vec<i32> {
    let is_terminal = command.has_terminal();
    let all = command.input_fds().into_iter().chain(command.output_fds());
    let mut ends: Vec<i32> =
        all.map(ChildFd::as_raw).filter(|fd| !is_terminal || *fd != 0).collect();
    ends.sort_unstable();
    ends.dedup();
    ends
}

fn check_path(spawned_by: procession_protocol::SpawnPath) {
    if let Some(forced) = forced_path() {
        assert_eq!(spawned_by, forced, "no silent way round the forced path");
    }
}

/// Returns a hook that writes each text to its descriptor, and closes that.
fn feeding(inputs: &[(i32, &'static str)]) -> impl FnMut(&Process, &Event) + 'static {
    let inputs = inputs.to_vec();
    move |process, event| {
        if *event == Event::Made {
            for (fd, text) in &inputs {
                process.write_to_child(*fd, *text).expect("it is an input");
                process.close_child_fd(*fd);
            }
        }
    }
}

fn recorded(outputs: Vec<ChildFd>, record: &Record) -> Ended {
    Ended {
        outputs: outputs.iter().map(|fd| (fd.as_raw(), record.data(fd.as_raw()))).collect(),
        ends: record.lost(),
        reason: record.ended().expect("it has ended"),
    }
}

/// The reactor, with launches off the loop.
struct Soon(Driver);

impl Way for Soon {
    fn feed(&mut self, command: Command, inputs: &[(i32, &'static str)]) -> Ended {
        let (shown, outputs) = (format!("{command:?}"), command.output_fds());
        let child = self.0.try_spawn_soon(command, feeding(inputs));
        let child = child.unwrap_or_else(|error| panic!("{shown}: {error}"));
        self.0.drive_to_end(&child.record);
        recorded(outputs, &child.record)
    }

    fn try_spawn(&mut self, command: Command) -> Result<(), SpawnError> {
        self.0.try_spawn_soon(command, |_, _| ()).map(drop)
    }

    fn rebase(&mut self) {
        self.0.rebase();
    }
}

impl Way for Driver {
    fn feed(&mut self, command: Command, inputs: &[(i32, &'static str)]) -> Ended {
        let outputs = command.output_fds();
        let record = self.run_with(command, feeding(inputs));
        recorded(outputs, &record)
    }

    fn try_spawn(&mut self, command: Command) -> Result<(), SpawnError> {
        self.try_spawn_with(command, |_, _| ()).map(drop)
    }

    fn rebase(&mut self) {
        Self::rebase(self);
    }
}

/// The verbs of a `Spawned`.
struct Blocking(Leaks);

impl Way for Blocking {
    fn feed(&mut self, command: Command, inputs: &[(i32, &'static str)]) -> Ended {
        let shown = format!("{command:?}");
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
        check_path(child.spawned_by());
        for (fd, text) in inputs {
            let mut input = File::from(child.take(*fd).expect("it is an input"));
            input.write_all(text.as_bytes()).expect("it is read");
        }
        let output = child.output().expect("it can be read");
        let bytes = |fd: ChildFd| (fd.as_raw(), output.bytes(fd).to_vec());
        Ended {
            outputs: command.output_fds().into_iter().map(bytes).collect(),
            ends: ends_of(&command),
            reason: output.reason,
        }
    }

    fn try_spawn(&mut self, command: Command) -> Result<(), SpawnError> {
        command.spawn().map(drop)
    }

    fn rebase(&mut self) {
        self.0 = Leaks::baseline();
    }
}

/// Tasks of tokio.
struct Tokio {
    leaks: Leaks,
    runtime: Runtime,
}

impl Tokio {
    /// Returns the same command, with pipes where tokio's command would inherit.
    fn command(command: Command) -> procession_tokio::Command {
        let (inputs, outputs) = (command.input_fds(), command.output_fds());
        let is_terminal = command.has_terminal();
        let mut command = procession_tokio::Command::from(command);
        let piped = |fd: &ChildFd| *fd <= ChildFd::STDERR && !is_terminal;
        for fd in inputs.iter().filter(|fd| piped(fd) && !outputs.contains(fd)) {
            command.child_fd(*fd, Fd::to_child());
        }
        for fd in outputs.iter().filter(|fd| piped(fd) && !inputs.contains(fd)) {
            command.child_fd(*fd, Fd::from_child());
        }
        command
    }
}

impl Way for Tokio {
    fn feed(&mut self, command: Command, inputs: &[(i32, &'static str)]) -> Ended {
        let (shown, ends, fds) = (format!("{command:?}"), ends_of(&command), command.output_fds());
        let mut command = Self::command(command);
        self.runtime.block_on(async {
            let mut child = command.spawn().unwrap_or_else(|error| panic!("{shown}: {error}"));
            check_path(child.spawned_by());
            for (fd, text) in inputs {
                let mut input = child.take_writer(*fd).expect("it is an input");
                input.write_all(text.as_bytes()).await.expect("it is read");
            }
            let readers: Vec<_> = fds
                .into_iter()
                .map(|fd| {
                    let mut reader = child.take_reader(fd).expect("it is an output");
                    let read = tokio::spawn(async move {
                        let mut data = Vec::new();
                        reader.read_to_end(&mut data).await.expect("it can be read");
                        data
                    });
                    (fd.as_raw(), read)
                })
                .collect();
            child.wait().await.expect("it can be reaped");
            let mut outputs = BTreeMap::new();
            for (fd, read) in readers {
                outputs.insert(fd, read.await.expect("it does not panic"));
            }
            let reason = child.reason().expect("it is reaped").clone();
            Ended { outputs, ends, reason }
        })
    }

    fn try_spawn(&mut self, command: Command) -> Result<(), SpawnError> {
        Self::command(command).spawn().map(drop)
    }

    fn rebase(&mut self) {
        self.leaks = Leaks::baseline();
    }
}
