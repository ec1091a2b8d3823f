//! What the supervisor shows: lines with the name of their program, and on a terminal a live table below
//! them.

use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal, Write};

use procession::MonitorTable;

pub(crate) enum Screen {
    /// Lines alone, for a file or a pipe.
    Lines,
    Table(LiveTable),
}

/// A table that is always the last thing on a terminal. Each change is one write, which replaces it.
#[derive(Default)]
pub(crate) struct LiveTable {
    text: RefCell<String>,
    /// How many of its lines are on the terminal.
    shown: Cell<usize>,
}

impl Screen {
    pub(crate) fn new() -> Self {
        if io::stdout().is_terminal() { Self::Table(LiveTable::default()) } else { Self::Lines }
    }

    pub(crate) fn has_table(&self) -> bool {
        matches!(self, Self::Table(_))
    }

    /// Writes a line: a name, a mark, and a text.
    ///
    /// On a terminal, control characters of the text are shown and not obeyed: a program could move the
    /// cursor out of its line.
    pub(crate) fn line(&self, name: &str, mark: char, text: &[u8]) -> io::Result<()> {
        match self {
            Self::Lines => {
                let line = [name.as_bytes(), format!(" {mark} ").as_bytes(), text, b"\n"].concat();
                io::stdout().write_all(&line)
            }
            Self::Table(table) => {
                let mut line = format!("{name} {mark} ");
                for c in String::from_utf8_lossy(text).chars() {
                    if c.is_control() { line.extend(c.escape_default()) } else { line.push(c) }
                }
                table.draw(&(line + "\n"))
            }
        }
    }

    /// Shows the table as it is now.
    pub(crate) fn show(&self, table: &MonitorTable) -> io::Result<()> {
        let Self::Table(live) = self else { return Ok(()) };
        let text = table.to_string();
        if live.text.replace(text.clone()) == text { Ok(()) } else { live.draw("") }
    }
}

impl LiveTable {
    /// Replaces the table on the terminal by these lines and the table as it is now.
    fn draw(&self, lines: &str) -> io::Result<()> {
        let text = self.text.borrow();
        // The cursor is below the table, so one row of the terminal is not for it.
        let rows = rustix::termios::tcgetwinsize(io::stdout()).map_or(24, |size| size.ws_row);
        let table: Vec<&str> = text.lines().take(usize::from(rows.max(2)) - 1).collect();
        let up = match self.shown.replace(table.len()) {
            0 => String::new(),
            shown => format!("\x1b[{shown}A"),
        };
        // From there the terminal is cleared. A row of the table that is too long is cut.
        let mut all = format!("\r{up}\x1b[J{lines}\x1b[?7l");
        for row in table {
            all.push_str(row);
            all.push('\n');
        }
        all.push_str("\x1b[?7h");
        let mut stdout = io::stdout().lock();
        stdout.write_all(all.as_bytes())?;
        stdout.flush()
    }
}
