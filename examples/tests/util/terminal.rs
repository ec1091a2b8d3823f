//! An example on a terminal: what a person sees there, and types.

use std::cell::RefCell;
use std::rc::Rc;

use procession::prelude::*;

use super::{DEADLINE, bound};

/// What a terminal shows: a small one, which knows what the examples use.
#[derive(Debug, Clone)]
pub(crate) struct Screen {
    rows: usize,
    columns: usize,
    /// All lines, also those that have scrolled off the top.
    lines: Vec<Vec<char>>,
    at: (usize, usize),
    wraps: bool,
    /// A sequence that has not ended yet.
    sequence: String,
    /// Bytes of a character that has not ended yet.
    partial: Vec<u8>,
}

impl Screen {
    pub(crate) fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns,
            lines: vec![Vec::new()],
            at: (0, 0),
            wraps: true,
            sequence: String::new(),
            partial: Vec::new(),
        }
    }

    /// Returns the lines without trailing spaces, and without the empty ones at the end.
    pub(crate) fn lines(&self) -> Vec<String> {
        let line = |line: &Vec<char>| line.iter().collect::<String>().trim_end().to_owned();
        let mut lines: Vec<String> = self.lines.iter().map(line).collect();
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines
    }

    pub(crate) fn write(&mut self, data: &[u8]) {
        self.partial.extend_from_slice(data);
        let partial = std::mem::take(&mut self.partial);
        let text = match std::str::from_utf8(&partial) {
            Ok(text) => text,
            Err(error) => {
                let (text, rest) = partial.split_at(error.valid_up_to());
                self.partial = rest.to_owned();
                std::str::from_utf8(text).expect("up to there it is")
            }
        };
        text.chars().for_each(|c| self.on_char(c));
    }

    fn on_char(&mut self, c: char) {
        match c {
            _ if !self.sequence.is_empty() => {
                self.sequence.push(c);
                if c.is_ascii_alphabetic() {
                    let sequence = std::mem::take(&mut self.sequence);
                    self.on_sequence(&sequence);
                }
            }
            '\x1b' => self.sequence.push(c),
            '\r' => self.at.1 = 0,
            '\n' => self.down(),
            c => {
                assert!(!c.is_control(), "{c:?} is on the screen");
                if self.at.1 == self.columns {
                    if !self.wraps {
                        self.at.1 -= 1;
                    } else {
                        self.at.1 = 0;
                        self.down();
                    }
                }
                let line = &mut self.lines[self.at.0];
                line.resize(line.len().max(self.at.1 + 1), ' ');
                line[self.at.1] = c;
                self.at.1 += 1;
            }
        }
    }

    fn on_sequence(&mut self, sequence: &str) {
        match sequence {
            "\x1b[?7l" => self.wraps = false,
            "\x1b[?7h" => self.wraps = true,
            "\x1b[J" => {
                self.lines.truncate(self.at.0 + 1);
                self.lines[self.at.0].truncate(self.at.1);
            }
            _ => {
                let up = sequence.strip_prefix("\x1b[").and_then(|rest| rest.strip_suffix('A'));
                let up = up.and_then(|up| up.parse::<usize>().ok());
                let up = up.unwrap_or_else(|| panic!("{sequence:?} is not known here"));
                let top = self.lines.len().saturating_sub(self.rows);
                self.at.0 = self.at.0.saturating_sub(up).max(top);
            }
        }
    }

    fn down(&mut self) {
        self.at.0 += 1;
        if self.at.0 == self.lines.len() {
            self.lines.push(Vec::new());
        }
    }
}

/// An example that runs on a terminal.
pub(crate) struct OnTerminal {
    reactor: Reactor,
    process: Process,
    seen: Rc<RefCell<(Screen, Option<ExitReason>)>>,
}

struct Watch(Rc<RefCell<(Screen, Option<ExitReason>)>>);

impl ProcessProtocol for Watch {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.0.borrow_mut().0.write(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.0.borrow_mut().1 = Some(reason);
    }
}

impl OnTerminal {
    pub(crate) fn start(command: Command, rows: u16, columns: u16) -> Self {
        procession_test_support::announce();
        let reactor = Reactor::new().expect("the thread has no other reactor");
        let screen = Screen::new(rows.into(), columns.into());
        let seen = Rc::new(RefCell::new((screen, None)));
        let command = command.pty(Pty::new().size(rows, columns)).owned(true);
        let process = reactor.spawn_process(Watch(Rc::clone(&seen)), command);
        Self { process: process.expect("it can be started"), reactor, seen }
    }

    pub(crate) fn keys(&self, keys: &'static str) {
        self.process.write(keys);
    }

    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Waits until the screen is as wanted, and returns its lines.
    pub(crate) fn until(&mut self, what: &str, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        self.turn_until(what, |screen, _| is_so(&screen.lines()))
    }

    /// Waits for the end. Returns what the screen shows then, and how the example ended.
    pub(crate) fn end(mut self) -> (Vec<String>, ExitReason) {
        let lines = self.turn_until("it ends", |_, reason| reason.is_some());
        let reason = self.seen.borrow_mut().1.take();
        (lines, reason.expect("it has ended"))
    }

    fn turn_until(
        &mut self,
        what: &str,
        is_so: impl Fn(&Screen, &Option<ExitReason>) -> bool,
    ) -> Vec<String> {
        let deadline = self.reactor.now() + bound(DEADLINE);
        loop {
            {
                let seen = self.seen.borrow();
                let lines = seen.0.lines();
                if is_so(&seen.0, &seen.1) {
                    return lines;
                }
                let is_late = self.reactor.now() >= deadline;
                assert!(!is_late, "not before the deadline: {what}\n{}", lines.join("\n"));
            }
            self.reactor.turn(Some(DEADLINE / 1000)).expect("a turn");
        }
    }
}
