//! The process of a child, and what its drop does. It is a type of its own, so that fields can be moved
//! out of a [`Child`](super::Child).

use std::io;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::Spawned;
use procession_process_transport::driver::LoopSpawned;
use procession_protocol::{ExitReason, SignalError, Termination};

use super::reap::let_go;
use super::terminate::terminate;
use crate::exit_watch::{ExitWatch, Pauses};

/// A process, with the watch for its exit.
#[derive(Debug)]
pub(super) struct Running {
    /// Before `spawned`, which owns the pidfd.
    exit: ExitWatch,
    /// `None` only in the drop.
    spawned: Option<Spawned>,
}

const UNTIL_DROP: &str = "only the drop takes it";

impl Running {
    pub(super) fn new(spawned: Spawned) -> Self {
        Self { exit: ExitWatch::default(), spawned: Some(spawned) }
    }

    pub(super) fn spawned(&self) -> &Spawned {
        self.spawned.as_ref().expect(UNTIL_DROP)
    }

    /// For everything that does not reap.
    pub(super) fn spawned_mut(&mut self) -> &mut Spawned {
        self.spawned.as_mut().expect(UNTIL_DROP)
    }

    /// Reaps the process if it has ended.
    pub(super) fn try_reap(&mut self) -> io::Result<Option<ExitReason>> {
        if self.exit.is_watching() {
            if !self.spawned().has_ended() {
                return Ok(None);
            }
            self.exit.forget();
        }
        self.spawned_mut().try_wait()
    }

    /// Waits until the process is reaped.
    pub(super) async fn ended(&mut self) -> io::Result<ExitReason> {
        let mut pauses = Pauses::default();
        loop {
            if let Some(reason) = self.try_reap()? {
                return Ok(reason);
            }
            let spawned = self.spawned.as_ref().expect(UNTIL_DROP);
            self.exit.wait(spawned, &mut pauses).await?;
        }
    }

    /// Terminates the process, and reaps it.
    pub(super) async fn terminate(
        &mut self,
        signal: Signal,
        grace: Duration,
    ) -> Result<Termination, SignalError> {
        self.exit.forget(); // a termination reaps
        terminate(self.spawned_mut(), signal, grace).await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.exit.forget();
        if let Some(spawned) = self.spawned.take() {
            let_go(spawned);
        }
    }
}
