//! [`StartDialogue`]: the method that this module adds to a reactor's handle.

use std::time::Duration;

use procession_process_transport::{Command, FakeChildren, Fd, SpawnError, SpawnProcess};
use procession_protocol::ChildFd;
use procession_reactor::Handle;

use super::session::Session;
use super::talk::Dialogue;
use crate::message::quoted;
use crate::run::prepared::with_safe_ends;

/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// The text for a program whose terminal is no screen: it prints no control sequences.
const DUMB: &str = "dumb";

/// A method of [`Handle`], and so of `Reactor`, that starts a [`Dialogue`].
///
/// This trait is sealed: only this crate implements it. Code that is tested without children takes an
/// `impl StartDialogue`: a `Handle`, a [`FakeChildren`], or a reference to one of them.
pub trait StartDialogue: SealedStartDialogue {
    /// Starts a program to talk to.
    ///
    /// With a [terminal](Command::pty) the dialogue has its input and its output; without one it has
    /// descriptor 0, and 1 and 2 through one pipe: their order is kept, and a wait finds what the program
    /// writes to its standard error as well. A descriptor of these that the command gives to something else
    /// is left alone.
    ///
    /// The program leads a session and a process group of its own, as that of a [`Run`](crate::Run) does. The
    /// drop of the dialogue ends the group: TERM, and KILL after two seconds. On a terminal `TERM` is
    /// `dumb`, unless the command sets it: a dialogue is no screen, and control sequences would stand
    /// between the texts that it waits for.
    ///
    /// # Errors
    ///
    /// The program cannot be started.
    ///
    /// # Panics
    ///
    /// Of a [`FakeChildren`]: if the thread has no reactor ([`Handle::current`]), whose clock its waits need.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Handle, Pattern, Pty, Reactor, StartDialogue};
    /// use std::time::Duration;
    ///
    /// let mut reactor = Reactor::new()?;
    /// let greeting = reactor.block_on(async {
    ///     let script = r#"printf "name: "; read name; echo "hello $name""#;
    ///     let command = Command::new("sh").args(["-c", script]).pty(Pty::new());
    ///     let mut sh = Handle::current().dialogue(command)?;
    ///     sh.expect("name: ").within(Duration::from_secs(5)).await?;
    ///     sh.send_line("world").await?;
    ///     sh.expect("hello ").await?;
    ///     let name = sh.expect(Pattern::next_line()).await?;
    ///     sh.ended().await?;
    ///     assert_eq!(sh.transcript(), "name: world\nhello world\n");
    ///     Ok::<_, Box<dyn std::error::Error>>(name)
    /// })?;
    /// assert_eq!(greeting.text(), "world");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "expect")]
    #[doc(alias = "pexpect")]
    fn dialogue(&self, command: impl Into<Command>) -> Result<Dialogue, SpawnError>;
}

/// The supertrait of [`StartDialogue`].
#[expect(unnameable_types, reason = "this seals the trait")]
pub trait SealedStartDialogue {}

impl SealedStartDialogue for Handle {}
impl SealedStartDialogue for FakeChildren {}
impl<S: SealedStartDialogue> SealedStartDialogue for &S {}

impl StartDialogue for Handle {
    fn dialogue(&self, command: impl Into<Command>) -> Result<Dialogue, SpawnError> {
        start(self, self, command.into())
    }
}

impl StartDialogue for FakeChildren {
    #[track_caller]
    fn dialogue(&self, command: impl Into<Command>) -> Result<Dialogue, SpawnError> {
        start(&Handle::current(), self, command.into())
    }
}

impl<S: StartDialogue> StartDialogue for &S {
    fn dialogue(&self, command: impl Into<Command>) -> Result<Dialogue, SpawnError> {
        (**self).dialogue(command)
    }
}

fn start(
    reactor: &Handle,
    children: &impl SpawnProcess,
    command: Command,
) -> Result<Dialogue, SpawnError> {
    let line = quoted(&command);
    let command = with_safe_ends(prepared(command), true, GRACE);
    Session::start(reactor, children, line, command).map(Dialogue)
}

fn prepared(command: Command) -> Command {
    if command.get_pty().is_some() {
        let is_set = command.get_envs().any(|(name, _)| name == "TERM");
        return if is_set { command } else { command.env("TERM", DUMB) };
    }
    let outputs = command.output_fds();
    if [ChildFd::STDOUT, ChildFd::STDERR].iter().all(|fd| outputs.contains(fd)) {
        return command.child_fd(ChildFd::STDERR, Fd::same_as(1));
    }
    command
}
