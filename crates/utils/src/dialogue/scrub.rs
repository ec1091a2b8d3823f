//! Replaces texts in a stream, whatever the borders of its chunks.

/// What stands in place of a secret.
const MASK: &[u8] = b"[secret]";

/// Masks the secrets in a stream, and leaves out the echo of what was sent.
///
/// The end of the stream is kept back while it may be the beginning of such a text.
#[derive(Default)]
pub(super) struct Scrub {
    secrets: Vec<Vec<u8>>,
    /// Left out the next time that it comes.
    echo: Option<Vec<u8>>,
    kept_back: Vec<u8>,
}

/// What a text at some place is.
enum Place {
    Secret(usize),
    Echo(usize),
    /// It may become one of them.
    Open,
    Plain,
}

impl Scrub {
    /// Adds each line of a secret: a terminal changes the ends of lines.
    pub(super) fn add_secret(&mut self, secret: &[u8]) {
        for line in secret.split(|byte| matches!(byte, b'\r' | b'\n')) {
            if !line.is_empty() && !self.secrets.iter().any(|known| known == line) {
                self.secrets.push(line.to_vec());
            }
        }
    }

    /// Sets the echo that is expected. It replaces one that has not come. Returns what was kept back for
    /// that one.
    pub(super) fn expect_echo(&mut self, echo: Option<Vec<u8>>) -> Vec<u8> {
        self.echo = echo;
        self.push(b"")
    }

    /// Adds bytes; returns those that are certain.
    pub(super) fn push(&mut self, data: &[u8]) -> Vec<u8> {
        self.kept_back.extend_from_slice(data);
        let mut out = Vec::with_capacity(self.kept_back.len());
        let mut at = 0;
        while at < self.kept_back.len() {
            match self.place(&self.kept_back[at..]) {
                Place::Secret(length) => {
                    out.extend_from_slice(MASK);
                    at += length;
                }
                Place::Echo(length) => {
                    self.echo = None;
                    at += length;
                }
                Place::Open => break,
                Place::Plain => {
                    out.push(self.kept_back[at]);
                    at += 1;
                }
            }
        }
        self.kept_back.drain(..at);
        out
    }

    /// Returns what is kept back and begins no secret.
    pub(super) fn harmless_rest(&self) -> &[u8] {
        let begins_secret = |at: &usize| {
            self.secrets.iter().any(|secret| secret.starts_with(&self.kept_back[*at..]))
        };
        let end = (0..self.kept_back.len()).find(begins_secret);
        &self.kept_back[..end.unwrap_or(self.kept_back.len())]
    }

    /// Returns a whole text with its secrets masked.
    pub(super) fn masked(&self, text: &[u8]) -> Vec<u8> {
        let mut scrub = Self { secrets: self.secrets.clone(), ..Self::default() };
        let mut masked = scrub.push(text);
        // Nothing follows, so a beginning is no secret.
        masked.append(&mut scrub.kept_back);
        masked
    }

    /// The longest text counts. A text that may still become a longer one is open.
    fn place(&self, text: &[u8]) -> Place {
        let is_open = |wanted: &[u8]| wanted.len() > text.len() && wanted.starts_with(text);
        let length_of = |wanted: &&[u8]| text.starts_with(wanted);
        let secrets = || self.secrets.iter().map(Vec::as_slice);
        if secrets().chain(self.echo.as_deref()).any(is_open) {
            return Place::Open;
        }
        let echo = self.echo.as_deref().filter(length_of).map_or(0, <[u8]>::len);
        let secret = secrets().filter(length_of).map(<[u8]>::len).max().unwrap_or(0);
        match (secret, echo) {
            (0, 0) => Place::Plain,
            (secret, echo) if secret >= echo => Place::Secret(secret),
            (_, echo) => Place::Echo(echo),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes the text in pieces of these sizes.
    fn scrubbed(scrub: &mut Scrub, text: &[u8], size: usize) -> String {
        let out: Vec<u8> = text.chunks(size).flat_map(|piece| scrub.push(piece)).collect();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_secret_is_masked_whatever_the_cuts() {
        for size in 1..40 {
            let mut scrub = Scrub::default();
            scrub.add_secret(b"hunter2");
            scrub.add_secret(b"hunter");
            scrub.add_secret(b"");
            let out = scrubbed(&mut scrub, b"hunt hunter2 huhunter.\nhunter22 hunte", size);
            assert_eq!(out, "hunt [secret] hu[secret].\n[secret]2 ", "{size}");
            // The beginning of a secret is not shown.
            assert_eq!(scrub.harmless_rest(), b"");
        }
    }

    #[test]
    fn each_line_of_a_secret_is_masked() {
        let mut scrub = Scrub::default();
        scrub.add_secret(b"hunter2\n");
        scrub.add_secret(b"\r\none\r\ntwo");
        let out = scrub.push(b"wrong: hunter2\r\none two ");
        assert_eq!(String::from_utf8(out).unwrap(), "wrong: [secret]\r\n[secret] [secret] ");
    }

    #[test]
    fn an_echo_is_left_out_once() {
        for size in 1..20 {
            let mut scrub = Scrub::default();
            assert!(scrub.expect_echo(Some(b"ls\r\n".to_vec())).is_empty());
            let out = scrubbed(&mut scrub, b"$ ls\r\nls\r\nl", size);
            assert_eq!(out, "$ ls\r\nl", "{size}");
        }
    }

    #[test]
    fn an_echo_that_does_not_come_gives_back_what_was_kept_for_it() {
        let mut scrub = Scrub::default();
        scrub.expect_echo(Some(b"ls\r\n".to_vec()));
        assert_eq!(scrub.push(b"a ls"), b"a ");
        assert_eq!(scrub.harmless_rest(), b"ls");
        assert_eq!(scrub.expect_echo(None), b"ls");
        assert_eq!(scrub.harmless_rest(), b"");
    }
}
