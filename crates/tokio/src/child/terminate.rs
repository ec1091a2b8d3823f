//! The termination of a child, by the same rules as everywhere.

use std::io;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::Spawned;
use procession_process_transport::driver::Terminating;
use procession_protocol::{SignalError, Termination};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::exit_watch::{ExitWatch, Pauses};
use crate::source::current_runtime;

/// Terminates the child and waits for its end. Nobody else may watch the pidfd meanwhile.
pub(super) async fn terminate(
    spawned: &mut Spawned,
    signal: Signal,
    grace: Duration,
) -> Result<Termination, SignalError> {
    current_runtime().map_err(SignalError::Os)?; // before the first signal
    let since = Instant::now();
    let mut terminating = Terminating::begin(spawned, signal, grace);
    let mut pauses = Pauses::default();
    loop {
        if let Some(termination) = terminating.poll(|| since.elapsed())? {
            return Ok(termination);
        }
        let deadline = terminating.deadline().and_then(|after| since.checked_add(after));
        let watches = terminating.watches_exit();
        wait_until(terminating.child(), watches, deadline, &mut pauses)
            .await
            .map_err(SignalError::Os)?;
        terminating.on_time(since.elapsed())?;
    }
}

/// Waits until the deadline, or, if `watches_exit`, until the child has ended.
async fn wait_until(
    child: &Spawned,
    watches_exit: bool,
    deadline: Option<Instant>,
    pauses: &mut Pauses,
) -> io::Result<()> {
    current_runtime()?; // without one, a timer panics
    let mut exit = ExitWatch::default();
    match (deadline, watches_exit) {
        (Some(deadline), true) => {
            timeout_at(deadline, exit.wait(child, pauses)).await.unwrap_or(Ok(()))
        }
        (Some(deadline), false) => {
            sleep_until(deadline).await;
            Ok(())
        }
        (None, _) => exit.wait(child, pauses).await,
    }
}
