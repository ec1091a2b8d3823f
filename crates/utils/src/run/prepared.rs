//! What a `Run` starts: its command with the settings of a run, and what it writes to it.

use std::time::Duration;

use procession_process_transport::Command;

use super::settings::Settings;
use crate::lines::Lines;
use crate::message::quoted;
use crate::rules::Rules;
use crate::stdin::Input;
use crate::streams;

/// A run without its callback, ready to start.
pub(crate) struct Prepared {
    pub(crate) command: Command,
    pub(crate) input: Input,
    pub(crate) rules: Rules,
    /// Program and arguments, quoted for messages.
    pub(crate) line: String,
    /// Cuts the outputs into lines, if there is a callback.
    pub(crate) lines: Option<Lines>,
}

impl Settings {
    /// The thread that prepares must be the one that starts the program, and stay until it has
    /// ended the program.
    pub(super) fn prepare(self, has_callback: bool) -> Prepared {
        let Self { command, stdin, drain_after_exit, max_line_bytes, rules, retry: _ } = self;
        let line = quoted(&command);
        let lines = has_callback.then(|| Lines::new(max_line_bytes));
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
        Prepared { command, input, rules, line, lines }
    }
}

/// Makes the child of a command end with its owner, with the loop and with the program. An owned one leads
/// a session.
pub(crate) fn with_safe_ends(command: Command, is_owned: bool, grace: Duration) -> Command {
    let command = command.owned(is_owned).session_if_owned();
    command.kill_on_drop(true).kill_grace(grace).die_with_thread_by_default()
}
