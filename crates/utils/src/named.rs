//! The helpers with the names that Twisted made known. Each is a [`Run`] with fixed settings.

use bytes::Bytes;
use procession_core::Deferred;
use procession_process_transport::Command;

use crate::{Keep, OutputError, Run, Stdin};

/// Returns the run that the named helpers share. They wait for the last writer of an output, and
/// fail at the limit, because their results cannot say that an output was cut.
fn patient(command: impl Into<Command>) -> Run {
    Run::from(command.into()).drain_after_exit(None).stop_at_limit()
}

/// Runs a program and gives its standard output. Its exit status does not matter.
///
/// The first byte on standard error fails it with
/// [`UnexpectedStderr`](OutputError::UnexpectedStderr). The program is not killed, and the error
/// has both outputs and the end of the process. Standard input is `/dev/null`. More than 64 MiB of
/// output fail it with [`TooLong`](OutputError::TooLong), and a program that cannot be started with
/// [`Spawn`](OutputError::Spawn).
///
/// The `Deferred` completes when the program has ended and its last descendant has closed the
/// output. Dropping or cancelling the `Deferred` terminates the program and its group.
///
/// # Panics
///
/// If the thread has no reactor.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, get_process_output};
///
/// let mut reactor = Reactor::new()?;
/// let output = reactor.block_on(get_process_output(Command::new("echo").arg("hello")));
/// assert_eq!(output.unwrap(), "hello\n");
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// With callbacks, anywhere in a program that runs a reactor:
///
/// ```
/// use procession::{Protocol, Transport, get_process_output};
///
/// # struct FortuneQuoter;
/// impl Protocol for FortuneQuoter {
///     fn connection_made(&mut self, transport: &Transport) {
///         let transport = transport.clone();
///         get_process_output("fortune").done(move |output| {
///             if let Ok(quote) = output { transport.write(quote); }
///             transport.lose_connection();
///         });
///     }
/// }
/// ```
#[doc(alias = "getProcessOutput")]
#[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
#[track_caller]
pub fn get_process_output(command: impl Into<Command>) -> Deferred<Bytes, OutputError> {
    patient(command).fail_on_stderr().start().map(|outcome| outcome.stdout)
}

/// Runs a program and gives what it wrote to standard output and standard error, in the order in
/// which it wrote them.
///
/// Everything else is as in [`get_process_output`].
///
/// # Panics
///
/// If the thread has no reactor.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, get_process_output_merged};
///
/// let mut reactor = Reactor::new()?;
/// let both = Command::new("sh").args(["-c", "echo one; echo two >&2; echo three"]);
/// let output = reactor.block_on(get_process_output_merged(both));
/// assert_eq!(output.unwrap(), "one\ntwo\nthree\n");
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "errortoo")]
#[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
#[track_caller]
pub fn get_process_output_merged(command: impl Into<Command>) -> Deferred<Bytes, OutputError> {
    patient(command).merge_stderr().start().map(|outcome| outcome.stdout)
}

/// Runs a program and gives its exit status. Its output is read and discarded.
///
/// If a signal ends the program, it fails with [`Signalled`](OutputError::Signalled), which names
/// the signal. Standard input is `/dev/null`.
///
/// # Panics
///
/// If the thread has no reactor.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, get_process_value};
///
/// let mut reactor = Reactor::new()?;
/// let value = reactor.block_on(get_process_value(Command::new("sh").args(["-c", "exit 3"])));
/// assert_eq!(value.unwrap(), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "getProcessValue")]
#[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
#[track_caller]
pub fn get_process_value(command: impl Into<Command>) -> Deferred<i32, OutputError> {
    let run = Run::from(command.into()).drain_after_exit(None).keep(Keep::nothing());
    run.check_signal().start().map(|outcome| status(&outcome))
}

/// Runs a program, writes `stdin` to it, and gives its standard output, its standard error and its
/// exit status.
///
/// If a signal ends the program, it fails with [`Signalled`](OutputError::Signalled), which has
/// both outputs. More than 64 MiB of one output fail it with [`TooLong`](OutputError::TooLong). A
/// program need not read all of `stdin`.
///
/// # Panics
///
/// If the thread has no reactor.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, get_process_output_and_value};
///
/// let mut reactor = Reactor::new()?;
/// let sort = get_process_output_and_value(Command::new("sort").arg("-r"), "a\nb\n");
/// let (out, err, code) = reactor.block_on(sort).unwrap();
/// assert_eq!((&out[..], &err[..], code), (&b"b\na\n"[..], &b""[..], 0));
/// # Ok::<(), std::io::Error>(())
/// ```
#[doc(alias = "stdinBytes")]
#[doc(alias = "getProcessOutputAndValue")]
#[must_use = "dropping the result terminates the program: `done` or `detach` lets it run"]
#[track_caller]
pub fn get_process_output_and_value(
    command: impl Into<Command>,
    stdin: impl Into<Stdin>,
) -> Deferred<(Bytes, Bytes, i32), OutputError> {
    patient(command).stdin(stdin).check_signal().start().map(|outcome| {
        let status = status(&outcome);
        (outcome.stdout, outcome.stderr, status)
    })
}

/// Returns the exit status of an outcome that was checked to have one.
fn status(outcome: &crate::Outcome) -> i32 {
    outcome.exit_code().expect("`check_signal` makes an outcome without a status an error")
}
