//! What a program asks for that is the first process of a PID namespace, or a subreaper.

use crate::adopted;
use crate::orphan_watch;
use crate::own_children::Adopts;
use crate::sealed::Sealed;
use procession_core::{Signal, WithCell};
use procession_reactor::{Handle, SignalWatch};
use std::io;

/// Reaping adopted processes, as a method of [`Handle`] and so of `Reactor`.
///
/// A process whose parent has ended is adopted by the nearest subreaper among its ancestors
/// (`PR_SET_CHILD_SUBREAPER`), or else by the first process of its PID namespace. When it ends, it stays
/// a zombie until whoever has adopted it reaps it. A program that is neither never adopts anybody, and
/// needs nothing of this.
///
/// By itself the library reaps only children that it has started, and zombies that a termination meets
/// in its group.
///
/// This trait is sealed: nobody else implements it, so methods may be added.
///
/// # Examples
///
/// ```
/// use procession_process_transport::{Command, ReapOrphans, SpawnProcess};
/// use procession_reactor::{Handle, Reactor};
///
/// let mut reactor = Reactor::new()?;
/// reactor.reap_orphans()?;
/// reactor.block_on(async {
///     // As the first process of a container, this program adopts the second `true`.
///     let sh = Command::new("sh").args(["-c", "true & exit 0"]).owned(true);
///     Handle::current().spawn_child(sh)?.ended().await
/// })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ReapOrphans: Sealed {
    /// Has this process reap the adopted members of groups that children of this library lead, or led.
    ///
    /// These are children that lead a group or a session: with
    /// [`process_group(0)`](crate::Command::process_group), [`new_session`](crate::Command::new_session),
    /// [`owned`](crate::Command::owned), a terminal, and those of the helpers. It counts for those that
    /// run by now, and all that are started later. A member is reaped when it ends, at a SIGCHLD, for as
    /// long as this reactor lives, and at each spawn and wait.
    ///
    /// Nobody else is reaped: no process that has left the group (a daemon), none of a group that
    /// somebody else has made, and no child of this library, whatever its group. A child of another
    /// library is reaped only if that has put it into a group of ours by its number; such a library
    /// loses the child's status.
    ///
    /// # Errors
    ///
    /// SIGCHLD cannot be watched, as for [`Handle::on_signal`].
    fn reap_orphans(&self) -> io::Result<()>;

    /// Has this process reap whatever it adopts, and every other child that this library has not started.
    ///
    /// An adopted process cannot be told from a child that other code of this program has started: by
    /// `std::process`, by another library, by `fork`. **Such children are reaped too, and whoever waits
    /// for them gets an error (`ECHILD`) in place of the status.** It is for a program that starts all
    /// its children with this library, as the init of a container does. Children of this library keep
    /// their statuses.
    ///
    /// It cannot be taken back, and includes what [`reap_orphans`](Self::reap_orphans) does.
    ///
    /// # Errors
    ///
    /// As for [`reap_orphans`](Self::reap_orphans).
    fn reap_every_orphan(&self) -> io::Result<()>;
}

impl ReapOrphans for Handle {
    fn reap_orphans(&self) -> io::Result<()> {
        begin(self, Adopts::Members)
    }

    fn reap_every_orphan(&self) -> io::Result<()> {
        begin(self, Adopts::Everybody)
    }
}

thread_local! {
    /// Of this thread's reactor.
    static WATCH: WithCell<Option<SignalWatch>> = const { WithCell::new(None) };
}

fn begin(reactor: &Handle, adopts: Adopts) -> io::Result<()> {
    orphan_watch::enlist(reactor);
    // In the next turn: by then the children of this reactor that have ended are reaped, and hide
    // nobody.
    let look = |reactor: &Handle| reactor.call_soon(orphan_watch::reap_adopted);
    let watch = reactor.on_signal(Signal::CHLD, look)?;
    let old = WATCH.with(|slot| slot.replace(Some(watch)));
    drop(old);
    adopted::begin(adopts);
    // Somebody may have ended before.
    reactor.call_soon(orphan_watch::reap_adopted);
    Ok(())
}
