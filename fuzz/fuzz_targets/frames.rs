//! A stream, a format and a limit. The stream arrives in arbitrary chunks. The frames and the error must
//! be those that a plain reader of the whole stream finds.
#![no_main]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_protocol::{FrameErrorKind, FrameReceiver, Framing};

#[derive(Debug, Arbitrary)]
struct Input {
    format: u8,
    max_length: u8,
    pieces: Vec<Piece>,
    cuts: Vec<u8>,
}

/// The parts of a stream.
#[derive(Debug, Arbitrary)]
enum Piece {
    Byte(u8),
    Bytes(Vec<u8>),
    /// A whole frame.
    Frame(Vec<u8>),
    /// A frame without its last byte.
    Cut(Vec<u8>),
    Digits(u64),
    Colon,
    Comma,
    Name,
    OtherHeader,
    Line,
    EmptyLine,
}

const FORMATS: [Framing; 7] = [
    Framing::U8,
    Framing::U16Be,
    Framing::U16Le,
    Framing::U32Be,
    Framing::U32Le,
    Framing::Netstring,
    Framing::ContentLength,
];

fn stream(pieces: &[Piece], framing: Framing) -> Vec<u8> {
    let mut stream = Vec::new();
    let frame = |content: &[u8]| framing.frame(content).unwrap_or_default();
    for piece in pieces {
        match piece {
            Piece::Byte(byte) => stream.push(*byte),
            Piece::Bytes(bytes) => stream.extend_from_slice(bytes),
            Piece::Frame(content) => stream.extend_from_slice(&frame(content)),
            Piece::Cut(content) => {
                let frame = frame(content);
                stream.extend_from_slice(&frame[..frame.len().saturating_sub(1)]);
            }
            Piece::Digits(digits) => stream.extend(digits.to_string().bytes()),
            Piece::Colon => stream.push(b':'),
            Piece::Comma => stream.push(b','),
            Piece::Name => stream.extend_from_slice(b"Content-Length: "),
            Piece::OtherHeader => stream.extend_from_slice(b"X-Other: 1"),
            Piece::Line => stream.extend_from_slice(b"\r\n"),
            Piece::EmptyLine => stream.extend_from_slice(b"\r\n\r\n"),
        }
    }
    stream
}

type Found = Result<Vec<u8>, &'static str>;

/// A plain reader of one frame: its content and the rest of the stream; `None` at the end.
fn read<'a>(rest: &'a [u8], framing: Framing, max: usize) -> Option<Result<(&'a [u8], &'a [u8]), &'static str>> {
    if rest.is_empty() {
        return None;
    }
    Some(read_some(rest, framing, max))
}

fn read_some(rest: &[u8], framing: Framing, max: usize) -> Result<(&[u8], &[u8]), &'static str> {
    let bytes = |count: usize| rest.get(..count).ok_or("incomplete");
    let (head, length) = match framing {
        Framing::U8 => (1, u64::from(bytes(1)?[0])),
        Framing::U16Be => (2, u64::from(u16::from_be_bytes(bytes(2)?.try_into().unwrap()))),
        Framing::U16Le => (2, u64::from(u16::from_le_bytes(bytes(2)?.try_into().unwrap()))),
        Framing::U32Be => (4, u64::from(u32::from_be_bytes(bytes(4)?.try_into().unwrap()))),
        Framing::U32Le => (4, u64::from(u32::from_le_bytes(bytes(4)?.try_into().unwrap()))),
        Framing::Netstring => {
            let digits = rest.iter().position(|byte| !byte.is_ascii_digit());
            let end = digits.unwrap_or(rest.len());
            if end > 20 || end > 1 && rest[0] == b'0' {
                return Err("malformed");
            }
            if digits.is_none() {
                return Err("incomplete");
            }
            if end == 0 || rest[end] != b':' {
                return Err("malformed");
            }
            (end + 1, number(&rest[..end]))
        }
        _ => {
            let known = &rest[..rest.len().min(8192)];
            let end = known.windows(4).position(|window| window == b"\r\n\r\n");
            let Some(end) = end else {
                return Err(if known.len() == 8192 { "malformed" } else { "incomplete" });
            };
            let head = std::str::from_utf8(&rest[..end]).map(str::to_owned);
            // Other headers may have any bytes, so the text is only a way to split it.
            let head = head.unwrap_or_else(|_| rest[..end].iter().map(|byte| *byte as char).collect());
            let mut lengths = Vec::new();
            for line in head.split("\r\n") {
                let Some((name, value)) = line.split_once(':') else { return Err("malformed") };
                if name.is_empty() {
                    return Err("malformed");
                }
                if name.eq_ignore_ascii_case("content-length") {
                    lengths.push(value.trim_matches([' ', '\t', '\n', '\r', '\x0c']).to_owned());
                }
            }
            match &lengths[..] {
                [one] if !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit()) => {
                    (end + 4, number(one.as_bytes()))
                }
                _ => return Err("malformed"),
            }
        }
    };
    if length > max as u64 {
        return Err("too long");
    }
    let length = length as usize;
    let content = rest.get(head..head + length).ok_or("incomplete")?;
    let mut after = &rest[head + length..];
    if framing == Framing::Netstring {
        let (comma, later) = after.split_first().ok_or("incomplete")?;
        if *comma != b',' {
            return Err("malformed");
        }
        after = later;
    }
    Ok((content, after))
}

fn number(digits: &[u8]) -> u64 {
    let text = std::str::from_utf8(digits).unwrap();
    text.parse::<u128>().map_or(u64::MAX, |number| u64::try_from(number).unwrap_or(u64::MAX))
}

fuzz_target!(|input: Input| {
    let framing = FORMATS[usize::from(input.format) % FORMATS.len()];
    let max = usize::from(input.max_length);
    let stream = stream(&input.pieces, framing);

    let mut expected: Vec<Found> = Vec::new();
    let mut rest = &stream[..];
    while let Some(frame) = read(rest, framing, max) {
        match frame {
            Ok((content, later)) => {
                expected.push(Ok(content.to_vec()));
                rest = later;
            }
            Err(kind) => {
                expected.push(Err(kind));
                break;
            }
        }
    }

    let mut frames = FrameReceiver::new(framing).max_length(max);
    let mut found: Vec<Found> = Vec::new();
    let mut poll = |frames: &mut FrameReceiver| {
        while let Some(content) = frames.poll() {
            found.push(match content {
                Ok(content) => Ok(content.to_vec()),
                Err(error) => Err(match error.kind() {
                    FrameErrorKind::TooLong { .. } => "too long",
                    FrameErrorKind::Malformed => "malformed",
                    FrameErrorKind::Incomplete => "incomplete",
                    kind => panic!("{kind:?}"),
                }),
            });
        }
    };
    let mut rest = &stream[..];
    let mut cuts = input.cuts.iter().copied().map(usize::from);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
        frames.on_data(Bytes::copy_from_slice(now));
        poll(&mut frames);
        rest = later;
    }
    frames.on_end();
    frames.on_data(Bytes::from_static(b"late"));
    poll(&mut frames);
    assert_eq!(found, expected);
});
