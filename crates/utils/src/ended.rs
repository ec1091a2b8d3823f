//! [`Ended`]: the end of a child that an error left running. It can be sent to other threads.
//!
//! A `Deferred` belongs to one thread, and an error that contains one could not become an
//! `anyhow::Error`. Therefore the error holds a ticket, and the `Deferred` stays in a list of its
//! thread.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;

use procession_core::driver::WithCell;
use procession_core::{Deferred, Failed, NoError};
use procession_protocol::ExitReason;

type End = Deferred<ExitReason, NoError>;

/// The end of a child that still runs. Await it, or give it a callback, to get the exit reason.
///
/// Dropping it does not affect the child. On a thread other than that of the child's reactor it
/// fails with [`Failed::Abandoned`].
///
/// # Examples
///
/// ```
/// use procession::{Command, Failed, OutputError, Reactor, get_process_output};
///
/// let mut reactor = Reactor::new()?;
/// let noisy = Command::new("sh").args(["-c", "echo trouble >&2; exit 3"]);
/// match reactor.block_on(get_process_output(noisy)) {
///     Err(Failed::Error(OutputError::UnexpectedStderr { outcome, ended, .. })) => {
///         assert_eq!(outcome.stderr, "trouble\n");
///         let reason = reactor.block_on(ended).unwrap();
///         assert_eq!(reason.unwrap_err().exit_code(), Some(3));
///     }
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Ended(Arc<()>);

struct Waiting {
    ticket: Arc<()>,
    end: End,
}

thread_local! {
    static WAITING: WithCell<Vec<Waiting>> = const { WithCell::new(Vec::new()) };
}

impl Ended {
    /// Keeps `end` for the holder of the ticket.
    pub(crate) fn new(end: End) -> Self {
        let ticket = Arc::new(());
        let entry = Waiting { ticket: Arc::clone(&ticket), end };
        // Remove the entries of tickets that were dropped on another thread.
        let stale = with_waiting(|all| {
            let stale = take_stale(all);
            all.push(entry);
            stale
        });
        drop(stale);
        Self(ticket)
    }

    /// Returns the `Deferred` of the end.
    pub fn into_deferred(self) -> End {
        // A `Deferred` whose promise is dropped is abandoned.
        self.take().unwrap_or_else(|| Deferred::new().1)
    }

    /// Calls `call` once, with the exit reason, when the child has ended.
    pub fn done(self, call: impl FnOnce(Result<ExitReason, Failed<NoError>>) + 'static) {
        self.into_deferred().done(call);
    }

    fn take(&self) -> Option<End> {
        let entry = with_waiting(|all| {
            let at = all.iter().position(|entry| Arc::ptr_eq(&entry.ticket, &self.0))?;
            Some(all.swap_remove(at))
        });
        entry.flatten().map(|entry| entry.end)
    }
}

/// Returns `None` while the thread's locals are being destroyed.
fn with_waiting<R>(change: impl FnOnce(&mut Vec<Waiting>) -> R) -> Option<R> {
    WAITING.try_with(|all| all.with(change)).ok()
}

fn take_stale(all: &mut Vec<Waiting>) -> Vec<Waiting> {
    let (stale, kept) =
        std::mem::take(all).into_iter().partition(|entry| Arc::strong_count(&entry.ticket) == 1);
    *all = kept;
    stale
}

impl IntoFuture for Ended {
    type Output = Result<ExitReason, Failed<NoError>>;
    type IntoFuture = End;

    fn into_future(self) -> End {
        self.into_deferred()
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.take());
    }
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ended").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use procession_protocol::ProcessDone;

    use super::*;

    fn waiting() -> usize {
        WAITING.with(|all| all.with(|all| all.len()))
    }

    #[test]
    fn a_ticket_gives_its_own_end_and_leaves_nothing() {
        let (first, one) = Deferred::new();
        let (second, two) = Deferred::new();
        let (one, two) = (Ended::new(one), Ended::new(two));
        first.complete(Ok(Ok(ProcessDone::default())));
        assert_eq!(one.into_deferred().try_take(), Some(Ok(Ok(ProcessDone::default()))));
        drop(two);
        assert!(second.is_cancelled());
        assert_eq!(waiting(), 0);
    }

    #[test]
    fn a_ticket_of_another_thread_is_abandoned_and_its_entry_goes_later() {
        let (_promise, end) = Deferred::new();
        let ended = Ended::new(end);
        let there = std::thread::spawn(move || ended.into_deferred().try_take());
        assert_eq!(there.join().unwrap(), Some(Err(Failed::Abandoned)));
        assert_eq!(waiting(), 1);
        let (_promise, end) = Deferred::new();
        drop(Ended::new(end));
        assert_eq!(waiting(), 0);
    }
}
