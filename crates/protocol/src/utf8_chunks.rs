//! [`Utf8Chunks`]: text from a stream of bytes. A pure value, usable on any byte stream.
//!
//! # Model
//!
//! Inputs: data and the end of the stream. Outputs: text. All text together is what
//! `String::from_utf8_lossy` makes of the whole stream, however it is divided into chunks. At most three
//! bytes are kept, the beginning of a character that a chunk's end cuts.

/// Decodes a stream of bytes as UTF-8, and carries a character that is cut at the end of a chunk.
///
/// What is not UTF-8 becomes U+FFFD, as `String::from_utf8_lossy` does it, and is counted. To refuse such
/// data, check [`invalid`](Self::invalid).
///
/// # Examples
///
/// ```
/// use procession::Utf8Chunks;
///
/// let mut text = Utf8Chunks::new();
/// assert_eq!(text.decode(b"5 \xe2\x82"), "5 ");
/// assert_eq!(text.decode(b"\xac each"), "€ each");
/// assert_eq!(text.decode(b"\xff \xe2"), "\u{fffd} ");
/// assert_eq!(text.end(), "\u{fffd}");
/// assert_eq!(text.invalid(), 2);
/// ```
#[derive(Debug, Clone, Default)]
#[doc(alias = "IncrementalDecoder")]
#[doc(alias = "StringDecoder")]
pub struct Utf8Chunks {
    /// The beginning of a character; the first `kept` bytes.
    cut: [u8; 3],
    kept: usize,
    invalid: u64,
}

impl Utf8Chunks {
    /// Creates a decoder at the beginning of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the text of these bytes, and of a character that was cut before them. A character that they
    /// cut at their end comes with a later call.
    pub fn decode(&mut self, data: &[u8]) -> String {
        let mut text = String::with_capacity(self.kept + data.len());
        let rest = self.complete(data, &mut text);
        self.decode_whole(rest, &mut text);
        text
    }

    /// Ends the stream. Returns U+FFFD if it ended inside a character, else nothing.
    #[must_use = "the stream may end inside a character"]
    pub fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.kept) == 0 {
            return "";
        }
        self.invalid += 1;
        "\u{fffd}"
    }

    /// Returns how often U+FFFD stands in the text for bytes that are not UTF-8.
    pub fn invalid(&self) -> u64 {
        self.invalid
    }

    /// Decodes the character that was cut, with the first bytes of `data`, and returns the other ones.
    fn complete<'data>(&mut self, data: &'data [u8], text: &mut String) -> &'data [u8] {
        if self.kept == 0 {
            return data;
        }
        // A character has at most four bytes, so this is the whole of it or shows that it is none.
        let (mut bytes, kept) = ([0; 4], self.kept);
        bytes[..kept].copy_from_slice(&self.cut[..kept]);
        let added = data.len().min(bytes.len() - kept);
        bytes[kept..kept + added].copy_from_slice(&data[..added]);
        let joined = &bytes[..kept + added];
        let length = match joined.utf8_chunks().next() {
            Some(chunk) if !chunk.valid().is_empty() => {
                let length = chunk.valid().chars().next().map_or(0, char::len_utf8);
                text.extend(chunk.valid().chars().next());
                length
            }
            // The end of the data may cut it once more.
            Some(chunk) if chunk.invalid().len() == joined.len() && is_cut(joined) => {
                self.keep(&{ bytes }[..kept + added]);
                return &[];
            }
            Some(chunk) => {
                self.replace(text);
                chunk.invalid().len()
            }
            None => 0,
        };
        self.kept = 0;
        // The bytes that were kept begin a character, so all of them were decoded.
        &data[length.saturating_sub(kept)..]
    }

    fn decode_whole(&mut self, data: &[u8], text: &mut String) {
        let mut rest = data.len();
        for chunk in data.utf8_chunks() {
            text.push_str(chunk.valid());
            rest -= chunk.valid().len() + chunk.invalid().len();
            if rest == 0 && is_cut(chunk.invalid()) {
                self.keep(chunk.invalid());
            } else if !chunk.invalid().is_empty() {
                self.replace(text);
            }
        }
    }

    fn keep(&mut self, cut: &[u8]) {
        self.kept = cut.len();
        self.cut[..cut.len()].copy_from_slice(cut);
    }

    fn replace(&mut self, text: &mut String) {
        self.invalid += 1;
        text.push('\u{fffd}');
    }
}

/// Returns whether these bytes are the beginning of a character.
fn is_cut(bytes: &[u8]) -> bool {
    let error = std::str::from_utf8(bytes).err();
    error.is_some_and(|error| error.valid_up_to() == 0 && error.error_len().is_none())
}
