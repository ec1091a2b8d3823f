//! A stream, a delimiter and a limit, cut into chunks at will: the lines are those of the whole.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_protocol::{LineEvent, LineReceiver};

#[derive(Debug, Arbitrary)]
struct Input {
    delimiter: Vec<u8>,
    max_length: u8,
    stream: Vec<u8>,
    cuts: Vec<u8>,
    /// After so many events raw mode is set, and line mode after so many more.
    raw_after: Option<u8>,
    lines_after: Option<u8>,
}

/// What the page of the type says, of the whole stream.
fn expected(stream: &[u8], delimiter: &[u8], max: usize) -> Vec<LineEvent> {
    let mut events = Vec::new();
    let mut rest = stream;
    loop {
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let line = &rest[..at.unwrap_or(rest.len())];
        if at.is_none() && line.is_empty() {
            return events;
        }
        events.push(match line.len() {
            length if length > max => LineEvent::TooLong(Bytes::copy_from_slice(&line[..max])),
            _ => LineEvent::Line(Bytes::copy_from_slice(line)),
        });
        match at {
            Some(at) => rest = &rest[at + delimiter.len()..],
            None => return events,
        }
    }
}

fuzz_target!(|input: Input| {
    let mut delimiter = input.delimiter;
    delimiter.truncate(4);
    if delimiter.is_empty() {
        delimiter.push(b'\n');
    }
    let max = usize::from(input.max_length);
    let mut receiver = LineReceiver::with_delimiter(delimiter.clone()).max_length(max);
    let modes = input.raw_after.is_some();
    let mut found = Vec::new();
    let mut rest = &input.stream[..];
    let mut cuts = input.cuts.iter().copied().map(usize::from);
    let poll = |receiver: &mut LineReceiver, found: &mut Vec<LineEvent>| {
        while let Some(event) = receiver.poll() {
            found.push(event);
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
        for event in &found {
            match event {
                LineEvent::Line(line) => assert!(line.len() <= max),
                LineEvent::TooLong(head) => assert_eq!(head.len(), max),
                LineEvent::Raw(data) => assert!(!data.is_empty()),
                other => panic!("an event that the model does not know: {other:?}"),
            }
        }
    } else {
        assert_eq!(found, expected(&input.stream, &delimiter, max));
    }
});
