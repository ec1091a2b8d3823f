//! Words for a log: a command as one would type it, and the end of its standard error.

use crate::outcome::Gap;
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
///
/// Of one with a gap they are those after it, whole ones if there are any. Where nothing was kept
/// after it, they are the last before it, and an ellipsis follows.
pub(crate) struct Tail<'a> {
    text: &'a [u8],
    /// The text may begin in the middle of a line.
    is_cut: bool,
    /// More followed: `Some(true)` if the text ends in the middle of a line.
    goes_on: Option<bool>,
}

impl<'a> Tail<'a> {
    pub(crate) fn of((kept, gap): (&'a [u8], Option<Gap>)) -> Self {
        let Some(Gap { at, .. }) = gap else {
            return Self { text: kept, is_cut: false, goes_on: None };
        };
        let (head, tail) = kept.split_at(at);
        if tail.is_empty() {
            return Self::of_head(head);
        }
        let whole = tail.iter().position(|byte| *byte == b'\n').map(|end| &tail[end + 1..]);
        match whole.filter(|lines| !lines.trim_ascii().is_empty()) {
            Some(text) => Self { text, is_cut: false, goes_on: None },
            None => Self { text: tail, is_cut: true, goes_on: None },
        }
    }

    fn of_head(head: &'a [u8]) -> Self {
        let whole = head.iter().rposition(|byte| *byte == b'\n').map(|end| &head[..end]);
        match whole.filter(|lines| !lines.trim_ascii().is_empty()) {
            Some(text) => Self { text, is_cut: false, goes_on: Some(false) },
            None => Self { text: head, is_cut: false, goes_on: Some(true) },
        }
    }
}

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.text.trim_ascii_end();
        let from = all.len().saturating_sub(TAIL_BYTES);
        let text = String::from_utf8_lossy(&all[from..]);
        let lines: Vec<&str> =
            text.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
        let shown = &lines[lines.len().saturating_sub(TAIL_LINES)..];
        let is_cut = (self.is_cut || from > 0) && shown.len() == lines.len();
        for (index, line) in shown.iter().enumerate() {
            f.write_str(if index > 0 { " | " } else { ": " })?;
            if index == 0 && is_cut {
                // The first one may begin in the middle, even of a character.
                f.write_char('…')?;
            }
            let line = line.trim_start_matches(|c| index == 0 && is_cut && c == '\u{fffd}');
            let is_open = self.goes_on == Some(true) && index + 1 == shown.len();
            let line = line.trim_end_matches(|c| is_open && c == '\u{fffd}');
            Shown(line).fmt(f)?;
        }
        match self.goes_on {
            Some(is_open) if !shown.is_empty() => {
                f.write_str(if is_open { "…" } else { " | …" })
            }
            _ => Ok(()),
        }
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
        Tail::of((stderr.as_bytes(), None)).to_string()
    }

    /// Of a standard error that lacks something between the two.
    fn tail_of(head: &str, tail: &str) -> String {
        let gap = Gap { at: head.len(), skipped_bytes: 9 };
        Tail::of(([head, tail].concat().as_bytes(), Some(gap))).to_string()
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

    #[test]
    fn after_a_gap_the_lines_are_the_whole_ones_behind_it() {
        assert_eq!(tail_of("1\n2\n", "99\n1000\n"), ": 1000");
        assert_eq!(tail_of("", "9\na\nb\nc\nd"), ": b | c | d");
        assert_eq!(tail_of("1\n2\n", "\nlast\n"), ": last");
        // The only one is the one that the gap has cut.
        assert_eq!(tail_of("1\n2\n", "sk full\n"), ": …sk full");
        assert_eq!(tail_of("", "sk full"), ": …sk full");
    }

    #[test]
    fn a_head_alone_is_shown_to_go_on() {
        assert_eq!(tail_of("1\n2\n3\n4\n", ""), ": 2 | 3 | 4 | …");
        assert_eq!(tail_of("1\n2\nfat", ""), ": 1 | 2 | …");
        assert_eq!(tail_of("fat", ""), ": fat…");
        assert_eq!(tail_of("", ""), "");
        let shown = tail_of(&"é".repeat(1000), "");
        assert!(shown.starts_with(": …é") && shown.ends_with("é…"));
    }
}
