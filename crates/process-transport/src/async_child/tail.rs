//! The last bytes of an output that the program has not asked for.

use std::collections::VecDeque;

use procession_core::driver::split_character;

/// How many bytes of an output are kept for a program that does not read it; above this the child's
/// descriptor is paused.
pub(super) const OUTPUT_HIGH_BYTES: usize = 256 << 10;

/// The longest part of a line that a message shows, in bytes.
const LINE_BYTES: usize = 300;

/// The last [`OUTPUT_HIGH_BYTES`] of an output, in one buffer, because the pieces may be single
/// bytes.
#[derive(Debug, Default)]
pub(super) struct Tail {
    kept: VecDeque<u8>,
    /// At most the last three bytes before `kept`.
    gone: Vec<u8>,
}

impl Tail {
    /// Adds data; returns how many bytes were discarded for it.
    pub(super) fn push(&mut self, data: &[u8]) -> usize {
        let kept = &data[data.len().saturating_sub(OUTPUT_HIGH_BYTES)..];
        let gone = (self.kept.len() + kept.len()).saturating_sub(OUTPUT_HIGH_BYTES);
        let never_kept = &data[..data.len() - kept.len()];
        self.gone.extend(self.kept.drain(..gone).skip(gone.saturating_sub(3)));
        self.gone.extend(&never_kept[never_kept.len().saturating_sub(3)..]);
        self.gone.drain(..self.gone.len().saturating_sub(3));
        self.kept.extend(kept);
        gone + never_kept.len()
    }

    /// Returns a copy. If it is text, it begins with a whole character.
    pub(super) fn to_vec(&self) -> Vec<u8> {
        let first: Vec<u8> = self.kept.iter().take(3).copied().collect();
        let (_, cut) = split_character(&self.gone, &first);
        self.kept.iter().skip(cut).copied().collect()
    }

    /// Returns all kept bytes; the caller knows how many were discarded.
    pub(super) fn into_vec(self) -> Vec<u8> {
        self.kept.into()
    }
}

/// Returns the last line that is not blank, for a message.
pub(super) fn last_line(text: &[u8]) -> Option<String> {
    let text = text.trim_ascii_end();
    // Programs that rewrite their line, such as progress bars, end it with a carriage return.
    let begins = text.iter().rposition(|byte| matches!(byte, b'\n' | b'\r'));
    let line = text[begins.map_or(0, |at| at + 1)..].trim_ascii_start();
    if line.is_empty() {
        return None;
    }
    let from = line.len().saturating_sub(LINE_BYTES);
    let shown = String::from_utf8_lossy(&line[from..]);
    // The cut may be inside a character.
    let is_cut = |c: char| from > 0 && c == '\u{fffd}';
    let cut = if from > 0 { "…" } else { "" };
    Some(format!("{cut}{}", shown.trim_start_matches(is_cut)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_bytes_stay_and_the_others_are_counted() {
        let mut tail = Tail::default();
        assert_eq!((tail.push(b"ab"), tail.push(b"")), (0, 0));
        assert_eq!(tail.push(&vec![b'c'; OUTPUT_HIGH_BYTES - 1]), 1);
        assert_eq!(tail.to_vec().len(), OUTPUT_HIGH_BYTES);
        assert!(tail.to_vec().starts_with(b"bc"));
        assert_eq!(tail.push(&vec![b'd'; 2 * OUTPUT_HIGH_BYTES]), 2 * OUTPUT_HIGH_BYTES);
        assert_eq!(tail.push(b"e"), 1);
        let all = tail.into_vec();
        assert!(all.len() == OUTPUT_HIGH_BYTES && all.ends_with(b"de"));
    }

    #[test]
    fn a_copy_of_text_begins_with_a_whole_character() {
        for piece in [1, 2, 3, 1000, 2 * OUTPUT_HIGH_BYTES] {
            for before in ["", "a", "ab"] {
                let text = [before, &"€".repeat(OUTPUT_HIGH_BYTES / 3 + 2)].concat();
                let mut tail = Tail::default();
                for piece in text.as_bytes().chunks(piece) {
                    tail.push(piece);
                }
                let copy = String::from_utf8(tail.to_vec()).unwrap();
                assert!(copy.len() > OUTPUT_HIGH_BYTES - 3 && text.ends_with(&copy), "{piece}");
            }
        }
    }

    #[test]
    fn the_last_line_is_the_last_that_is_not_blank() {
        for (text, line) in [
            ("", None),
            (" \n\t\n", None),
            ("one", Some("one")),
            ("one\n two \n\n", Some("two")),
            ("10%\r20%\r", Some("20%")),
        ] {
            assert_eq!(last_line(text.as_bytes()).as_deref(), line);
        }
        let long = last_line("é".repeat(1000).as_bytes()).unwrap();
        assert!(long.starts_with("…é") && long.len() <= LINE_BYTES + 3, "{long}");
        assert_eq!(last_line(b"a \xff b").as_deref(), Some("a \u{fffd} b"));
    }
}
