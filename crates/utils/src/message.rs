//! Text for error messages: a command as a user would type it, and the end of its standard error.

use std::ffi::OsStr;
use std::fmt::{self, Write};
use std::iter;
use std::os::unix::ffi::OsStrExt;

use procession_process_transport::Command;

use crate::gap::Gap;
use crate::run_setup::RunSetup;
use crate::terminal_wanted::wants_terminal;

/// The length at which a command is cut, in bytes.
const COMMAND_BYTES: usize = 1024;
/// The most that a message shows of a standard error, in bytes and in lines.
const TAIL_BYTES: usize = 512;
const TAIL_LINES: usize = 3;

/// Program and arguments for messages. They are quoted only when a message needs them.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// The words that a message can show, each after its length.
    words: Vec<u8>,
    /// Where they run, if that is elsewhere.
    place: Option<String>,
}

impl CommandLine {
    pub(crate) fn new(command: &Command, place: Option<String>) -> Self {
        let mut words = Vec::with_capacity(command.get_program().len() + size_of::<usize>());
        let mut bytes = 0;
        for word in words_of(command) {
            words.extend_from_slice(&word.len().to_ne_bytes());
            words.extend_from_slice(word.as_bytes());
            // Quotes make no word shorter.
            bytes += word.len();
            if bytes > COMMAND_BYTES {
                break;
            }
        }
        Self { words, place }
    }
}

impl fmt::Display for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.words.as_slice();
        let words = iter::from_fn(|| {
            let (length, tail) = rest.split_first_chunk()?;
            let (word, tail) = tail.split_at_checked(usize::from_ne_bytes(*length))?;
            rest = tail;
            Some(OsStr::from_bytes(word))
        });
        f.write_str(&quote(words))?;
        match &self.place {
            Some(place) => write!(f, " (on {place})"),
            None => Ok(()),
        }
    }
}

/// Returns program and arguments, quoted for a shell. Bytes that are not UTF-8 are replaced, and
/// control characters are escaped.
#[cfg(any(test, feature = "reactor"))]
pub(crate) fn quoted(command: &Command) -> String {
    quote(words_of(command))
}

fn words_of(command: &Command) -> impl Iterator<Item = &OsStr> {
    iter::once(command.get_program()).chain(command.get_args())
}

fn quote<'a>(words: impl Iterator<Item = &'a OsStr>) -> String {
    let mut line = String::new();
    for word in words {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&Escaped(&shell_words::quote(&word.to_string_lossy())).to_string());
        if line.len() > COMMAND_BYTES {
            line.truncate(line.floor_boundary(COMMAND_BYTES));
            line.push('…');
            break;
        }
    }
    line
}

/// Displays the last lines of a standard error as one line that begins with a colon. It displays
/// nothing if there are no lines.
///
/// If the text has a gap, the lines after the gap are shown, whole lines if there are any. If
/// nothing was kept after the gap, the last lines before it are shown, and an ellipsis follows. If
/// the lines say that the program needs a terminal, and the run kept the parent's terminal from it,
/// a hint at `foreground()` comes last.
pub(crate) struct Tail<'a> {
    text: &'a [u8],
    /// The program failed because it has no terminal.
    wants_terminal: bool,
    /// The text may begin in the middle of a line.
    is_cut: bool,
    /// `Some` if more text followed; `Some(true)` if the text ends in the middle of a line.
    goes_on: Option<bool>,
}

impl<'a> Tail<'a> {
    pub(crate) fn of(kept: &'a [u8], gap: Option<Gap>, setup: RunSetup) -> Self {
        let wants_terminal = !setup.is_foreground && wants_terminal(kept);
        let (text, is_cut, goes_on) = match gap.map(|gap| kept.split_at(gap.at)) {
            None => (kept, false, None),
            Some((head, [])) => {
                let (text, goes_on) = end_of_head(head);
                (text, false, Some(goes_on))
            }
            Some((_, tail)) => {
                let (text, is_cut) = end_of_tail(tail);
                (text, is_cut, None)
            }
        };
        Self { text, wants_terminal, is_cut, goes_on }
    }
}

