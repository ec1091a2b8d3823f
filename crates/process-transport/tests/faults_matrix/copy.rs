//! The work of one copy of this process: it has one call refused, starts its child twice, and
//! reports the outcome. From the filter to the end, only the library allocates memory and makes
//! system calls.

use std::fmt::{self, Write};
use std::io;

use procession_core::Signal;
use procession_process_transport::{Command, SpawnError, SpawnProcess, Spawned};
use procession_protocol::{ExitReason, SpawnPath};
use procession_reactor::Reactor;

use crate::filter::{Calls, answer, kill_where};
use crate::matrix::rows::{Action, null};
use crate::matrix::sys::Page;
use crate::matrix::{Cell, Column, Refusal, program};
use crate::util::{Recorder, code, ms, signal, sys};

/// How often each copy starts the child.
pub(crate) const ROUNDS: usize = 2;

/// A message that needs no allocation.
struct FixedText {
    bytes: [u8; 200],
    length: usize,
}

impl FixedText {
    fn of(arguments: fmt::Arguments<'_>) -> Self {
        let mut text = Self { bytes: [0; 200], length: 0 };
        text.write_fmt(arguments).ok(); // a message that is too long is cut
        text
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or("?")
    }
}

impl Write for FixedText {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        let room = &mut self.bytes[self.length..];
        let count = more.len().min(room.len());
        room[..count].copy_from_slice(&more.as_bytes()[..count]);
        self.length += count;
        Ok(())
    }
}

/// Formats an error number as its name.
struct Errno(Option<i32>);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            Some(libc::EPERM) => "EPERM",
            Some(libc::ENOSYS) => "ENOSYS",
            Some(libc::ENOENT) => "ENOENT",
            Some(libc::EBADF) => "EBADF",
            Some(libc::EAGAIN) => "EAGAIN",
            Some(libc::ENOMEM) => "ENOMEM",
            Some(libc::EINVAL) => "EINVAL",
            Some(number) => return write!(f, "error {number}"),
            None => "no number",
        };
        f.write_str(name)
    }
}

fn failed(error: &SpawnError) -> FixedText {
    FixedText::of(format_args!("failed {:?} {}", error.step(), Errno(error.raw_os_error())))
}

fn refused(what: &str, error: &io::Error) -> FixedText {
    FixedText::of(format_args!("ended {what} {}", Errno(error.raw_os_error())))
}

fn ran(path: Option<SpawnPath>) -> &'static str {
    match path {
        Some(SpawnPath::SharedFiles) => "ran files",
        Some(SpawnPath::SharedMemory) => "ran memory",
        Some(SpawnPath::Fork) => "ran fork",
        _ => "ran somehow",
    }
}

fn end(reason: &ExitReason) -> FixedText {
    match signal(reason) {
        Some(libc::SIGTERM) => FixedText::of(format_args!("ended well")),
        Some(libc::SIGSYS) => FixedText::of(format_args!("ended killed")),
        Some(signal) => FixedText::of(format_args!("ended by signal {signal}")),
        None => match code(reason) {
            Some(code) => FixedText::of(format_args!("ended with {code}")),
            None => FixedText::of(format_args!("ended unknown")),
        },
    }
}

/// Builds the command of a cell.
pub(crate) fn command(cell: &Cell<'_>) -> Command {
    let command = Command::new(cell.program);
    let command = if cell.row.scenario.has_ends { command } else { null(command) };
    on(cell.column, (cell.row.scenario.make)(command))
}

fn on(column: Column, command: Command) -> Command {
    match column {
        Column::Chosen => command,
        Column::Forced(path) => command.spawn_path(path),
        Column::Closure => sys::pre_exec(command, 0),
    }
}

