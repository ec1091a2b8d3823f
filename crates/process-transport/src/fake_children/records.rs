//! Reads records of real children as scripts: the way back of `recording`.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use procession_core::Signal;
use procession_protocol::ChildFd;

use super::script::{FakeStep, Refusal, Rule, Script};
use crate::recording::file::about;

/// Reads the records of a file as rules, each for one child.
pub(super) fn read(path: &Path) -> io::Result<Vec<Rule>> {
    let text = fs::read_to_string(path).map_err(|error| about(path, &error))?;
    let mut rules: Vec<Rule> = Vec::new();
    for (line, number) in text.lines().zip(1..) {
        let read = match line.strip_prefix("run ") {
            Some(words) => start(words).map(|rule| rules.push(rule)),
            None => rules.last_mut().and_then(|rule| fact(line, &mut rule.script)),
        };
        if read.is_none() {
            let why = format!("line {number} of {} is no record: {line}", path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidData, why));
        }
    }
    Ok(rules)
}

fn start(words: &str) -> Option<Rule> {
    let mut rest = words;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let (word, after) = unquoted(rest)?;
        found.push(OsString::from_vec(word));
        rest = after.strip_prefix(' ').unwrap_or(after);
    }
    let mut rule = Rule::new(found);
    rule.is_exact = true;
    rule.left = Some(1);
    Some(rule)
}

/// Reads a line about a child: the pause before, and what the child does.
fn fact(line: &str, script: &mut Script) -> Option<()> {
    let (pause, what) = line.split_once(' ')?;
    let (verb, rest) = what.split_once(' ')?;
    let step = match verb {
        "write" => {
            let (fd, data) = rest.split_once(' ')?;
            let (data, "") = unquoted(data)? else { return None };
            FakeStep::Write(ChildFd::from(fd.parse::<i32>().ok()?), Bytes::from(data))
        }
        "exit" => FakeStep::Exit(rest.parse().ok()?),
        "signal" => FakeStep::ExitBySignal(Signal::from_raw(rest.parse().ok()?)),
        "fails" => {
            script.refusal = Some(Refusal::Os(rest.parse().ok()?));
            return Some(());
        }
        _ => return None,
    };
    let pause = FakeStep::Pause(Duration::from_millis(pause.parse().ok()?));
    script.steps.extend([pause, step]);
    Some(())
}

/// Reads a word in quotes; returns its bytes and what follows.
fn unquoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let mut rest = text.strip_prefix('"')?;
    let mut bytes = Vec::new();
    loop {
        let at = rest.find(['"', '\\'])?;
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let after = &rest[at + 1..];
        if rest.as_bytes()[at] == b'"' {
            return Some((bytes, after));
        }
        let escape = after.chars().next()?;
        rest = after.get(escape.len_utf8()..)?;
        match escape {
            'n' => bytes.push(b'\n'),
            'r' => bytes.push(b'\r'),
            't' => bytes.push(b'\t'),
            '\'' | '"' | '\\' => bytes.push(u8::try_from(escape).ok()?),
            'x' => {
                bytes.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                rest = rest.get(2..)?;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::unquoted;
    use crate::recording::quoted;

    #[test]
    fn all_bytes_come_back_from_their_quotes() {
        let all: Vec<u8> = (0..=255).collect();
        let text = quoted(&all) + " rest";
        assert_eq!(unquoted(&text), Some((all, " rest")));
        for bad in ["", "x", "\"x", "\"\\", "\"\\q\"", "\"\\x1", "\"\\xzz\""] {
            assert_eq!(unquoted(bad), None, "{bad:?}");
        }
    }
}
