//! Formats names and paths for messages: bare, or quoted and escaped if the bare text could
//! mislead.

use std::path::Path;

/// Formats a host's name.
pub(crate) fn name(name: &str) -> String {
    bare_or_quoted(name, format!("{name:?}"))
}

/// Formats a path.
pub(crate) fn path(path: &Path) -> String {
    bare_or_quoted(&path.to_string_lossy(), format!("{path:?}"))
}

/// Returns `quoted` if the text is empty or has characters that quoting escapes, else `bare`.
fn bare_or_quoted(bare: &str, quoted: String) -> String {
    let is_plain =
        !bare.is_empty() && quoted.len() == bare.len() + 2 && quoted[1..].starts_with(bare);
    if is_plain { bare.to_owned() } else { quoted }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn what_cannot_be_printed_is_quoted_and_escaped() {
        let plain = |bytes: &[u8]| path(Path::new(OsStr::from_bytes(bytes)));
        for (bytes, printed) in [
            (&b"/run/my socket"[..], "/run/my socket"),
            ("/tmp/\u{e4}".as_bytes(), "/tmp/\u{e4}"),
            (b"", r#""""#),
            (b"/a\nb", r#""/a\nb""#),
            (b"/a\0", r#""/a\0""#),
            (b"/\xff", r#""/\xFF""#),
            (b"/\x1b[2J", r#""/\u{1b}[2J""#),
            (b"\"/a\"", r#""\"/a\"""#),
        ] {
            assert_eq!(plain(bytes), printed);
        }
        assert_eq!(name("localhost"), "localhost");
        assert_eq!(name("local\r\nhost"), r#""local\r\nhost""#);
    }
}