/// The main function of the forked copy. The copy does not end by itself: the watcher kills it.
pub(crate) fn run(cell: &Cell<'_>, page: &Page) -> i32 {
    let command = command(cell);
    let is_loop = cell.row.scenario.act == Action::Loop;
    let mut reactor = None;
    if !cell.is_first {
        let first = on(cell.column, null(Command::new("/bin/true")));
        let reason = first.spawn().expect("it starts").wait().expect("it is our child");
        assert_eq!(code(&reason), Some(0));
        if is_loop {
            reactor = Some(Reactor::new().expect("a reactor"));
        }
    }
    if cell.row.scenario.act == Action::Insist {
        sys::ignore(libc::SIGTERM);
    }
    page.say("ready", 0);
    guard();
    match cell.refusal {
        Refusal::None => {}
        Refusal::Answer(errno) => answer(cell.row.number, cell.row.calls, errno),
        Refusal::Death => kill_where(cell.row.number, cell.row.calls),
    }
    for _ in 0..ROUNDS {
        match cell.row.scenario.act {
            Action::Loop => on_loop(reactor.as_mut(), &command, page),
            Action::OnThread => {
                let text = std::thread::scope(|scope| {
                    let one = scope.spawn(|| alone(cell, &command, page));
                    one.join().expect("it does not panic")
                });
                page.say(text.as_str(), 0);
            }
            _ => page.say(alone(cell, &command, page).as_str(), 0),
        }
    }
    page.say("done", 0);
    0
}

/// Kills this copy if the library signals a number that a refused call returned. No child has such a
/// number.
fn guard() {
    for value in [0, -libc::EPERM, -libc::ENOSYS] {
        kill_where(libc::SYS_kill, Calls::Is { index: 0, value: value.cast_unsigned() });
    }
}

fn alone(cell: &Cell<'_>, command: &Command, page: &Page) -> FixedText {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return failed(&error),
    };
    page.say(ran(Some(child.spawned_by())), child.pid());
    let text = match cell.row.scenario.act {
        Action::Signal => match child.signal(Signal::TERM) {
            Ok(()) => waited(&mut child),
            Err(error) => FixedText::of(format_args!("ended signal {}", Errno(number(&error)))),
        },
        Action::Timeout => match child.wait_timeout(ms(20)) {
            Ok(Some(reason)) => end(&reason),
            Ok(None) => match child.signal(Signal::TERM) {
                Ok(()) => waited(&mut child),
                Err(error) => FixedText::of(format_args!("ended signal {}", Errno(number(&error)))),
            },
            Err(error) => refused("wait", &error),
        },
        Action::Output => {
            return match child.output() {
                Ok(output) if output.stdout() != program::WRITES => {
                    FixedText::of(format_args!("ended with output lost"))
                }
                Ok(output) => end(&output.reason),
                Err(error) => refused("output", &error),
            };
        }
        Action::Terminate | Action::Insist => match child.terminate(Signal::TERM, ms(20)) {
            Ok(ended) if ended.escalated() && ended.signal() == Some(Signal::KILL) => {
                FixedText::of(format_args!("ended well"))
            }
            Ok(ended) if !ended.is_gone() => {
                FixedText::of(format_args!("ended not known to be gone"))
            }
            Ok(ended) => end(ended.reason()),
            Err(error) => FixedText::of(format_args!("ended terminate {}", Errno(number(&error)))),
        },
        _ => waited(&mut child),
    };
    drop(child);
    text
}

fn number(error: &procession_protocol::SignalError) -> Option<i32> {
    match error {
        procession_protocol::SignalError::Os(error) => error.raw_os_error(),
        _ => None,
    }
}

fn waited(child: &mut Spawned) -> FixedText {
    match child.wait() {
        Ok(reason) => end(&reason),
        Err(error) => refused("wait", &error),
    }
}

fn on_loop(reactor: Option<&mut Reactor>, command: &Command, page: &Page) {
    let mut own = None;
    let reactor = match reactor {
        Some(reactor) => reactor,
        None => match Reactor::new() {
            Ok(made) => own.insert(made),
            Err(error) => {
                let text =
                    FixedText::of(format_args!("failed Reactor {}", Errno(error.raw_os_error())));
                return page.say(text.as_str(), 0);
            }
        },
    };
    let (recorder, record) = Recorder::new();
    let process = match reactor.spawn_process(recorder, command.clone()) {
        Ok(process) => process,
        Err(error) => {
            drop(own);
            return page.say(failed(&error).as_str(), 0);
        }
    };
    process.write("x");
    page.say(ran(process.spawned_by()), process.pid().unwrap_or(0));
    let text = loop {
        if let Some(reason) = record.ended() {
            break end(&reason);
        }
        if let Err(error) = reactor.turn(Some(ms(1_000))) {
            break refused("turn", &error);
        }
    };
    drop((process, record, own));
    page.say(text.as_str(), 0);
}
