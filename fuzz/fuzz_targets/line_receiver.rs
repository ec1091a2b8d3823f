//! A stream, a delimiter and a limit, cut into chunks at will: the lines are those of the whole.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_protocol::LineReceiver;

#[derive(Debug, Arbitrary)]
struct Input {
    /// Empty: lines of text.
    delimiter: Vec<u8>,
    max_length: u8,
    stream: Vec<u8>,
    cuts: Vec<u8>,
    /// After so many events raw mode is set, and line mode after so many more.
    raw_after: Option<u8>,
    lines_after: Option<u8>,
}

/// What was found, in order.
#[derive(Debug, PartialEq)]
enum Found {
    Line(Vec<u8>),
    Cut(Vec<u8>),
    Raw(Bytes),
}

/// What the page of the type says, of the whole stream.
fn expected(stream: &[u8], delimiter: &[u8], max: usize) -> Vec<Found> {
    let is_text = delimiter.is_empty();
    let delimiter = if is_text { b"\n" } else { delimiter };
    let mut lines = Vec::new();
    let mut rest = stream;
    loop {
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let mut line = &rest[..at.unwrap_or(rest.len())];
        if at.is_none() && line.is_empty() {
            return lines;
        }
        if is_text && at.is_some() {
            line = line.strip_suffix(b"\r").unwrap_or(line);
        }
        lines.push(match line.len() {
            length if length > max => Found::Cut(line[..max].to_vec()),
            _ => Found::Line(line.to_vec()),
        });
        match at {
            Some(at) => rest = &rest[at + delimiter.len()..],
            None => return lines,
        }
    }
}

/// Whether one is what was expected; a cut may lie a character before the limit.
fn is_as_expected(found: &Found, expected: &Found) -> bool {
    match (found, expected) {
        (Found::Cut(found), Found::Cut(most)) => {
            let shorter = most.len() - found.len();
            let is_inside = |byte: &u8| byte & 0xc0 == 0x80;
            most.starts_with(found)
                && (shorter == 0
                    || shorter < 4
                        && most[found.len()] >= 0xc0
                        && most[found.len() + 1..].iter().all(is_inside))
        }
        _ => found == expected,
    }
}

fuzz_target!(|input: Input| {
    let mut delimiter = input.delimiter;
    delimiter.truncate(4);
    let max = usize::from(input.max_length);
    let mut receiver = match delimiter.is_empty() {
        true => LineReceiver::new(),
        false => LineReceiver::with_delimiter(delimiter.clone()),
    }
    .max_length(max);
    let modes = input.raw_after.is_some();
    let mut found = Vec::new();
    let mut rest = &input.stream[..];
    let mut cuts = input.cuts.iter().copied().map(usize::from);
    let poll = |receiver: &mut LineReceiver, found: &mut Vec<Found>| {
        loop {
            match receiver.poll() {
                Some(line) if line.is_cut() => found.push(Found::Cut(line.to_vec())),
                Some(line) => found.push(Found::Line(line.to_vec())),
                None => match receiver.poll_raw() {
                    Some(data) => found.push(Found::Raw(data)),
                    None => break,
                },
            }
            if input.raw_after.is_some_and(|n| usize::from(n) == found.len()) {
                receiver.set_raw_mode();
            }
            if input.lines_after.is_some_and(|n| usize::from(n) == found.len()) {
                receiver.set_line_mode(Bytes::new());
            }
        }
    };
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
        receiver.on_data(Bytes::copy_from_slice(now));
        poll(&mut receiver, &mut found);
        rest = later;
    }
    receiver.on_end();
    poll(&mut receiver, &mut found);
    if modes {
        // Whatever the modes: nothing is made up, and no line is longer than the limit.
        for found in &found {
            match found {
                Found::Line(line) | Found::Cut(line) => assert!(line.len() <= max),
                Found::Raw(data) => assert!(!data.is_empty()),
            }
        }
    } else {
        let expected = expected(&input.stream, &delimiter, max);
        assert_eq!(found.len(), expected.len(), "{found:?} {expected:?}");
        for (found, expected) in found.iter().zip(&expected) {
            assert!(is_as_expected(found, expected), "{found:?} {expected:?}");
        }
    }
});