/// Returns the whole lines if there are any, else everything; and whether the result may begin in
/// the middle of a line.
fn end_of_tail(tail: &[u8]) -> (&[u8], bool) {
    let whole = tail.iter().position(|byte| *byte == b'\n').map(|end| &tail[end + 1..]);
    let whole = whole.filter(|lines| !lines.trim_ascii().is_empty());
    (whole.unwrap_or(tail), whole.is_none())
}

/// Returns the whole lines if there are any, else everything; and whether the result may end in the
/// middle of a line.
fn end_of_head(head: &[u8]) -> (&[u8], bool) {
    let whole = head.iter().rposition(|byte| *byte == b'\n').map(|end| &head[..end]);
    let whole = whole.filter(|lines| !lines.trim_ascii().is_empty());
    (whole.unwrap_or(head), whole.is_none())
}

impl fmt::Display for Tail<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_lines(f)?;
        if self.wants_terminal {
            f.write_str(" (it asked for a terminal: foreground() lets it use the parent's)")?;
        }
        Ok(())
    }
}

impl Tail<'_> {
    fn write_lines(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
                // The first line may begin in the middle, even inside a character.
                f.write_char('…')?;
            }
            let line = line.trim_start_matches(|c| index == 0 && is_cut && c == '\u{fffd}');
            let is_open = self.goes_on == Some(true) && index + 1 == shown.len();
            let line = line.trim_end_matches(|c| is_open && c == '\u{fffd}');
            write!(f, "{}", Escaped(line))?;
        }
        match self.goes_on {
            Some(is_open) if !shown.is_empty() => {
                f.write_str(if is_open { "…" } else { " | …" })
            }
            _ => Ok(()),
        }
    }
}

/// Displays text with its control characters escaped, because they could move a terminal's cursor.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_escaped = |c: char| c.is_control() && c != '\t';
        for part in self.0.split_inclusive(is_escaped) {
            let plain = part.trim_end_matches(is_escaped);
            f.write_str(plain)?;
            // At most one character.
            for c in part[plain.len()..].chars() {
                write!(f, "{}", c.escape_default())?;
            }
        }
        Ok(())
    }
}

trait FloorBoundary {
    fn floor_boundary(&self, at: usize) -> usize;
}

impl FloorBoundary for str {
    /// Returns the last character boundary at or before `at`, in bytes.
    fn floor_boundary(&self, at: usize) -> usize {
        (0..=at.min(self.len())).rev().find(|at| self.is_char_boundary(*at)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(stderr: &str) -> String {
        Tail::of(stderr.as_bytes(), None, RunSetup::default()).to_string()
    }

    /// Returns the displayed tail of a standard error that has a gap between the two parts.
    fn tail_of(head: &str, tail: &str) -> String {
        let gap = Gap { at: head.len(), skipped_bytes: 9 };
        Tail::of([head, tail].concat().as_bytes(), Some(gap), RunSetup::default()).to_string()
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
    fn a_line_that_is_quoted_later_is_the_same() {
        for command in [
            Command::new("git").args(["log", "", "a\0b", "\u{1b}"]),
            Command::new("x").args(iter::repeat_n("é'", 5000)),
            Command::new("x").args(["y"; 5000]),
            Command::new("x".repeat(5000)).arg("y"),
        ] {
            assert_eq!(CommandLine::new(&command, None).to_string(), quoted(&command));
        }
        let elsewhere = CommandLine::new(&Command::new("a b").arg("c"), Some("d".to_owned()));
        assert_eq!(elsewhere.to_string(), "'a b' c (on d)");
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
        // The only line is the one that the gap has cut.
        assert_eq!(tail_of("1\n2\n", "sk full\n"), ": …sk full");
        assert_eq!(tail_of("", "sk full"), ": …sk full");
    }

    #[test]
    fn a_request_for_a_terminal_gets_a_hint_unless_the_run_is_in_the_foreground() {
        let wish = "sh: cannot open /dev/tty: No such device or address\n";
        let advice = " (it asked for a terminal: foreground() lets it use the parent's)";
        assert_eq!(tail(wish), format!(": {}{advice}", wish.trim_end()));
        let more = "1\n2\n3\n4\n";
        assert_eq!(tail(&[wish, more].concat()), format!(": 2 | 3 | 4{advice}"));
        let setup = RunSetup { is_foreground: true, ..RunSetup::default() };
        let shown = Tail::of(wish.as_bytes(), None, setup).to_string();
        assert_eq!(shown, format!(": {}", wish.trim_end()));
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
