//! The head of a frame, which says the length of its content.

use memchr::{memchr, memmem};

use super::error::FrameErrorKind;

/// A head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its own length, in bytes.
    pub(super) length: usize,
    /// The length of the content, in bytes.
    pub(super) content: u64,
}

/// How many bytes of a head that is not whole were searched for its end, so that none is searched twice.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Search(pub(super) usize);

/// The greatest length of headers, with the empty line that ends them.
const MOST_HEADERS: usize = 8192;
/// What ends headers.
const EMPTY_LINE: &[u8] = b"\r\n\r\n";
/// The digits of the greatest length.
const MOST_DIGITS: usize = 20;

impl Head {
    /// How many bytes of a chunk are looked at for a head at once.
    pub(super) const STEP: usize = 256;

    pub(super) fn new(length: usize, content: u64) -> Self {
        Self { length, content }
    }

    /// Finds the digits and the colon before a netstring.
    pub(super) fn of_netstring(bytes: &[u8]) -> Result<Option<Self>, FrameErrorKind> {
        let known = &bytes[..bytes.len().min(MOST_DIGITS + 1)];
        let digits = known.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && known[0] == b'0';
        match known.get(digits) {
            _ if has_leading_zero || digits > MOST_DIGITS => Err(FrameErrorKind::Malformed),
            None => Ok(None),
            Some(b':') if digits > 0 => Ok(Some(Self::new(digits + 1, decimal(&known[..digits])?))),
            Some(_) => Err(FrameErrorKind::Malformed),
        }
    }

    /// Finds headers that end with an empty line.
    pub(super) fn of_headers(
        bytes: &[u8],
        search: &mut Search,
    ) -> Result<Option<Self>, FrameErrorKind> {
        let known = &bytes[..bytes.len().min(MOST_HEADERS)];
        let from = search.0.saturating_sub(EMPTY_LINE.len() - 1);
        let Some(at) = memmem::find(&known[from..], EMPTY_LINE) else {
            search.0 = known.len();
            return if known.len() < MOST_HEADERS {
                Ok(None)
            } else {
                Err(FrameErrorKind::Malformed)
            };
        };
        let end = from + at;
        Ok(Some(Self::new(end + EMPTY_LINE.len(), content_length(&known[..end])?)))
    }
}

/// Returns the value of the one `Content-Length` in these lines.
fn content_length(headers: &[u8]) -> Result<u64, FrameErrorKind> {
    let mut found = None;
    let mut rest = headers;
    while !rest.is_empty() {
        let line = memmem::find(rest, b"\r\n").map_or(rest, |end| &rest[..end]);
        rest = rest.get(line.len() + 2..).unwrap_or_default();
        let colon = memchr(b':', line).filter(|at| *at > 0).ok_or(FrameErrorKind::Malformed)?;
        if !line[..colon].eq_ignore_ascii_case(b"Content-Length") {
            continue;
        }
        let length = decimal(line[colon + 1..].trim_ascii())?;
        if found.replace(length).is_some() {
            return Err(FrameErrorKind::Malformed);
        }
    }
    found.ok_or(FrameErrorKind::Malformed)
}

/// Returns the value of one or more decimal digits; the greatest value for every greater one.
fn decimal(digits: &[u8]) -> Result<u64, FrameErrorKind> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FrameErrorKind::Malformed);
    }
    Ok(digits.iter().fold(0_u64, |value, digit| {
        value.saturating_mul(10).saturating_add(u64::from(digit - b'0'))
    }))
}
