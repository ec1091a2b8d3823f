//! Runs a [`Run`] in the thread that calls.

use std::thread;
use std::time::Duration;

use super::Run;
use super::retry::is_worth_another;
use super::settings::Settings;
use crate::{Outcome, OutputError, OutputLine, blocking};

impl<F: FnMut(OutputLine)> Run<F> {
    /// Runs the program and blocks this thread until there is a result. It needs no reactor and
    /// starts no thread.
    ///
    /// Every option works as on a loop, and so do the errors. The callback of
    /// [`for_each_line`](Self::for_each_line) is called in this thread and may borrow from it. A
    /// panic of it, or of a [reader](crate::Stdin::reader), terminates the program and unwinds out of
    /// this call. A signal that ends this program by its default action also ends the group of the
    /// child; the first run installs handlers for that, see
    /// [`end_owned_groups`](procession_process_transport::end_owned_groups).
    ///
    /// These differ from a run on a loop:
    ///
    /// - A reader is read in this thread, see [`Stdin::reader`](crate::Stdin::reader).
    /// - After [`OutputError::UnexpectedStderr`] nothing reads the output that follows, see
    ///   [`Ended`](crate::Ended).
    /// - Ctrl-Z stops only this program. Its child goes on, and so does the time of
    ///   [`timeout`](Self::timeout).
    ///
    /// On a thread that drives a reactor the loop stands still meanwhile: await the run there.
    ///
    /// # Errors
    ///
    /// [`OutputError`] has the reason, and the outputs up to the failure.
    ///
    /// # Examples
    ///
    /// ```no_run
    /// // Not run: it needs git, and a repository.
    /// # use procession::Run;
    /// let log = Run::new("git").args(["log", "-1", "--format=%H"]).check().output_blocking()?;
    /// println!("{}", log.stdout_utf8()?.trim());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```
    /// use procession::Run;
    /// use std::time::Duration;
    ///
    /// let mut lines = 0;
    /// let sort = Run::new("sort").stdin("b\na\n").timeout(Duration::from_secs(60)).check();
    /// let outcome = sort.for_each_line(|_| lines += 1).output_blocking()?;
    /// assert_eq!((lines, outcome.stdout_utf8()?), (2, "a\nb\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "wait_with_output")]
    #[doc(alias = "block_on")]
    pub fn output_blocking(self) -> Result<Outcome, OutputError> {
        let Self { mut settings, mut on_line } = self;
        loop {
            let later = settings.later()?;
            let on_line = on_line.as_mut().map(|call| call as &mut dyn FnMut(OutputLine));
            match (run_once(settings, on_line), later) {
                (Err(error), Some(later)) if is_worth_another(&error) => {
                    drop(error);
                    later.announce();
                    pause(later.pause);
                    settings = later.settings;
                }
                (result, _) => return result,
            }
        }
    }
}

fn run_once(
    settings: Settings,
    on_line: Option<&mut dyn FnMut(OutputLine)>,
) -> Result<Outcome, OutputError> {
    let Some(place) = settings.checked_place()? else {
        return blocking::run(settings.prepare(on_line.is_some(), None)?, on_line);
    };
    let arrived = place.arrive().wait();
    let mut arrival = arrived.map_err(|reason| OutputError::Unreachable {
        command: settings.line().to_string(),
        reason,
    })?;
    let prepared = settings.prepare(on_line.is_some(), Some(&mut arrival))?;
    let result = blocking::run(prepared, on_line);
    if has_exited(&result) {
        arrival.on_over();
    }
    result
}

/// Returns whether the program has exited by itself.
fn has_exited(result: &Result<Outcome, OutputError>) -> bool {
    match result {
        Ok(outcome) => outcome.exit_code().is_some(),
        Err(OutputError::Failed { .. }) => true,
        Err(_) => false,
    }
}

/// Waits without a loop.
#[expect(clippy::disallowed_methods, reason = "a blocking run has no loop")]
fn pause(time: Duration) {
    thread::sleep(time);
}
