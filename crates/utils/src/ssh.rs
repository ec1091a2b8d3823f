//! [`Ssh`]: another machine, by the system's OpenSSH client.

mod folder;
mod link;
mod links;
mod local;
mod master;
mod seat;
mod shared;
mod texts;
mod words;

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use links::Links;
use procession_process_transport::Command;
pub(crate) use seat::{Seat, Seating};
use texts::Names;
use words::Words;

use crate::{LaunchError, Launcher};

/// Another machine, reached by the system's `ssh` and its configuration.
///
/// A run goes through a shared connection (`ControlMaster` in `ssh_config(5)`) in a private folder. The
/// first run makes the connection; the drop of the last clone closes it, which takes some
/// milliseconds, and up to three seconds if the host does not answer. Four runs share a connection, further ones make more.
///
/// # What runs there
///
/// `/bin/sh` runs a script that sets umask, directory and variables, and then the program, which is
/// searched for in the `PATH` there. The variables are those of a login there, with the changes of the
/// command; a relative directory begins in the user's home. The script leads a session.
///
/// The exit status is the program's; 128 and a number stand for a signal, 126 and 127 for a program or a
/// directory that is not there, as in a shell. The run lasts until the outputs are closed there, also by
/// what the program left in the background. What the login's start-up files print comes before the output
/// of each run.
///
/// The server must allow ten sessions to a connection, as OpenSSH does by default (`MaxSessions` in
/// `sshd_config(5)`); with fewer, runs give `ConnectionLost`.
///
/// A timeout, a cancellation, a drop and the end of this program end the program's group there: it gets
/// TERM, after [`kill_grace`](crate::Run::kill_grace) KILL. If the connection is lost, the host does that
/// by itself. Keep-alives on both sides find out, within six times [`keep_alive`](Self::keep_alive). A
/// program that is stopped (Ctrl-Z) sends none, so its runs end there after that time.
///
/// `ssh` never asks for anything (`BatchMode`): keys and host keys must be known. If there is no
/// connection, the error is [`OutputError::Unreachable`](crate::OutputError::Unreachable). If it is lost
/// during a run, it is [`OutputError::ConnectionLost`](crate::OutputError::ConnectionLost), and the
/// program may have run.
///
/// # Examples
///
/// ```no_run
/// // Not run: it needs a host.
/// use procession::{Run, Ssh};
///
/// let ssh = Ssh::new("build@example.org");
/// let uname = Run::new("uname").arg("-r").on(&ssh).check().output_blocking()?;
/// println!("{}", uname.stdout_utf8()?.trim());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "a host does nothing until a run goes there"]
pub struct Ssh {
    words: Words,
    pub(crate) slots: usize,
    links: Arc<Links>,
}

impl Ssh {
    /// Creates a host by the name that `ssh` takes: `user@host`, a name of `~/.ssh/config`, or a URL
    /// `ssh://user@host:port`.
    pub fn new(host: impl Into<String>) -> Self {
        let words = Words {
            program: "ssh".into(),
            args: Vec::new(),
            host: host.into(),
            keep_alive: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(30),
        };
        Self { words, slots: 1, links: Arc::default() }
    }

    /// Sets how many runs of a [`run_all`](crate::run_all()) go there at a time. The default, and the
    /// least, is 1.
    pub fn slots(mut self, slots: usize) -> Self {
        self.slots = slots.max(1);
        self
    }

    /// Adds an option, as in `ssh_config(5)`: `Port=2222`. It takes precedence over the user's files.
    ///
    /// Options of this library come first: those of the shared connection, of keep-alives, of logging and
    /// of forwarding.
    pub fn option(self, option: impl AsRef<OsStr>) -> Self {
        self.change(|words| words.args.extend(["-o".into(), option.as_ref().to_owned()]))
    }

    /// Sets the configuration file, which replaces those of the user and of the system; `none` is none.
    pub fn config_file(self, path: impl AsRef<Path>) -> Self {
        self.change(|words| words.args.extend(["-F".into(), path.as_ref().as_os_str().to_owned()]))
    }

    /// Sets the program, which otherwise is `ssh`.
    pub fn program(self, program: impl AsRef<OsStr>) -> Self {
        self.change(|words| program.as_ref().clone_into(&mut words.program))
    }

    /// Sets how long it may take until a connection is ready: the network, the keys, and the login's
    /// start-up files. The default is 30 seconds. The timeout of a run begins afterwards.
    ///
    /// Of these, `ssh` has ten seconds for the network, unless its configuration has a `ConnectTimeout`.
    pub fn connect_timeout(self, within: Duration) -> Self {
        self.change(|words| words.connect_timeout = within)
    }

    /// Sets the time between keep-alives, in whole seconds, from one to a day. The default is five seconds.
    ///
    /// This side notices a dead link after three of them, the other side after three to six.
    pub fn keep_alive(self, interval: Duration) -> Self {
        self.change(|words| words.keep_alive = interval)
    }

    /// A change makes another host, with connections of its own.
    fn change(mut self, change: impl FnOnce(&mut Words)) -> Self {
        change(&mut self.words);
        self.links = Arc::default();
        self
    }

    /// Returns a local command of a connection that does not exist.
    fn launch_nowhere(&self, command: &Command) -> Result<Command, LaunchError> {
        // The names are as long as those of a connection, so what is refused is the same.
        let nonce = format!("procession-{:032x}", 0);
        let names = Names { socket: "/tmp/socket".to_owned(), nonce };
        Ok(local::launch(&self.words, command, &names, 1)?.local)
    }

    /// Refuses what cannot be carried.
    pub(crate) fn check(&self, command: &Command) -> Result<(), LaunchError> {
        self.launch_nowhere(command).map(drop)
    }

    /// Makes room for a run, and returns it when its connection is there.
    pub(crate) fn seat(&self) -> Seating {
        self.links.seat(&self.words)
    }
}

/// Gives a local command of a connection that does not exist: a [`Run`](crate::Run) makes the connection
/// first.
///
/// The command is `/bin/sh` with a script that runs `ssh`. Its descriptor 3 says if there is no status of
/// the program: `unstarted`, or `lost` if the program may have started.
impl Launcher for Ssh {
    fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
        self.launch_nowhere(command)
    }

    fn name(&self) -> Cow<'_, str> {
        Cow::Borrowed(&self.words.host)
    }
}

impl fmt::Debug for Ssh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ssh")
            .field("host", &self.words.host)
            .field("slots", &self.slots)
            .finish_non_exhaustive()
    }
}
