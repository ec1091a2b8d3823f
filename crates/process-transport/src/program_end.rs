//! Which children end with the program, and the two public functions for it.

use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "reactor")]
use procession_reactor::Handle;

use crate::sys;

/// What happens to an owned child that is killed on drop when a signal or an exit ends the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtProgramEnd {
    LivesOn,
    Ends,
}

/// Whether the program called [`end_children_with_program`].
static OF_ALL: AtomicBool = AtomicBool::new(false);

impl AtProgramEnd {
    /// Returns the choice for a child without a reactor.
    pub(crate) fn without_loop() -> Self {
        if OF_ALL.load(Ordering::SeqCst) { Self::Ends } else { Self::LivesOn }
    }

    /// Returns the choice for a child of this reactor.
    #[cfg(feature = "reactor")]
    pub(crate) fn of_reactor(reactor: &Handle) -> Self {
        if reactor.io().claims_signals() { Self::Ends } else { Self::without_loop() }
    }
}

/// Ends the groups of this process's owned children: TERM and CONT, a grace, KILL.
///
/// It acts on children that are [owned](crate::Command::owned) and [killed on
/// drop](crate::Command::kill_on_drop), of every reactor that claims signals and, after
/// [`end_children_with_program`], of `Command::spawn`. It returns when no process of the groups
/// lives. That takes at most the longest [`kill_grace`](crate::Command::kill_grace) among them, and
/// after KILL a second for processes that die slowly, such as those with much memory or under a
/// debugger. If `/proc` cannot be read, or on another system than Linux, it returns when every
/// leader has ended, within the same time. A second call, from another thread or a handler, at
/// least 300 ms after the first, sends KILL at once.
///
/// INT, TERM, HUP and QUIT do this by themselves if they end the program by default, and so do
/// `std::process::exit` and a return from `main`. This function is for programs that end in another
/// way: by `_exit`, by `abort`, or in their own handlers. It is async-signal-safe
/// (`signal-safety(7)`): call it in the handler, then end the process. Afterwards every spawn of
/// such a child fails at [`Step::Clone`](crate::Step::Clone).
///
/// In a forked copy of the process it does nothing, because the children are the parent's.
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

/// Makes every owned child of this process end with the program, also children without a reactor.
///
/// A reactor does so for its own children, unless it was made `without_signals`. A program without
/// a reactor, which starts children by [`Command::spawn`](crate::Command::spawn), calls this at the
/// start of `main`. From then on INT, TERM, HUP and QUIT end the groups of all children that are
/// [owned](crate::Command::owned) and [killed on drop](crate::Command::kill_on_drop), as
/// [`end_owned_groups`] does, before they end the program. It cannot be undone.
///
/// The exit of the program does so too: `std::process::exit` in any thread, also in a callback, and
/// a return from `main`. The exit status stays the same. From then on such children cannot be
/// spawned any more. `abort`, `_exit` and KILL do not end the children; for KILL see
/// [`parent_death_signal`](crate::Command::parent_death_signal).
///
/// Only the default action is replaced: a handler of the program or of another library stays, and
/// so does an ignored signal. In PID 1, which those signals do not end by default, no handler is
/// installed. A handler that is installed later replaces this one and is left alone, even if it
/// calls the previous one, as those of tokio and signal-hook do. SIG_DFL set later holds until the
/// next spawn. A library that replaces only the default action (`ctrlc::try_set_handler`) must
/// install its handler first.
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
