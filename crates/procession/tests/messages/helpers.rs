//! Errors of the helpers that run a program to its end.

use std::cell::RefCell;
use std::convert::Infallible;
use std::future::pending;
use std::io::{self, Read};
use std::rc::Rc;
use std::time::Duration;

use procession::{
    Background, Command, Handle, Pty, Reactor, Run, get_process_output, get_process_value, run_all,
};
use procession::{Deferred, Failed};
use procession::{Keep, OutputError, Stdin};
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::{Row, row};

fn sh(script: &str) -> Command {
    Command::new("sh").args(["-c", script])
}

pub(crate) fn rows() -> Vec<Row> {
    let mut reactor = Reactor::new().expect("a reactor");
    let mut row_of = |of, deferred: Deferred<(), OutputError>, expected: &str| {
        row(of, &failed(reactor.block_on(deferred)), expected)
    };
    let mut rows = vec![
        row_of(
            "OutputError::Spawn",
            get_process_output("/no/such").map(drop),
            r#"cannot execute "/no/such": No such file or directory"#,
        ),
        row_of(
            "OutputError::Spawn",
            get_process_output(sh("tty").pty(Pty::new())).map(drop),
            "invalid command: \"pty\": Run and the get_process_… helpers give the program a standard \
             input of their own, and this command has a terminal there: leave it to that with Run and \
             stdin(Stdin::as_in_command())",
        ),
        row_of(
            "OutputError::UnexpectedStderr",
            get_process_output(sh("echo oops >&2")).map(drop),
            "sh -c 'echo oops >&2' wrote to its standard error: oops",
        ),
        row_of(
            "OutputError::TooLong",
            Run::from(sh("echo abc")).keep(Keep::head(2)).stop_at_limit().start().map(drop),
            "sh -c 'echo abc' wrote more than 2 bytes to its standard output",
        ),
        row_of(
            "OutputError::Signalled",
            get_process_value(sh("kill -9 $$")).map(drop),
            "sh -c 'kill -9 $$' ended by signal 9 (SIGKILL) after N s",
        ),
        row_of(
            "OutputError::Failed",
            Run::from(sh("echo oops >&2; exit 3")).check().start().map(drop),
            "sh -c 'echo oops >&2; exit 3' exited with status 3 after N s: oops",
        ),
        row_of(
            "OutputError::TimedOut",
            Run::from(sh("exec sleep 600")).timeout(Duration::from_millis(1)).start().map(drop),
            "sh -c 'exec sleep 600' timed out after N s",
        ),
        row_of(
            "OutputError::Stdin",
            Run::from(sh("cat")).stdin(Stdin::reader(Torn)).start().map(drop),
            "cannot read the standard input for sh -c cat: torn tape",
        ),
        row_of(
            "OutputError::Lost",
            stolen().start().map(drop),
            "sh -c 'echo $$' ended with an unknown status: somebody else waited for it after N s",
        ),
    ];
    let first = run_all([Run::from(sh("exit 3")).check()], 1).all_or_first_error();
    let Err(Failed::Error(first)) = reactor.block_on(first) else { panic!("it exits with 3") };
    rows.push(row("RunAllError", &first, "sh -c 'exit 3' exited with status 3 after N s"));
    rows.push(stopped(&mut reactor));
    rows.extend(background());
    rows
}

fn background() -> [Row; 3] {
    let background = Background::start().expect("a background");
    let panicked = background.call(|_| async { panic!("on purpose") }).wait();
    let panicked = panicked.map(|never: Infallible| never).expect_err("it panics");
    let slow = background.call(|_| pending::<()>());
    let run = background.run(Run::from(sh("exec sleep 600")));
    drop(background);
    let text = "sh -c 'exec sleep 600' gave no outcome: the background loop has stopped";
    [
        row(
            "BackgroundError::Panicked",
            &panicked,
            "it panicked on the background loop: on purpose",
        ),
        row(
            "BackgroundError::Stopped",
            &slow.wait().expect_err("it was stopped"),
            "the background loop has stopped",
        ),
        row("OutputError::Background", &run.wait().expect_err("it was stopped"), text),
    ]
}

fn failed<T>(result: Result<T, Failed<OutputError>>) -> OutputError {
    result.map(drop).expect_err("it fails").error().expect("an error of its own")
}

/// Returns a run whose child somebody else waits for, started without a pidfd, so the kernel does not
/// keep its status.
fn stolen() -> Run {
    let run = Run::from(sh("echo $$").without_pidfd()).check();
    run.for_each_line(|line| {
        let number = str::from_utf8(&line.text).expect("text").parse();
        let pid = number.ok().and_then(Pid::from_raw).expect("its number");
        waitpid(Some(pid), WaitOptions::empty()).expect("it is ours");
    })
}

struct Torn;

impl Read for Torn {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other("torn tape"))
    }
}

fn stopped(reactor: &mut Reactor) -> Row {
    let result = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&result);
    let run = Run::from(sh("echo here; read x; read y")).stdin(Stdin::as_in_command());
    let run = run.for_each_line(|_| Handle::current().stop());
    run.start().done(move |ended| drop(keep.replace(Some(ended))));
    reactor.run().expect("it runs");
    while result.borrow().is_none() {
        reactor.turn(None).expect("a turn");
    }
    let error = failed(result.take().expect("it is there"));
    let text = "the reactor stopped before sh -c 'echo here; read x; read y' ended";
    row("OutputError::Stopped", &error, text)
}
