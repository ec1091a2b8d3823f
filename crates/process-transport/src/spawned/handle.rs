//! The state of a [`Spawned`], from the confirmed exec on.

use std::time::Instant;

use procession_protocol::{ChildFd, ExitReason};

use super::owned_child::OwnedChild;
use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::{self, Launched, ParentEnd, Policy, Terminal};
use crate::program_end::AtProgramEnd;

/// A child that runs, for programs without a loop and for threads other than the loop's.
///
/// [`Command::spawn`] makes it. It can be sent to another thread and given to a reactor there. With
/// [`Command::kill_on_drop`] its drop kills the child, and also the group of an
/// [owned](Command::owned) child. Otherwise the child runs on; later spawns, waits and reactors of
/// this process reap it, and until then it may be a zombie.
///
/// # Examples
///
/// ```
/// use procession::Command;
/// use std::fs::File;
/// use std::io::Write;
///
/// let mut child = Command::new("sort").spawn()?;
/// File::from(child.take(0)?).write_all(b"b\na\n")?;
/// assert_eq!(child.output()?.stdout_utf8()?, "a\nb\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use = "dropping it kills a child that is killed on drop"]
pub struct Spawned {
    pub(crate) child: OwnedChild,
    pub(crate) ends: Vec<ParentEnd>,
    /// The numbers whose ends were taken or closed.
    pub(crate) taken: Vec<ChildFd>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) policy: Policy,
    pub(crate) parent_peak_kib: i64,
    /// `Some` once the child is reaped.
    pub(crate) reason: Option<ExitReason>,
    /// When the child was reaped; `drain_after_exit` counts from here in every wait.
    pub(crate) reaped: Option<Instant>,
}

impl Spawned {
    /// Starts a child: from the checks to the confirmed exec.
    pub(crate) fn start(command: &Command, end: AtProgramEnd) -> Result<Self, SpawnError> {
        let launched = launch::launch(launch::prepare(command, end)?)?;
        let Launched { child, ends, terminal, policy, parent_peak_kib } = launched;
        let child = OwnedChild::new(child, &policy);
        let (taken, reason, reaped) = (Vec::new(), None, None);
        Ok(Self { child, ends, taken, terminal, policy, parent_peak_kib, reason, reaped })
    }
}
