//! [`Apart`]: the attempts of a run one by one, for a helper that chooses a place for each.

use std::time::Duration;

use super::Run;
use super::retry::{Retry, is_worth_another};
use super::shared_on_line::SharedOnLine;
use crate::OutputError;
use crate::launcher::place::Place;
use crate::lines::OnLine;

/// One attempt, and the run after it.
pub(crate) struct Apart {
    pub(crate) now: Run<OnLine>,
    pub(crate) rest: Rest,
}

/// What is left of a run while an attempt of it is under way.
pub(crate) struct Rest {
    /// The same run, for when the attempt has not started its program; `None` if its input is a reader.
    pub(crate) same: Option<Run<OnLine>>,
    /// The run without this attempt, and the pause before it.
    later: Option<(Run<OnLine>, Duration)>,
}

impl Rest {
    pub(crate) const NOTHING: Self = Self { same: None, later: None };

    /// Returns the run for another attempt after this error, and the pause before it.
    pub(crate) fn after(self, error: &OutputError) -> Option<(Run<OnLine>, Duration)> {
        self.later.filter(|_| is_worth_another(error))
    }
}

/// Returns the next attempt of a run, which goes to this place, and what is left then.
pub(crate) fn apart(run: Run<OnLine>, place: &Place) -> Result<Apart, OutputError> {
    let Run { mut settings, on_line } = run;
    let on_line = on_line.map(SharedOnLine::new);
    let with_lines = |settings| Run { settings, on_line: on_line.as_ref().map(SharedOnLine::call) };
    let later = settings.later()?.map(|later| (with_lines(later.settings), later.pause));
    let same = settings.try_clone().map(with_lines);
    settings.retry = Retry::ONCE;
    settings.place = Some(place.clone());
    Ok(Apart { now: with_lines(settings), rest: Rest { same, later } })
}
