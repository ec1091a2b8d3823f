//! The last bytes of an output.

use bytes::Bytes;

/// Keeps the last bytes of a stream of lines, in at most twice their number.
#[derive(Debug)]
pub(crate) struct Tail {
    kept: Vec<u8>,
    max_bytes: usize,
}

impl Tail {
    pub(crate) fn new(max_bytes: usize) -> Self {
        Self { kept: Vec::new(), max_bytes }
    }

    /// Adds a line, and a line feed.
    pub(crate) fn push_line(&mut self, line: &[u8]) {
        let line = &line[line.len().saturating_sub(self.max_bytes)..];
        // Half of it goes at once, so that the rest does not move at every line.
        let room = self.max_bytes.saturating_mul(2).saturating_sub(line.len() + 1);
        if self.kept.len() > room {
            self.kept.drain(..self.kept.len() - room.min(self.max_bytes));
        }
        self.kept.extend_from_slice(line);
        self.kept.push(b'\n');
    }

    /// Returns the last bytes: whole lines, unless the last line alone is longer.
    pub(crate) fn bytes(&self) -> Bytes {
        let from = self.kept.len().saturating_sub(self.max_bytes);
        let kept = &self.kept[from..];
        let is_cut = from > 0 && self.kept[from - 1] != b'\n';
        let line_end = kept.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole = if is_cut && line_end < kept.len() { &kept[line_end..] } else { kept };
        Bytes::copy_from_slice(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_whole_lines_are_kept_in_bounded_memory() {
        let mut tail = Tail::new(10);
        assert_eq!(tail.bytes(), "");
        for n in 0..10_000 {
            tail.push_line(format!("{n}").as_bytes());
            assert!(tail.kept.len() <= 20);
        }
        assert_eq!(tail.bytes(), "9998\n9999\n");
        tail.push_line(b"abc");
        assert_eq!(tail.bytes(), "9999\nabc\n");
    }

    #[test]
    fn lines_of_every_length_take_twice_the_kept_bytes_at_most() {
        let mut tail = Tail::new(64);
        for length in (0..500).chain(0..500) {
            tail.push_line(&vec![b'x'; length]);
            let kept = tail.bytes();
            assert!(kept.ends_with(b"\n") && kept.len() > length.min(60), "{length}");
            assert!(kept.len() <= 64 && tail.kept.capacity() <= 128, "{}", tail.kept.capacity());
        }
    }

    #[test]
    fn a_line_that_is_longer_is_kept_at_its_end() {
        let mut tail = Tail::new(4);
        tail.push_line(b"123456789");
        assert_eq!(tail.bytes(), "789\n");
    }
}
