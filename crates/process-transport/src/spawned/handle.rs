//! What a [`Spawned`] has of its child, from the confirmed exec on.

use super::owned_child::OwnedChild;
use crate::command::Command;
use crate::error::SpawnError;
use crate::launch::{self, Launched, ParentEnd, Policy, Terminal};
use crate::program_end::AtProgramEnd;
use procession_protocol::{ChildFd, ExitReason};
use std::time::Instant;

/// A child that runs, for programs without a loop, and for other threads than the loop's.
///
/// Made by [`Command::spawn`]. It can be sent to another thread, and given to a reactor there.
/// [`Command::kill_on_drop`] kills it when this is dropped, with its group where it is
/// [owned](Command::owned). Else the child runs on; later spawns, waits and reactors of this process
/// reap it, and until then it may be a zombie.
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
pub struct Spawned {
    pub(crate) child: OwnedChild,
    pub(crate) ends: Vec<ParentEnd>,
    /// The numbers whose ends were taken.
    pub(crate) taken: Vec<ChildFd>,
    pub(crate) terminal: Option<Terminal>,
    pub(crate) policy: Policy,
    pub(crate) parent_peak_kib: i64,
    /// `Some` once it is reaped.
    pub(crate) reason: Option<ExitReason>,
    /// When it was: `drain_after_exit` counts from here, whoever waits.
    pub(crate) reaped: Option<Instant>,
}

impl Spawned {
    /// From the checks to the confirmed exec.
    pub(crate) fn start(command: &Command, end: AtProgramEnd) -> Result<Self, SpawnError> {
        let launched = launch::launch(launch::prepare(command, end)?)?;
        let Launched { child, ends, terminal, policy, parent_peak_kib } = launched;
        let child = OwnedChild::new(child, &policy);
        let (taken, reason, reaped) = (Vec::new(), None, None);
        Ok(Self { child, ends, taken, terminal, policy, parent_peak_kib, reason, reaped })
    }
}
