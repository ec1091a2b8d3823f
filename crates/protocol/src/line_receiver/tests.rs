//! The promises of the receiver's page, checked on small streams.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

fn poll_all(lines: &mut LineReceiver) -> Vec<Line> {
    std::iter::from_fn(|| lines.poll()).collect()
}

fn line(text: &'static str) -> Line {
    whole(Bytes::from_static(text.as_bytes()))
}

fn cut(text: &'static str) -> Line {
    Line { is_cut: true, ..line(text) }
}

#[test]
fn a_line_that_lies_in_one_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from(b"one\ntwo\n".to_vec());
    let mut lines = LineReceiver::new();
    lines.on_data(chunk.clone());
    let (one, two) = (lines.poll().unwrap(), lines.poll().unwrap());
    assert_eq!(one.as_ptr(), chunk.as_ptr());
    assert_eq!(two.as_ptr(), chunk[4..].as_ptr());
}

#[test]
fn lines_that_are_called_with_are_slices_too_and_stop_at_a_break() {
    let chunk = Bytes::from(b"one\ntwo\nthree\nfo".to_vec());
    let mut lines = LineReceiver::new();
    lines.on_data(chunk.clone());
    let mut found = Vec::new();
    lines.for_each_line(|line| {
        found.push(line);
        if found.len() < 2 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    assert_eq!(found, [line("one"), line("two")]);
    assert_eq!(found[1].as_ptr(), chunk[4..].as_ptr());
    lines.on_data("ur\n".into());
    assert_eq!(poll_all(&mut lines), [line("three"), line("four")]);
}

#[test]
fn a_panic_of_the_call_takes_its_line_and_no_other() {
    let mut lines = LineReceiver::new();
    lines.on_data("one\ntwo\nthree\n".into());
    let mut calls = 0;
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        lines.for_each_line(|_| {
            calls += 1;
            assert!(calls < 2, "on purpose");
            ControlFlow::Continue(())
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(poll_all(&mut lines), [line("three")]);
}

#[test]
fn a_delimiter_may_be_cut_anywhere() {
    let mut lines = LineReceiver::with_delimiter("\r\n");
    for byte in "a\rb\r\n\r\r\n\r\n".bytes() {
        lines.on_data(Bytes::from(vec![byte]));
    }
    assert_eq!(poll_all(&mut lines), [line("a\rb"), line("\r"), line("")]);
}

#[test]
fn the_unterminated_last_line_is_handed_over_once() {
    let mut lines = LineReceiver::new();
    lines.on_data("last".into());
    assert_eq!(lines.poll(), None);
    lines.on_end();
    assert_eq!(poll_all(&mut lines), [line("last")]);
    lines.on_end();
    lines.on_data("late\n".into());
    assert_eq!(lines.poll(), None);
}

#[test]
fn a_line_that_is_too_long_is_cut_and_its_rest_skipped() {
    let mut lines = LineReceiver::new().max_length(3);
    lines.on_data("abc\nabcd".into());
    assert_eq!(poll_all(&mut lines), [line("abc"), cut("abc")]);
    lines.on_data("efgh\nnext\nok\n".into());
    assert_eq!(poll_all(&mut lines), [cut("nex"), line("ok")]);
}

#[test]
fn raw_mode_begins_right_after_the_line_that_asked_for_it() {
    let mut lines = LineReceiver::new();
    lines.on_data("head\nraw bytes\nlines\n".into());
    assert_eq!(lines.poll(), Some(line("head")));
    lines.set_raw_mode();
    assert!(lines.is_raw());
    assert_eq!(lines.poll(), None);
    let raw = lines.poll_raw().unwrap();
    assert_eq!(raw, "raw bytes\nlines\n");
    lines.set_line_mode(raw.slice("raw bytes\n".len()..));
    assert!(!lines.is_raw());
    assert_eq!(lines.poll_raw(), None);
    assert_eq!(poll_all(&mut lines), [line("lines")]);
}

#[test]
fn a_skipped_line_keeps_no_more_than_may_begin_a_delimiter() {
    let mut lines = LineReceiver::with_delimiter("-+-").max_length(2);
    lines.on_data("abcdefgh-".into());
    assert_eq!(poll_all(&mut lines), [cut("ab")]);
    assert_eq!(lines.partial, "h-");
    lines.on_data("+".into());
    assert_eq!(lines.poll(), None);
    assert_eq!(lines.partial, "-+");
    lines.on_data("-ok-+-".into());
    assert_eq!(poll_all(&mut lines), [line("ok")]);
    assert_eq!((overlap(b"-+-"), overlap(b"\n")), (2, 0));
}

#[test]
fn raw_mode_after_too_long_gives_the_rest_of_the_line() {
    let mut lines = LineReceiver::new().max_length(2);
    lines.on_data("abcdef".into());
    assert_eq!(lines.poll(), Some(cut("ab")));
    lines.set_raw_mode();
    assert_eq!(lines.poll_raw().unwrap(), "cdef");
}

#[test]
fn one_return_before_a_line_feed_is_not_part_of_the_line() {
    let stream = "a\r\nb\r\r\n\r\nc\rd\n\ne\r";
    let expected = [line("a"), line("b\r"), line(""), line("c\rd"), line(""), line("e\r")];
    for size in 1..=stream.len() {
        let mut lines = LineReceiver::new();
        stream.as_bytes().chunks(size).for_each(|chunk| lines.on_data(chunk.to_vec().into()));
        lines.on_end();
        assert_eq!(poll_all(&mut lines), expected, "{size}");
    }
}

#[test]
fn a_return_does_not_count_for_the_limit() {
    for size in 1..6 {
        let mut lines = LineReceiver::new().max_length(3);
        b"abc\r\nabcd\r\nx\n".chunks(size).for_each(|chunk| lines.on_data(chunk.to_vec().into()));
        assert_eq!(poll_all(&mut lines), [line("abc"), cut("abc"), line("x")], "{size}");
    }
}

#[test]
fn the_loop_of_the_page_goes_on_behind_a_line_that_is_too_long() {
    let mut lines = LineReceiver::new();
    lines.on_data(["one\n", &"x".repeat(17 << 10), "\ntwo\n"].concat().into());
    let mut found = Vec::new();
    while let Some(line) = lines.poll() {
        found.push((line.len(), line.is_cut()));
    }
    assert_eq!(found, [(3, false), (16 << 10, true), (3, false)]);
}

#[test]
fn a_line_is_cut_between_characters() {
    for (text, most, kept) in [
        ("aäb", 2, "a"),
        ("aäb", 3, "aä"),
        ("a€b", 2, "a"),
        ("a€b", 3, "a"),
        ("a€b", 4, "a€"),
        ("𝄞𝄞", 7, "𝄞"),
        ("𝄞𝄞", 5, "𝄞"),
        ("𝄞𝄞", 4, "𝄞"),
        ("𝄞", 3, ""),
    ] {
        for size in 1..=text.len() {
            let mut lines = LineReceiver::new().max_length(most);
            text.as_bytes().chunks(size).for_each(|chunk| lines.on_data(chunk.to_vec().into()));
            lines.on_end();
            assert_eq!(poll_all(&mut lines), [cut(kept)], "{text} {most} {size}");
        }
    }
    // Bytes that are not UTF-8 are cut at the limit.
    for bytes in [&b"\x80\x80\x80\x80\x80"[..], b"\xc3a\x80\x80\x80", b"\xc3\xa4\xa4\xa4\xa4"] {
        assert_eq!(whole_characters(bytes, 3), 3, "{bytes:x?}");
    }
}
