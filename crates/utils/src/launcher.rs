//! Launchers: values that turn a [`Command`] into the local command that runs it on another machine.

mod error;
pub(crate) mod place;
pub(crate) mod quote;
pub(crate) mod report;
pub(crate) mod script;

use std::borrow::Cow;
use std::fmt;

pub use error::LaunchError;
use procession_process_transport::Command;

/// Turns a [`Command`] into the local command that runs it elsewhere.
///
/// The local command may have a pipe on descriptor 3, to tell of its own failures: a line `unstarted` says
/// that the program has not started and never will, `lost` that it may have. A [`Run`](crate::Run) then
/// gives [`OutputError::ConnectionLost`](crate::OutputError::ConnectionLost), whatever the exit status.
///
/// [`Run::on`](crate::Run::on) and [`run_all`](crate::run_all()) take launchers. [`Ssh`](crate::Ssh) and
/// [`Srun`](crate::Srun) are two; a program may have its own.
///
/// # Examples
///
/// ```
/// use procession::{Command, LaunchError, Launcher, Run};
/// use std::borrow::Cow;
///
/// /// Runs programs in a container.
/// #[derive(Debug, Clone)]
/// struct Exec(String);
///
/// impl Launcher for Exec {
///     fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
///         let docker = Command::new("docker").args(["exec", "-i", &self.0]);
///         Ok(docker.arg(command.get_program()).args(command.get_args()))
///     }
///
///     fn name(&self) -> Cow<'_, str> {
///         self.0.as_str().into()
///     }
/// }
///
/// let run = Run::new("make").arg("-j4").on(&Exec("builder".to_owned()));
/// ```
pub trait Launcher: fmt::Debug + Send + Sync {
    /// Returns the local command that runs `command` there. It starts nothing and asks nobody.
    ///
    /// A [`Run`](crate::Run) gives the command with the descriptors and the options of the run. The local
    /// command leads a session and is ended as that of any run, with
    /// [`kill_grace`](crate::Run::kill_grace): what runs elsewhere must end with it.
    ///
    /// # Errors
    ///
    /// What of the command cannot be carried.
    fn launch(&self, command: &Command) -> Result<Command, LaunchError>;

    /// Returns the name of the place, for messages.
    fn name(&self) -> Cow<'_, str>;
}
