//! What of frames needs no model: copies, memory, searches.

use super::*;

#[test]
fn a_frame_within_a_chunk_is_a_slice_of_it() {
    let chunk = Bytes::from(b"\0\x05hello\0\x01x\0\x05hel".to_vec());
    let mut frames = FrameReceiver::new(Framing::U16Be);
    frames.on_data(chunk.clone());
    let within = |content: &Bytes| chunk.as_ptr_range().contains(&content.as_ptr());
    for expected in ["hello", "x"] {
        let content = frames.poll().unwrap().unwrap();
        assert_eq!(content, expected);
        assert!(within(&content));
    }
    assert_eq!(frames.poll(), None);
    frames.on_data("lo".into());
    let content = frames.poll().unwrap().unwrap();
    assert_eq!(content, "hello");
    assert!(!within(&content));
}

#[test]
fn a_content_in_one_chunk_after_its_head_is_a_slice_too() {
    let mut frames = FrameReceiver::new(Framing::U32Le);
    frames.on_data(Bytes::from_static(&[5, 0, 0, 0]));
    assert_eq!(frames.poll(), None);
    let chunk = Bytes::from(b"hello".to_vec());
    frames.on_data(chunk.clone());
    assert_eq!(frames.poll().unwrap().unwrap().as_ptr(), chunk.as_ptr());
}

/// Case FR-08.
#[test]
fn a_head_that_announces_much_asks_for_no_memory() {
    let mut frames = FrameReceiver::new(Framing::U32Be).max_length(usize::MAX);
    frames.on_data(Bytes::from_static(b"\xff\xff\xff\xffab"));
    assert_eq!(frames.poll(), None);
    assert!(frames.partial.capacity() < 4096, "{}", frames.partial.capacity());
}

#[test]
fn headers_are_searched_once() {
    let mut frames = FrameReceiver::new(Framing::ContentLength);
    for _ in 0..4000 {
        frames.on_data(Bytes::from_static(b"a"));
        assert_eq!(frames.poll(), None);
    }
    let Search(searched) = frames.search;
    assert_eq!(searched, 4000);
}
