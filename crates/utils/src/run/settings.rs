//! [`Settings`]: everything of a [`Run`](super::Run) but its callback.

use std::time::Duration;

use procession_process_transport::Command;

use super::retry::{Retry, refused};
use crate::launcher::place::Place;
use crate::rules::{FailOn, Rules};
use crate::run_setup::RunSetup;
use crate::trace;
use crate::{Keep, OutputError, Stdin};

/// The default time between TERM and KILL when a group is terminated.
const KILL_GRACE: Duration = Duration::from_secs(2);
/// The default time for which descendants may hold the outputs after the program's exit.
const DRAIN_AFTER_EXIT: Duration = Duration::from_millis(500);
/// The default length at which a line is cut.
const MAX_LINE_BYTES: usize = 64 * 1024;

/// Everything but the line callback.
pub(super) struct Settings {
    pub(super) command: Command,
    pub(super) stdin: Stdin,
    pub(super) drain_after_exit: Option<Duration>,
    pub(super) max_line_bytes: usize,
    pub(super) rules: Rules,
    pub(super) retry: Retry,
    /// Where the program runs; `None` is here.
    pub(super) place: Option<Place>,
}

/// A further attempt.
pub(super) struct Later {
    pub(super) settings: Settings,
    pub(super) pause: Duration,
}

impl Later {
    /// Tells the program's log of it.
    pub(super) fn announce(&self) {
        trace::retries(&self.settings.command, self.settings.retry.attempts, self.pause);
    }
}

impl Settings {
    pub(super) fn new(command: Command) -> Self {
        Self {
            command,
            stdin: Stdin::nothing(),
            drain_after_exit: Some(DRAIN_AFTER_EXIT),
            max_line_bytes: MAX_LINE_BYTES,
            rules: Rules {
                fail_on: FailOn::Nothing,
                fails_on_stderr: false,
                stops_at_limit: false,
                setup: RunSetup::default(),
                timeout: None,
                kill_grace: KILL_GRACE,
                keep: Keep::default(),
            },
            retry: Retry::ONCE,
            place: None,
        }
    }

    /// Returns what a further attempt needs, if this one may have one.
    pub(super) fn later(&self) -> Result<Option<Later>, OutputError> {
        let Retry { attempts, pause } = self.retry;
        let left = attempts.checked_sub(1).ok_or_else(|| refused("no attempt is asked for"))?;
        if left == 0 {
            return Ok(None);
        }
        let again = self.stdin.try_clone().ok_or_else(|| {
            refused("its standard input is a reader, which can be read only once: give it bytes")
        })?;
        let retry = Retry { attempts: left, pause: pause.saturating_mul(2) };
        Ok(Some(Later { settings: Self { retry, ..self.with_stdin(again) }, pause }))
    }

    /// Returns the same settings once more; `None` if the standard input is a reader.
    #[cfg(feature = "reactor")]
    pub(super) fn try_clone(&self) -> Option<Self> {
        Some(self.with_stdin(self.stdin.try_clone()?))
    }

    fn with_stdin(&self, stdin: Stdin) -> Self {
        Self {
            command: self.command.clone(),
            stdin,
            drain_after_exit: self.drain_after_exit,
            max_line_bytes: self.max_line_bytes,
            rules: self.rules,
            retry: self.retry,
            place: self.place.clone(),
        }
    }
}
