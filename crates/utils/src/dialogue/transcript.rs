//! What was said so far in a dialogue, without its secrets, in bounded memory.

use bytes::{Buf, BytesMut};

use super::scrub::Scrub;

/// The default for the most bytes that are kept.
const MAX_BYTES: usize = 64 * 1024;
/// The fewest bytes that are kept: an error shows them.
const MIN_BYTES: usize = 4096;
/// The longest echo that is left out: a terminal takes no longer line.
const MAX_ECHO_BYTES: usize = 4096;

/// What was printed and sent, in the order in which the owner of the dialogue saw it.
pub(super) struct Transcript {
    kept: BytesMut,
    max_bytes: usize,
    /// Bytes before `kept` are gone.
    is_cut: bool,
    scrub: Scrub,
}

impl Transcript {
    pub(super) fn new() -> Self {
        let kept = BytesMut::new();
        Self { kept, max_bytes: MAX_BYTES, is_cut: false, scrub: Scrub::default() }
    }

    pub(super) fn set_max_bytes(&mut self, max_bytes: usize) {
        self.max_bytes = max_bytes.max(MIN_BYTES);
    }

    pub(super) fn on_output(&mut self, data: &[u8]) {
        let certain = self.scrub.push(data);
        self.add(&certain);
    }

    /// Data was sent. A terminal echoes it, unless it is a secret.
    pub(super) fn on_sent(&mut self, data: &[u8], may_be_echoed: bool) {
        let may_be_echoed = may_be_echoed && (1..=MAX_ECHO_BYTES).contains(&data.len());
        let rest = self.scrub.expect_echo(may_be_echoed.then(|| echo_of(data)));
        self.add(&rest);
        let line = data.strip_suffix(b"\r").map(|line| [line, b"\n"].concat());
        let sent = self.scrub.masked(line.as_deref().unwrap_or(data));
        self.add(&sent);
    }

    pub(super) fn add_secret(&mut self, secret: &[u8]) {
        self.scrub.add_secret(secret);
    }

    /// Returns a text of a message without secrets.
    pub(super) fn masked(&self, text: &str) -> String {
        String::from_utf8_lossy(&self.scrub.masked(text.as_bytes())).into_owned()
    }

    /// Returns what was said, with line feeds as line ends.
    pub(super) fn text(&self) -> String {
        self.end(self.max_bytes)
    }

    /// Returns the end of that, of so many bytes before its line ends were changed.
    pub(super) fn end(&self, max_bytes: usize) -> String {
        let max_bytes = max_bytes.min(self.max_bytes);
        let mut end = &self.kept[self.kept.len().saturating_sub(max_bytes)..];
        let is_cut = self.is_cut || end.len() < self.kept.len();
        // The cut may be inside a character.
        while let [first, rest @ ..] = end
            && is_cut
            && first & 0xc0 == 0x80
        {
            end = rest;
        }
        let all = [end, self.scrub.harmless_rest()].concat();
        String::from_utf8_lossy(&all).replace("\r\n", "\n")
    }

    fn add(&mut self, data: &[u8]) {
        let data = &data[data.len().saturating_sub(self.max_bytes)..];
        self.kept.extend_from_slice(data);
        // Not at every byte: an advanced buffer moves its bytes to the front now and then.
        if self.kept.len() >= self.max_bytes.saturating_mul(2) {
            self.kept.advance(self.kept.len() - self.max_bytes);
            self.is_cut = true;
        }
    }
}

/// Returns what a terminal prints for these bytes, if it echoes in the usual way.
fn echo_of(data: &[u8]) -> Vec<u8> {
    let mut echo = Vec::with_capacity(data.len() + 1);
    for byte in data {
        match byte {
            b'\r' | b'\n' => echo.extend_from_slice(b"\r\n"),
            b'\t' => echo.push(b'\t'),
            0..32 => echo.extend_from_slice(&[b'^', byte + b'@']),
            127 => echo.extend_from_slice(b"^?"),
            _ => echo.push(*byte),
        }
    }
    echo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn echo_and_secrets_are_not_in_it() {
        let mut transcript = Transcript::new();
        transcript.on_output(b"login: ");
        transcript.on_sent(b"me\x04\r", true);
        transcript.on_output(b"me^");
        transcript.on_output(b"D\r\nPassword: ");
        transcript.add_secret(b"tea");
        transcript.on_sent(b"tea\r", false);
        transcript.on_output(b"\r\nyou typed te");
        assert_eq!(transcript.text(), "login: me\u{4}\nPassword: [secret]\n\nyou typed ");
        transcript.on_output(b"a\r\n");
        transcript.on_sent(b"say tea\r", true);
        transcript.on_output(b"say tea\r\nready");
        let end = "you typed [secret]\nsay [secret]\nready";
        assert!(transcript.text().ends_with(end), "{}", transcript.text());
    }

    #[test]
    fn the_last_bytes_are_kept_in_bounded_memory() {
        let mut transcript = Transcript::new();
        transcript.set_max_bytes(1);
        for _ in 0..10_000 {
            transcript.on_output("é€".as_bytes());
            assert!(transcript.kept.len() < 2 * MIN_BYTES);
        }
        let text = transcript.text();
        assert!(text.len() > MIN_BYTES - 4 && text.len() <= MIN_BYTES, "{}", text.len());
        assert!("é€".repeat(2000).ends_with(&text));
    }
}
