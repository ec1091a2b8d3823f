//! Waits for the end of a child, by its pidfd or at growing pauses.

use std::future::poll_fn;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use procession_process_transport::Spawned;
use procession_process_transport::driver::LoopSpawned;
use tokio::io::Interest;
use tokio::time::sleep;

use crate::source::{Source, current_runtime};

/// The longest pause between two looks at a child whose end no descriptor reports.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// The number of a pidfd. Its owner is the [`Spawned`]; whoever has both forgets the watch before
/// the `Spawned` can close the pidfd.
#[derive(Debug)]
struct PidfdNumber(RawFd);

impl AsRawFd for PidfdNumber {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// The pidfd in the poller of a runtime, from the first wait for a living child on.
#[derive(Debug, Default)]
pub(crate) struct ExitWatch(Option<Source<PidfdNumber>>);

impl ExitWatch {
    /// Takes the pidfd out of the poller. Due before each reap, which closes the pidfd.
    pub(crate) fn forget(&mut self) {
        self.0 = None;
    }

    pub(crate) fn is_watching(&self) -> bool {
        self.0.is_some()
    }

    /// Waits until the child may have ended. Without a pidfd this is a pause.
    pub(crate) async fn wait(&mut self, child: &Spawned, pauses: &mut Pauses) -> io::Result<()> {
        let Some(pidfd) = child.exit_fd() else {
            return pauses.pause().await;
        };
        let number = PidfdNumber(pidfd.as_raw_fd());
        let source = self.0.get_or_insert_with(|| Source::new(number, Interest::READABLE));
        poll_fn(|context| source.poll_ready(context)).await?;
        self.forget();
        if !child.has_ended() {
            // A tracer holds the child: it is dead, and cannot be reaped yet.
            pauses.pause().await?;
        }
        Ok(())
    }
}

/// Pauses of 1, 2, 4, … ms, up to 50 ms.
#[derive(Debug, Default)]
pub(crate) struct Pauses {
    given: u32,
}

impl Pauses {
    fn next(&mut self) -> Duration {
        let factor = 1_u32.checked_shl(self.given).unwrap_or(u32::MAX);
        self.given = self.given.saturating_add(1);
        Duration::from_millis(1).saturating_mul(factor).min(LONGEST_PAUSE)
    }

    async fn pause(&mut self) -> io::Result<()> {
        current_runtime()?; // without one, `sleep` panics
        sleep(self.next()).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Pauses;

    #[test]
    fn pauses_grow_up_to_the_longest() {
        let mut pauses = Pauses::default();
        let first: Vec<u128> = (0..9).map(|_| pauses.next().as_millis()).collect();
        assert_eq!(first, [1, 2, 4, 8, 16, 32, 50, 50, 50]);
        pauses.given = u32::MAX;
        assert_eq!(pauses.next().as_millis(), 50);
    }
}
