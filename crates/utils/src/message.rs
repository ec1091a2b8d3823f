//! Words for a log: a command as one would type it, and the end of its standard error.

use procession_process_transport::Command;
use std::fmt::{self, Write};

/// A longer command is cut, in bytes.
const COMMAND_BYTES: usize = 1024;
/// The most that is shown of a standard error, in bytes and in lines.
const TAIL_BYTES: usize = 512;
const TAIL_LINES: usize = 3;

/// Program and arguments, quoted for a shell; what is not UTF-8 is shown as far as it can be, and a
/// control character by its escape.
pub(crate) fn quoted(command: &Command) -> String {
    let mut line = String::new();
    for word in std::iter::once(command.get_program()).chain(command.get_args()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&Shown(&shell_words::quote(&word.to_string_lossy())).to_string());
        if line.len() > COMMAND_BYTES {
            line.truncate(line.floor_boundary(COMMAND_BYTES));
            line.push('…');
            break;
        }
    }
    line
}

/// The last lines of a standard error, after a colon, in one line; nothing if there are none.
pub(crate) struct Tail<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0.trim_ascii_end();
        let from = all.len().saturating_sub(TAIL_BYTES);
        let text = String::from_utf8_lossy(&all[from..]);
        let lines: Vec<&str> =
            text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let is_cut = from > 0 && shown.len() == lines.len();
        for (index, line) in shown.iter().enumerate() {
            f.write_str(if index > 0 { " | " } else { ": " })?;
            if index == 0 && is_cut {
                // The first one may begin in the middle, even of a character.
                f.write_char('…')?;
            }
            let line = line.trim_start_matches(|c| index == 0 && is_cut && c == '\u{fffd}');
            Shown(line).fmt(f)?;
        }
        Ok(())
    }
}

/// Text for a log, which is no terminal: what would move its cursor is shown instead.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control() && c != '\t' {
                write!(f, "{}", c.escape_default())?;
            } else {
                f.write_char(c)?;
            }
        }
        Ok(())
    }
}

trait FloorBoundary {
    fn floor_boundary(&self, at: usize) -> usize;
}

impl FloorBoundary for str {
    /// The last character boundary at `at` bytes or before.
    fn floor_boundary(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(stderr: &str) -> String {
        Tail(stderr.as_bytes()).to_string()
    }

    #[test]
    fn a_command_is_shown_as_one_would_type_it() {
        let command = Command::new("git").args(["log", "-1", "--format=%H"]);
        assert_eq!(quoted(&command), "git log -1 '--format=%H'");
        assert_eq!(quoted(&Command::new("my prog").arg("")), "'my prog' ''");
    }

    #[test]
    fn a_very_long_command_is_cut() {
        let text = quoted(&Command::new("x").arg("é".repeat(5000)));
        assert!(text.len() <= COMMAND_BYTES + 3 && text.ends_with("é…"));
    }

    #[test]
    fn the_tail_is_the_last_lines_in_one() {
        assert_eq!(tail(""), "");
        assert_eq!(tail(" \n\n"), "");
        assert_eq!(tail("fatal: no\n"), ": fatal: no");
        assert_eq!(tail("a\n\nb\r\nc\nd\n"), ": b | c | d");
    }

    #[test]
    fn a_long_line_is_cut_at_its_beginning() {
        let shown = tail(&"é".repeat(1000));
        assert!(shown.starts_with(": …é") && shown.len() <= TAIL_BYTES + 5);
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(tail("\u{1b}[31mred\n"), ": \\u{1b}[31mred");
        let command = Command::new("log").args(["a\nb\tc", "\u{1b}[2J"]);
        assert_eq!(quoted(&command), "log 'a\\nb\tc' '\\u{1b}[2J'");
    }
}
