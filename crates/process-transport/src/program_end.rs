//! Children that end with the program: which do, and the two functions that a program may call.

use crate::sys;
#[cfg(feature = "reactor")]
use procession_reactor::Handle;
use std::sync::atomic::{AtomicBool, Ordering};

/// What becomes of a child that is owned and killed on drop, when a signal or an exit ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtProgramEnd {
    LivesOn,
    Ends,
}

/// The program has asked for it.
static OF_ALL: AtomicBool = AtomicBool::new(false);

impl AtProgramEnd {
    /// Of a child that no loop has.
    pub(crate) fn without_loop() -> Self {
        if OF_ALL.load(Ordering::SeqCst) { Self::Ends } else { Self::LivesOn }
    }

    /// Of a child of this reactor.
    #[cfg(feature = "reactor")]
    pub(crate) fn of_reactor(reactor: &Handle) -> Self {
        if reactor.claims_signals() { Self::Ends } else { Self::without_loop() }
    }
}

/// Ends the groups of this process's owned children: TERM and CONT, a grace, KILL.
///
/// These are the children that are [owned](crate::Command::owned) and
/// [killed on drop](crate::Command::kill_on_drop), of every reactor that claims signals, and of
/// `Command::spawn` after [`end_children_with_program`]. It returns when nobody of the groups
/// lives. That takes the longest [`kill_grace`](crate::Command::kill_grace) of them at most, and after the
/// KILL a second for processes that are slow to die: those with much memory, or held by a debugger. Where
/// `/proc` cannot be read, and elsewhere than on Linux, it returns when every leader has ended, within
/// the same time. Called a second time, from another thread or a handler, at least 300 ms after the first,
/// it sends KILL at once.
///
/// INT, TERM, HUP and QUIT do this by themselves where they end the program by default, and so do
/// `std::process::exit` and a return from `main`. It is for programs that end otherwise: by `_exit`,
/// by `abort`, or in handlers of their own. It is async-signal-safe (`signal-safety(7)`): call it in the
/// handler, then end the process. Nothing can be spawned any more: every later spawn of such a child
/// fails at [`Step::Clone`](crate::Step::Clone).
///
/// In a forked copy of the process it does nothing: the children are the parent's.
///
/// # Examples
///
/// ```
/// use procession::{Command, end_children_with_program, end_owned_groups};
///
/// end_children_with_program();
/// let mut sleep = Command::new("sleep").arg("600").owned(true).spawn()?;
/// end_owned_groups();
/// let terminated = sleep.wait()?.unwrap_err();
/// assert!(terminated.signal().is_some());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn end_owned_groups() {
    sys::end_owned_groups();
}

/// Has every owned child of this process end with it, also those that no reactor has.
///
/// A reactor does so for its own children, unless it was made `without_signals`. A program without
/// one, which starts children by [`Command::spawn`](crate::Command::spawn), calls this first in
/// `main`: from then on INT, TERM, HUP and QUIT end the groups of all children that are
/// [owned](crate::Command::owned) and [killed on drop](crate::Command::kill_on_drop), as
/// [`end_owned_groups`] does, before they end the program. It cannot be taken back.
///
/// The exit of the program does it too: `std::process::exit` in any thread, also in a callback, and a
/// return from `main`. The status stays. From then on nothing more can be spawned of what ends so.
/// `abort`, `_exit` and KILL end nobody; for the last see
/// [`parent_death_signal`](crate::Command::parent_death_signal).
///
/// Only the default action is replaced: a handler of the program, or of another library, stays, as
/// does a signal that is ignored. In PID 1, which those signals do not end by default, nothing is
/// installed. A handler installed later takes the place of this one and is left alone, also if it calls
/// the one before it, as those of tokio and signal-hook do; SIG_DFL set later holds until the next
/// spawn. A library that takes nothing but the default action (`ctrlc::try_set_handler`) has to be
/// first.
///
/// # Examples
///
/// ```
/// use procession::{Command, end_children_with_program};
///
/// end_children_with_program();
/// // Ctrl-C from here on ends the whole group.
/// let make = Command::new("sh").args(["-c", "true & wait"]).owned(true).spawn()?.wait()?;
/// assert!(make.is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn end_children_with_program() {
    OF_ALL.store(true, Ordering::SeqCst);
    sys::install_handlers();
}
