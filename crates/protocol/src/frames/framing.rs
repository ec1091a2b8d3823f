//! [`Framing`]: the formats of frames.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::error::{FrameError, FrameErrorKind};
use super::head::{Head, Search};

/// How a stream is divided into frames.
///
/// # Examples
///
/// ```
/// use procession::Framing;
///
/// assert_eq!(Framing::U16Be.frame("hi")?, "\0\x02hi");
/// assert_eq!(Framing::Netstring.frame("hi")?, "2:hi,");
/// assert_eq!(Framing::ContentLength.frame("{}")?, "Content-Length: 2\r\n\r\n{}");
/// assert!(Framing::U8.frame(vec![0; 256]).is_err());
/// # Ok::<(), procession::FrameError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// One byte with the length comes before each content.
    #[doc(alias = "Int8StringReceiver")]
    U8,
    /// Two bytes with the length come before each content, the high one first (network order).
    #[doc(alias = "Int16StringReceiver")]
    U16Be,
    /// The same, the low byte first.
    U16Le,
    /// Four bytes with the length come before each content, the highest first (network order).
    #[doc(alias = "Int32StringReceiver")]
    U32Be,
    /// The same, the lowest byte first.
    U32Le,
    /// The length in decimal digits and a colon come before each content, and a comma after it.
    #[doc(alias = "NetstringReceiver")]
    Netstring,
    /// Lines of headers and an empty line come before each content, all ended by CR LF. One header is
    /// `Content-Length`; others are skipped. Language servers (LSP), debug adapters (DAP) and others talk
    /// like this.
    #[doc(alias = "LSP")]
    #[doc(alias = "jsonrpc")]
    ContentLength,
}

impl Framing {
    /// Returns the content as a frame.
    ///
    /// # Errors
    ///
    /// Fails if the format cannot say the content's length: more than 255 bytes, 65,535 bytes or
    /// 4,294,967,295 bytes for lengths of one, two and four bytes.
    #[doc(alias = "sendString")]
    pub fn frame(self, content: impl AsRef<[u8]>) -> Result<Bytes, FrameError> {
        let content = content.as_ref();
        let length = content.len() as u64;
        let most = self.most();
        if length > most {
            return Err(FrameError::of_content(
                self.name(),
                FrameErrorKind::TooLong { length, most },
            ));
        }
        let mut frame = BytesMut::with_capacity(content.len() + 48);
        match self {
            Self::U8 | Self::U16Be | Self::U32Be => frame.put_uint(length, self.width()),
            Self::U16Le | Self::U32Le => frame.put_uint_le(length, self.width()),
            Self::Netstring => frame.extend_from_slice(format!("{length}:").as_bytes()),
            Self::ContentLength => {
                frame.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            }
        }
        frame.extend_from_slice(content);
        if self == Self::Netstring {
            frame.put_u8(b',');
        }
        Ok(frame.freeze())
    }

    /// Finds the head at the beginning of these bytes; `None` if it is not whole.
    pub(super) fn head(
        self,
        bytes: &[u8],
        search: &mut Search,
        max_length: usize,
    ) -> Result<Option<Head>, FrameErrorKind> {
        let head = match self {
            Self::Netstring => Head::of_netstring(bytes)?,
            Self::ContentLength => Head::of_headers(bytes, search)?,
            _ => bytes.get(..self.width()).map(|mut bytes| match self {
                Self::U16Le | Self::U32Le => {
                    Head::new(self.width(), bytes.get_uint_le(self.width()))
                }
                _ => Head::new(self.width(), bytes.get_uint(self.width())),
            }),
        };
        match head {
            Some(head) if head.content > max_length as u64 => {
                Err(FrameErrorKind::TooLong { length: head.content, most: max_length as u64 })
            }
            head => Ok(head),
        }
    }

    /// Returns the length of a content and of what closes it.
    pub(super) fn body(self, head: Head) -> usize {
        // `head` has compared it with a limit that is a `usize`.
        let content = usize::try_from(head.content).unwrap_or(usize::MAX);
        content.saturating_add(usize::from(self == Self::Netstring))
    }

    /// Takes off what closes the frame.
    pub(super) fn content(self, mut body: Bytes) -> Result<Bytes, FrameErrorKind> {
        if self == Self::Netstring {
            if body.last() != Some(&b',') {
                return Err(FrameErrorKind::Malformed);
            }
            body.truncate(body.len() - 1);
        }
        Ok(body)
    }

    /// Returns the frames of this format, in words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::U8 => "frames with a length of one byte",
            Self::U16Be | Self::U16Le => "frames with a length of two bytes",
            Self::U32Be | Self::U32Le => "frames with a length of four bytes",
            Self::Netstring => "netstrings",
            Self::ContentLength => "frames with a Content-Length header",
        }
    }

    /// Returns how many bytes say the length; 0 if they are digits.
    fn width(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::U16Be | Self::U16Le => 2,
            Self::U32Be | Self::U32Le => 4,
            Self::Netstring | Self::ContentLength => 0,
        }
    }

    /// Returns the greatest length that the format can say.
    fn most(self) -> u64 {
        match self.width() {
            0 => u64::MAX,
            width => (1 << (8 * width)) - 1,
        }
    }
}
