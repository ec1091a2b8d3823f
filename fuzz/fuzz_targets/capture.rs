//! The part of an output that a helper keeps. The output arrives in arbitrary chunks. The kept part
//! must be the head and the tail of the whole output, cut between characters.
//!
//! The module is compiled into this target, because its crate does not export it.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

#[path = "../../crates/utils/src/keep.rs"]
#[expect(dead_code, reason = "it is written for its crate")]
mod keep;

mod gap {
    //! The gap in a kept output.

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Gap {
        pub at: usize,
        pub skipped_bytes: u64,
    }
}

#[derive(Debug, Arbitrary)]
struct Input {
    head: u8,
    tail: u8,
    stream: Stream,
    cuts: Vec<u8>,
}

#[derive(Debug, Arbitrary)]
enum Stream {
    Text(String),
    Bytes(Vec<u8>),
}

/// Returns the bounds of the UTF-8 character that a cut at `at` would divide.
fn character_around(stream: &[u8], at: usize) -> Option<(usize, usize)> {
    (at.saturating_sub(3)..at).find_map(|start| {
        (at + 1..=stream.len().min(start + 4)).find_map(|end| {
            let text = std::str::from_utf8(&stream[start..end]).ok()?;
            (text.chars().count() == 1).then_some((start, end))
        })
    })
}

fuzz_target!(|input: Input| {
    let (head, tail) = (usize::from(input.head), usize::from(input.tail));
    let (stream, is_text) = match input.stream {
        Stream::Text(text) => (text.into_bytes(), true),
        Stream::Bytes(bytes) => (bytes, false),
    };
    let mut capture = keep::Capture::new(keep::Keep::head_and_tail(head, tail));
    let mut cuts = input.cuts.iter().copied().map(usize::from);
    let (mut rest, mut pushed) = (&stream[..], 0);
    while !rest.is_empty() {
        let (now, later) = rest.split_at(cuts.next().unwrap_or(rest.len()).min(rest.len()));
        pushed += now.len();
        assert_eq!(capture.push(now), pushed <= head + tail);
        rest = later;
    }
    let (kept, gap) = capture.take();
    assert_eq!(capture.take().0.len(), 0, "it is taken once");
    if stream.len() <= head + tail {
        assert_eq!((&kept[..], gap), (&stream[..], None));
        return;
    }
    let end = character_around(&stream, head).map_or(head, |(start, _)| start);
    let begin = stream.len() - tail;
    let begin = character_around(&stream, begin).map_or(begin, |(_, end)| end);
    assert_eq!(kept, [&stream[..end], &stream[begin..]].concat());
    let skipped_bytes = u64::try_from(begin - end).expect("it is no longer than the stream");
    assert_eq!(gap, Some(gap::Gap { at: end, skipped_bytes }));
    assert!(!is_text || std::str::from_utf8(&kept).is_ok(), "text stays text");
});
