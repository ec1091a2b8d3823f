//! The receiver of frames against a model, and text against the standard library: neither depends on the
//! division into chunks.

use bytes::Bytes;
use procession_protocol::{FrameError, FrameErrorKind, FrameReceiver, Framing, Utf8Chunks};
use proptest::prelude::*;

/// Each format, and the longest content that it can say, or else one that is long.
const ALL: [(Framing, usize); 7] = [
    (Framing::U8, 255),
    (Framing::U16Be, 65_535),
    (Framing::U16Le, 65_535),
    (Framing::U32Be, 70_000),
    (Framing::U32Le, 70_000),
    (Framing::Netstring, 70_000),
    (Framing::ContentLength, 70_000),
];

type Found = Vec<Result<Bytes, FrameErrorKind>>;

/// Feeds the pieces of a stream, and asks after each of them.
fn receive(mut frames: FrameReceiver, pieces: &[&[u8]]) -> Found {
    let mut found = Vec::new();
    let mut poll = |frames: &mut FrameReceiver| {
        while let Some(content) = frames.poll() {
            found.push(content.map_err(|error: FrameError| error.kind()));
        }
    };
    for piece in pieces {
        frames.on_data(Bytes::copy_from_slice(piece));
        poll(&mut frames);
    }
    frames.on_end();
    frames.on_data("late".into());
    poll(&mut frames);
    assert_eq!(frames.poll(), None);
    found
}

fn pieces<'stream>(stream: &'stream [u8], cuts: &[usize]) -> Vec<&'stream [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect()
}

fn framing() -> impl Strategy<Value = Framing> {
    prop::sample::select(ALL.map(|(framing, _)| framing).to_vec())
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(any::<usize>(), 0..20)
}

fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop::collection::vec(prop::collection::vec(any::<u8>(), 0..200), 0..6)
}

/// Streams that look like frames, but for a byte here and there.
fn nearly() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop::sample::select(b"0129:,\r\n \0\x01\x03\xffCcontent-length: ".to_vec());
    let piece = prop_oneof![
        byte.prop_map(|byte| vec![byte]),
        Just(b"Content-Length: ".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"3:abc,".to_vec()),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    /// Case FR-01.
    #[test]
    fn frames_come_back_however_they_are_cut(
        framing in framing(), contents in contents(), cuts in cuts(),
    ) {
        let frames: Result<Vec<_>, _> = contents.iter().map(|content| framing.frame(content)).collect();
        let stream = frames?.concat();
        let found = receive(FrameReceiver::new(framing), &pieces(&stream, &cuts));
        let expected: Found = contents.into_iter().map(|content| Ok(content.into())).collect();
        prop_assert_eq!(found, expected);
    }

    /// Case FR-02.
    #[test]
    fn any_stream_gives_the_same_however_it_is_cut(
        framing in framing(), stream in nearly(), cuts in cuts(), max_length in 0_usize..30,
    ) {
        let frames = FrameReceiver::new(framing).max_length(max_length);
        let whole = receive(frames.clone(), &[&stream]);
        prop_assert_eq!(&receive(frames.clone(), &pieces(&stream, &cuts)), &whole);
        let bytes: Vec<_> = stream.chunks(1).collect();
        prop_assert_eq!(&receive(frames, &bytes), &whole);
        let errors = whole.iter().filter(|content| content.is_err()).count();
        prop_assert!(errors <= 1);
    }

    /// Case FR-03.
    #[test]
    fn a_stream_that_ends_early_is_incomplete(framing in framing(), left in any::<usize>()) {
        let frame = framing.frame("content")?;
        let left = 1 + left % (frame.len() - 1);
        let found = receive(FrameReceiver::new(framing), &[&frame[..left]]);
        prop_assert_eq!(found, [Err(FrameErrorKind::Incomplete)]);
    }

    /// Case FR-09.
    #[test]
    fn text_is_what_the_standard_library_makes_of_the_whole(
        stream in text(), cuts in cuts(),
    ) {
        let mut decoder = Utf8Chunks::new();
        let mut text: String = pieces(&stream, &cuts).iter().map(|piece| decoder.decode(piece)).collect();
        text.push_str(decoder.end());
        prop_assert_eq!(text, String::from_utf8_lossy(&stream));
        let invalid = stream.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
        prop_assert_eq!(decoder.invalid(), invalid as u64);
    }
}

