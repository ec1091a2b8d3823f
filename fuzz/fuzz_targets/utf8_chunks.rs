//! Bytes in arbitrary chunks. The text must be what the standard library makes of the whole.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procession_protocol::Utf8Chunks;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let whole = pieces.concat();
    let mut decoder = Utf8Chunks::new();
    let mut text = String::new();
    for piece in &pieces {
        text.push_str(&decoder.decode(piece));
        // What is not yet there is at most the beginning of one character.
        assert!(String::from_utf8_lossy(&whole).starts_with(&text));
    }
    text.push_str(decoder.end());
    assert_eq!(text, String::from_utf8_lossy(&whole));
    let invalid = whole.utf8_chunks().filter(|chunk| !chunk.invalid().is_empty()).count();
    assert_eq!(decoder.invalid(), invalid as u64);
});
