//! A stream, a delimiter and a limit. The stream arrives in arbitrary chunks. The lines and the raw
//! data must be those of the whole stream, even if the mode changes in between.
#![no_main]

use std::ops::ControlFlow;

use arbitrary::Arbitrary;
use bytes::{Buf, Bytes};
use libfuzzer_sys::fuzz_target;
use procession_protocol::{Line, LineReceiver};

#[derive(Debug, Arbitrary)]
struct Input {
    /// If it is empty, the stream has lines of text.
    delimiter: Vec<u8>,
    max_length: u8,
    pieces: Vec<Piece>,
    cuts: Vec<u8>,
    /// For each pair: after this many further lines, raw mode for this many bytes. If there are too
    /// few lines, the mode never changes.
    modes: Vec<(u8, u8)>,
    /// The lines are asked for in calls, not one by one.
    calls: bool,
}

/// The parts of a stream.
#[derive(Debug, Arbitrary)]
enum Piece {
    Byte(u8),
    Return,
    Feed,
    Delimiter,
    HalfADelimiter,
    Character(char),
}

/// Returns the whole stream.
fn stream(pieces: &[Piece], delimiter: &[u8]) -> Vec<u8> {
    let mut stream = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Byte(byte) => stream.push(*byte),
            Piece::Return => stream.push(b'\r'),
            Piece::Feed => stream.push(b'\n'),
            Piece::Delimiter => stream.extend_from_slice(delimiter),
            Piece::HalfADelimiter => stream.extend_from_slice(&delimiter[..delimiter.len() / 2]),
            Piece::Character(character) => stream.extend(character.to_string().bytes()),
        }
    }
    stream
}

/// The results, in order. Raw data between two changes of the mode is one result.
#[derive(Debug, PartialEq)]
enum Found {
    Line(Vec<u8>),
    Cut(Vec<u8>),
    Raw(Vec<u8>),
}

/// Returns how many bytes of a line that exceeds the limit may be reported. The cut lies before a
/// character that the limit would divide.
fn cut_at(known: &[u8], max: usize) -> usize {
    let begins = (max.saturating_sub(3)..max).rev().find(|at| known[*at] & 0xc0 != 0x80);
    let divides = |at: &usize| {
        let length = match known[*at] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            _ => 1,
        };
        at + length > max
    };
    match known[max] & 0xc0 == 0x80 {
        true => begins.filter(divides).unwrap_or(max),
        false => max,
    }
}

/// Returns what the documentation of the type says about the whole stream.
fn expected(input: &Input, stream: &[u8], delimiter: &[u8], max: usize) -> Vec<Found> {
    let is_text = input.delimiter.is_empty();
    let mut modes =
        input.modes.iter().map(|(lines, bytes)| (usize::from(*lines), usize::from(*bytes)));
    let mut mode = modes.next();
    let mut found = Vec::new();
    let mut rest = stream;
    loop {
        if let Some((0, bytes)) = mode {
            let (raw, later) = rest.split_at(bytes.min(rest.len()));
            if !raw.is_empty() {
                found.push(Found::Raw(raw.to_vec()));
            }
            if raw.len() < bytes {
                return found;
            }
            rest = later;
            mode = modes.next();
            continue;
        }
        let at = rest.windows(delimiter.len()).position(|window| window == delimiter);
        let mut line = &rest[..at.unwrap_or(rest.len())];
        if at.is_none() && line.is_empty() {
            return found;
        }
        if is_text && at.is_some() {
            line = line.strip_suffix(b"\r").unwrap_or(line);
        }
        mode = mode.map(|(lines, bytes)| (lines - 1, bytes));
        let is_cut = line.len() > max;
        // Raw mode starts directly after the part of a line that is reported.
        let goes_raw = matches!(mode, Some((0, _)));
        if is_cut {
            let end = cut_at(rest, max);
            found.push(Found::Cut(rest[..end].to_vec()));
            if goes_raw {
                rest = &rest[end..];
                continue;
            }
        } else {
            found.push(Found::Line(line.to_vec()));
        }
        match at {
            Some(at) => rest = &rest[at + delimiter.len()..],
            None => rest = &[],
        }
    }
}

fuzz_target!(|input: Input| {
    let mut delimiter = input.delimiter.clone();
    delimiter.truncate(4);
    let max = usize::from(input.max_length);
    let mut receiver = match delimiter.is_empty() {
        true => LineReceiver::new(),
        false => LineReceiver::with_delimiter(delimiter.clone()),
    }
    .max_length(max);
    let mut modes =
        input.modes.iter().map(|(lines, bytes)| (usize::from(*lines), usize::from(*bytes)));
    let mut mode = modes.next();
    let mut found = Vec::new();
    // The raw data of the current raw mode.
    let mut raw = Vec::new();
    let mut poll = |receiver: &mut LineReceiver, found: &mut Vec<Found>| {
        loop {
            if let Some((0, left)) = mode {
                receiver.set_raw_mode();
                assert!(receiver.is_raw() && receiver.poll().is_none());
                if left == 0 {
                    found.extend((!raw.is_empty()).then(|| Found::Raw(std::mem::take(&mut raw))));
                    receiver.set_line_mode(Bytes::new());
                    mode = modes.next();
                    continue;
                }
                let Some(mut data) = receiver.poll_raw() else { return };
                assert!(!data.is_empty());
                let taken = data.len().min(left);
                raw.extend_from_slice(&data[..taken]);
                data.advance(taken);
                mode = Some((0, left - taken));
                if !data.is_empty() {
                    found.push(Found::Raw(std::mem::take(&mut raw)));
                    receiver.set_line_mode(data);
                    mode = modes.next();
                }
                continue;
            }
            assert!(!receiver.is_raw() && receiver.poll_raw().is_none());
            let mut take = |line: Line| {
                assert!(line.len() <= max);
                found.push(match line.is_cut() {
                    true => Found::Cut(line.to_vec()),
                    false => Found::Line(line.to_vec()),
                });
                mode = mode.map(|(lines, bytes)| (lines - 1, bytes));
                match mode {
                    Some((0, _)) => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                }
            };
            if input.calls {
                receiver.for_each_line(take);
                if !matches!(mode, Some((0, _))) {
                    return;
                }
                continue;
            }
            let Some(line) = receiver.poll() else { return };
            // The loop asks for the mode itself.
            let _ = take(line);
        }
    };
    let stream = stream(&input.pieces, if delimiter.is_empty() { b"\n" } else { &delimiter });
    let mut rest = &stream[..];
    let mut cuts = input.cuts.iter().copied().map(usize::from);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
        receiver.on_data(Bytes::copy_from_slice(now));
        poll(&mut receiver, &mut found);
        rest = later;
    }
    receiver.on_end();
    receiver.on_data(Bytes::from_static(b"late\n"));
    poll(&mut receiver, &mut found);
    found.extend((!raw.is_empty()).then(|| Found::Raw(std::mem::take(&mut raw))));
    let delimiter = if delimiter.is_empty() { b"\n" } else { &delimiter[..] };
    assert_eq!(found, expected(&input, &stream, delimiter, max));
});