/// Text with bytes of characters, whole and cut, and without.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        any::<char>().prop_map(|char| char.to_string().into_bytes()),
        prop::sample::select(b"a\x80\xbf\xc0\xc3\xe2\x82\xed\xa0\xf0\x9f\x98\xf4\x90\xff".to_vec())
            .prop_map(|byte| vec![byte]),
    ];
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

/// Case FR-07.
#[test]
fn each_format_says_a_length_of_up_to_its_limit_and_no_more() {
    for (framing, most) in ALL {
        let content = vec![b'x'; most];
        let frame = framing.frame(&content).unwrap();
        let found = receive(FrameReceiver::new(framing), &[&frame]);
        assert_eq!(found, [Ok(content.into())], "{framing:?}");
        if most < 70_000 {
            let kind = framing.frame(vec![0; most + 1]).unwrap_err().kind();
            let (length, most) = (most as u64 + 1, most as u64);
            assert_eq!(kind, FrameErrorKind::TooLong { length, most });
        }
    }
}

/// Case FR-04.
#[test]
fn a_head_that_says_more_than_the_limit_is_an_error_before_its_content() {
    for (framing, head, length) in [
        (Framing::U8, &b"\x0b"[..], 11),
        (Framing::U16Be, b"\x01\x00", 256),
        (Framing::U16Le, b"\x0b\x00", 11),
        (Framing::U32Be, b"\xff\xff\xff\xff", u64::from(u32::MAX)),
        (Framing::U32Le, b"\0\0\0\x01", 1 << 24),
        (Framing::Netstring, b"11:", 11),
        (Framing::Netstring, b"99999999999999999999:", u64::MAX),
        (Framing::ContentLength, b"content-LENGTH:11\r\n\r\n", 11),
    ] {
        let mut frames = FrameReceiver::new(framing).max_length(10);
        frames.on_data(head.into());
        let error = frames.poll().expect("an error").expect_err("too long");
        assert_eq!(error.kind(), FrameErrorKind::TooLong { length, most: 10 }, "{framing:?}");
        frames.on_data("more".into());
        assert_eq!(frames.poll(), None);
    }
}

/// Case FR-05.
#[test]
fn malformed_heads_are_refused() {
    for (framing, stream) in [
        (Framing::Netstring, "a"),
        (Framing::Netstring, ":"),
        (Framing::Netstring, "01:a,"),
        (Framing::Netstring, "-1:a,"),
        (Framing::Netstring, " 1:a,"),
        (Framing::Netstring, "1:ab"),
        (Framing::Netstring, "111111111111111111111"),
        (Framing::ContentLength, "\r\n\r\n"),
        (Framing::ContentLength, "Content-Type: text\r\n\r\n"),
        (Framing::ContentLength, "Content-Length: \r\n\r\n"),
        (Framing::ContentLength, "Content-Length: +1\r\n\r\n"),
        (Framing::ContentLength, "Content-Length: 1 1\r\n\r\n"),
        (Framing::ContentLength, "Content-Length: 1\r\nContent-Length: 1\r\n\r\n"),
        (Framing::ContentLength, "Content-Length: 1\r\nno header\r\n\r\n"),
        (Framing::ContentLength, ": 1\r\nContent-Length: 1\r\n\r\n"),
    ] {
        let found = receive(FrameReceiver::new(framing), &[stream.as_bytes()]);
        assert_eq!(found, [Err(FrameErrorKind::Malformed)], "{stream:?}");
    }
}

/// Case FR-06.
#[test]
fn headers_are_bounded() {
    let mut frames = FrameReceiver::new(Framing::ContentLength);
    let mut fed = 0;
    let error = loop {
        frames.on_data(Bytes::from_static(b"X: y\r\n"));
        fed += 6;
        match frames.poll() {
            Some(error) => break error.expect_err("no end of the headers"),
            None => assert!(fed < 8192, "{fed} bytes are kept"),
        }
    };
    assert_eq!(error.kind(), FrameErrorKind::Malformed);
}

#[test]
fn other_headers_are_skipped() {
    let stream =
        b"Content-Type: utf-8\r\nCONTENT-LENGTH:  2 \r\nX:\r\n\r\n{}Content-Length: 0\r\n\r\n";
    let found = receive(FrameReceiver::new(Framing::ContentLength), &[stream]);
    assert_eq!(found, [Ok("{}".into()), Ok("".into())]);
}
