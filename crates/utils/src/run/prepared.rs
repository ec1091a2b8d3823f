//! What a `Run` starts: its command with the settings of a run, and what it writes to it.

use std::time::Duration;

use procession_process_transport::Command;

use super::settings::Settings;
use crate::launcher::place::{Arrival, Place};
use crate::lines::Lines;
use crate::message::CommandLine;
use crate::rules::Rules;
use crate::stdin::Input;
use crate::{LaunchError, OutputError, streams};

/// How long the end of a program elsewhere may take beyond its grace, until the local command is killed.
const REPORT_TIME: Duration = Duration::from_secs(10);

/// A run without its callback, ready to start.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    pub(crate) input: Input,
    pub(crate) rules: Rules,
    pub(crate) line: CommandLine,
    /// Cuts the outputs into lines, if there is a callback.
    pub(crate) lines: Option<Box<Lines>>,
}

impl Settings {
    /// The thread that prepares must be the one that starts the program, and stay until it has
    /// ended the program.
    /// A run that goes elsewhere has an arrival there.
    pub(super) fn prepare(
        self,
        has_callback: bool,
        arrival: Option<&mut Arrival>,
    ) -> Result<Prepared, OutputError> {
        let line = self.line();
        let Self { command, stdin, drain_after_exit, max_line_bytes, mut rules, .. } = self;
        let lines = has_callback.then(|| Box::new(Lines::new(max_line_bytes)));
        let mut command = with_safe_ends(command, !rules.setup.is_foreground, rules.kill_grace);
        // A limit of the command cannot be removed; `Duration::MAX` replaces it by one that never
        // ends.
        command = command.drain_after_exit(drain_after_exit.unwrap_or(Duration::MAX));
        if rules.setup.is_merged {
            command = streams::merged(command);
        }
        let (fd, input) = stdin.0.into_parts();
        if let Some(fd) = fd {
            command = streams::with_input(command, fd);
        }
        if let Some(arrival) = arrival {
            match arrival.launch(&command) {
                Ok(local) => command = local,
                Err(error) => {
                    return Err(OutputError::Launch { command: line.to_string(), error });
                }
            }
            // The end there has the grace; its report takes time too.
            rules.kill_grace = rules.kill_grace.saturating_add(REPORT_TIME);
            command = command.kill_grace(rules.kill_grace);
            rules.setup.is_elsewhere = true;
        }
        Ok(Prepared { command, input, rules, line, lines })
    }

    /// Returns where the program runs, if that is elsewhere and the program can be carried there.
    pub(super) fn checked_place(&self) -> Result<Option<Place>, OutputError> {
        let Some(place) = &self.place else { return Ok(None) };
        let checked = match self.rules.setup.is_foreground {
            true => Err(LaunchError::NotCarried { option: "foreground" }),
            false => place.check(&self.command),
        };
        match checked {
            Ok(()) => Ok(Some(place.clone())),
            Err(error) => Err(OutputError::Launch { command: self.line().to_string(), error }),
        }
    }

    /// Returns program and arguments for messages, and where they run.
    pub(super) fn line(&self) -> CommandLine {
        CommandLine::new(&self.command, self.place.as_ref().map(|place| place.name().into_owned()))
    }
}

/// Makes the child of a command end with its owner, with the loop and with the program. An owned one leads
/// a session.
pub(crate) fn with_safe_ends(command: Command, is_owned: bool, grace: Duration) -> Command {
    let command = command.owned(is_owned).session_if_owned();
    command.kill_on_drop(true).kill_grace(grace).die_with_thread_by_default()
}
