//! Reaping for a program that is the first process of a PID namespace, or a subreaper.

use std::io;

use procession_core::Signal;
use procession_core::driver::WithCell;
use procession_reactor::{Handle, SignalWatch};

use crate::adopted;
use crate::orphan_watch;
use crate::own_children::ReapScope;
use crate::sealed::SealedReapOrphans;

/// Methods of [`Handle`], and so of `Reactor`, that reap adopted processes.
///
/// When a process ends, the nearest subreaper among its ancestors (`PR_SET_CHILD_SUBREAPER`) adopts
/// its children, or else the first process of its PID namespace. An adopted process that ends stays
/// a zombie until its adopter reaps it. A program that is neither a subreaper nor such a first
/// process adopts nothing and does not need this trait.
///
/// By default the library reaps only children that it has started, and zombies that a termination
/// meets in its group.
///
/// This trait is sealed: nobody else implements it, so methods may be added.
///
/// # Examples
///
/// ```
/// use procession::{Command, Handle, Reactor, ReapOrphans, SpawnProcess};
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
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot reap orphans",
    label = "this is no `Handle`"
)]
pub trait ReapOrphans: SealedReapOrphans {
    /// Makes this process reap adopted members of groups that children of this library lead or led.
    ///
    /// These are children that lead a group or a session: with
    /// [`process_group(0)`](crate::Command::process_group),
    /// [`new_session`](crate::Command::new_session), [`owned`](crate::Command::owned) or a
    /// terminal, and those of the helpers. The call covers children that already run and later
    /// ones. A member is reaped after it ends: at a SIGCHLD as long as this reactor lives, and at
    /// each spawn and wait.
    ///
    /// No other process is reaped: no process that has left the group (a daemon), no member of a
    /// group that other code has made, and no child of this library, whatever its group. A child of
    /// another library is reaped only if that library put it into one of our groups by number; that
    /// library then loses the child's status.
    ///
    /// # Errors
    ///
    /// SIGCHLD cannot be watched, as with [`Handle::on_signal`].
    fn reap_orphans(&self) -> io::Result<()>;

    /// Makes this process reap every process that it adopts, and every other child that this
    /// library has not started.
    ///
    /// An adopted process cannot be distinguished from a child that other code of this program has
    /// started, with `std::process`, another library or `fork`. **Such children are reaped too, and
    /// code that waits for them gets an error (`ECHILD`) instead of the status.** Use it in a
    /// program that starts all its children with this library, such as the init of a container.
    /// Children of this library keep their statuses.
    ///
    /// It cannot be undone, and includes [`reap_orphans`](Self::reap_orphans).
    ///
    /// # Errors
    ///
    /// Those of [`reap_orphans`](Self::reap_orphans).
    fn reap_every_orphan(&self) -> io::Result<()>;
}

impl ReapOrphans for Handle {
    fn reap_orphans(&self) -> io::Result<()> {
        begin(self, ReapScope::Members)
    }

    fn reap_every_orphan(&self) -> io::Result<()> {
        begin(self, ReapScope::Everybody)
    }
}

thread_local! {
    /// The watch of this thread's reactor.
    static WATCH: WithCell<Option<SignalWatch>> = const { WithCell::new(None) };
}

fn begin(reactor: &Handle, adopts: ReapScope) -> io::Result<()> {
    orphan_watch::enlist(reactor);
    // In the next turn: by then the ended children of this reactor are reaped, and hide no other.
    let look = |reactor: &Handle| reactor.call_soon(orphan_watch::reap_adopted);
    let watch = reactor.on_signal(Signal::CHLD, look)?;
    let old = WATCH.with(|slot| slot.replace(Some(watch)));
    drop(old);
    adopted::begin(adopts);
    // An adopted process may have ended before the watch.
    reactor.call_soon(orphan_watch::reap_adopted);
    Ok(())
}
