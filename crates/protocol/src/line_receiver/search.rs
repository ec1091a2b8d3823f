//! Finds a delimiter that may span two pieces of a stream.

use memchr::memchr;

/// Returns the position of the first `needle` in `head` followed by `chunk`; `head` alone has none.
pub(super) fn find_across(head: &[u8], chunk: &[u8], needle: &[u8]) -> Option<usize> {
    let overlap = overlap(needle);
    let tail = &head[head.len().saturating_sub(overlap)..];
    let before = head.len() - tail.len();
    if !tail.is_empty() {
        let start = &chunk[..chunk.len().min(overlap)];
        if let Some(at) = find(&[tail, start].concat(), needle) {
            return Some(before + at);
        }
    }
    find(chunk, needle).map(|at| head.len() + at)
}

/// Returns how many bytes of a needle may be before a chunk while the rest is inside it.
pub(super) fn overlap(needle: &[u8]) -> usize {
    needle.split_first().map_or(0, |(_, rest)| rest.len())
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut from = 0;
    while let Some(at) = memchr(first, &bytes[from..]) {
        if bytes[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}
