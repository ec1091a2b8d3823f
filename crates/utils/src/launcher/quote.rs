//! Quotes bytes for a POSIX shell, and whole scripts for a login shell of any kind.

/// Returns the bytes as one word of a POSIX shell.
pub(crate) fn word(bytes: &[u8]) -> Vec<u8> {
    if !bytes.is_empty() && bytes.iter().copied().all(is_plain) {
        return bytes.to_vec();
    }
    let mut quoted = vec![b'\''];
    for byte in bytes {
        match byte {
            b'\'' => quoted.extend_from_slice(br"'\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

/// Returns a command line that has `/bin/sh` run the script, with the name `name` as `$0`.
///
/// sshd gives the line to the user's login shell, whatever that is. Inside of single quotes the shells
/// differ about quotes, backslashes, line feeds and exclamation marks (csh, fish), and bytes beyond ASCII.
/// So none of them is there: `printf` makes them of octal numbers.
pub(crate) fn for_login_shell(name: &str, script: &[u8]) -> String {
    let mut line = format!("exec /bin/sh -c 'eval \"$(printf %b \"$1\")\"' {name} '");
    for byte in script {
        match byte {
            b'\'' | b'\\' | b'!' => push_octal(&mut line, *byte),
            b' '..=b'~' => line.push(char::from(*byte)),
            byte => push_octal(&mut line, *byte),
        }
    }
    line.push('\'');
    line
}

fn push_octal(line: &mut String, byte: u8) {
    let digit = |value: u8| char::from(b'0' + (value & 7));
    line.extend(['\\', '0', digit(byte >> 6), digit(byte >> 3), digit(byte)]);
}

/// Returns whether a byte means itself in every place of a word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-./,:+@%".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::{for_login_shell, word};

    #[test]
    fn a_word_is_quoted_if_it_needs_that() {
        for (bytes, quoted) in [
            ("plain-1.0/x", "plain-1.0/x"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
        ] {
            assert_eq!(word(bytes.as_bytes()), quoted.as_bytes());
        }
        assert_eq!(word(b"\xff\n"), b"'\xff\n'");
    }

    #[test]
    fn a_line_for_a_login_shell_has_no_byte_that_shells_read_in_their_ways() {
        let every: Vec<u8> = (1..=255).collect();
        let line = for_login_shell("name", &every);
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'!'), "{line}");
        assert_eq!(line.matches('\'').count(), 4, "{line}");
        assert!(!line.contains(r"\\") && !line.contains(r"\'"), "{line}");
        let line = for_login_shell("n", b"echo 'a'\n");
        assert_eq!(line, r#"exec /bin/sh -c 'eval "$(printf %b "$1")"' n 'echo \0047a\0047\0012'"#);
    }
}
