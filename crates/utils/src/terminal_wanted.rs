//! Recognises messages on standard error that say that a program needs a terminal. A child in a
//! session of its own has no terminal.
//!
//! The known messages are those of git, ssh and sudo, and those of any program that failed to open
//! `/dev/tty`. Messages that may have another cause do not count, because a wrong hint would
//! mislead the reader.

/// How many bytes at the end are searched: git writes a few lines after those of ssh.
const LOOKED_AT_BYTES: usize = 4096;

/// The C library's text for ENXIO.
const NO_TERMINAL: &str = "No such device or address";

/// Messages that ssh writes beside "Host key verification failed." if a terminal would not have
/// helped: the key has changed, or the settings refuse it.
const KEY_REFUSED: [&str; 3] =
    ["IDENTIFICATION HAS CHANGED", "requested strict checking", "differs from the key"];

/// Returns whether the last lines say that the program needs a terminal.
pub(crate) fn wants_terminal(stderr: &[u8]) -> bool {
    let from = stderr.len().saturating_sub(LOOKED_AT_BYTES);
    let text = String::from_utf8_lossy(&stderr[from..]);
    let is_key_refused = || KEY_REFUSED.iter().any(|sentence| text.contains(sentence));
    text.lines().map(str::trim).any(|line| match line {
        "Host key verification failed." => !is_key_refused(),
        line => asks_for_terminal(line),
    })
}

fn asks_for_terminal(line: &str) -> bool {
    let is_failed_open = names_terminal(line) && line.contains(NO_TERMINAL);
    let is_of_git = line.ends_with(NO_TERMINAL)
        && ["could not read Username for ", "could not read Password for "]
            .iter()
            .any(|question| line.contains(question));
    let is_of_ssh = line.ends_with("read_passphrase: can't open /dev/tty");
    let is_of_sudo = line.strip_prefix("sudo: ").is_some_and(|said| {
        said.starts_with("a terminal is required")
            || said.starts_with("no tty present and no askpass program specified")
            || said == "sorry, you must have a tty to run sudo"
    });
    is_failed_open || is_of_git || is_of_ssh || is_of_sudo
}

/// Returns whether the line names `/dev/tty`. A serial line such as `/dev/ttyS0` is another device.
fn names_terminal(line: &str) -> bool {
    let goes_on = |(_, rest): (&str, &str)| rest.starts_with(|c: char| c.is_alphanumeric());
    let name = "/dev/tty";
    line.match_indices(name).any(|(at, _)| !goes_on(line.split_at(at + name.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WISHES: [&str; 11] = [
        "fatal: could not read Username for 'https://example.org': No such device or address\n",
        "fatal: could not read Password for 'https://x@example.org': No such device or address\n",
        "Cloning into 'x'...\r\nfatal: could not read Username for 'https://example.org': \
         No such device or address\r\n",
        "Host key verification failed.\r\nfatal: Could not read from remote repository.\n\nPlease \
         make sure you have the correct access rights\nand the repository exists.\n",
        "No ED25519 host key is known for example.org.\nHost key verification failed.\n",
        "debug1: read_passphrase: can't open /dev/tty: No such device or address\n",
        "read_passphrase: can't open /dev/tty\n",
        "sudo: a terminal is required to read the password; either use the -S option to read from \
         standard input or configure an askpass helper\nsudo: a password is required\n",
        "sudo: no tty present and no askpass program specified\n",
        "sudo: sorry, you must have a tty to run sudo\n",
        "/bin/sh: 1: cannot open /dev/tty: No such device or address\n",
    ];

    const OTHERS: [&str; 14] = [
        "",
        "\n",
        // The program itself does not want to ask.
        "fatal: could not read Username for 'https://example.org': terminal prompts disabled\n",
        "fatal: could not read Username for 'https://example.org': Input/output error\n",
        "sudo: a password is required\n",
        "tool: a terminal is required\n",
        "git@example.org: Permission denied (publickey,password).\n",
        // A terminal would not help.
        "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.\n",
        "No host key is known for a and you have requested strict checking.\nHost key verification \
         failed.\n",
        "job: Host key verification failed. Trying the next\n",
        "cat: /dev/tty: Permission denied\n",
        "cat: /dev/ttyS5: No such device or address\n",
        "cat: /dev/ttyUSB: Permission denied\nmodprobe: No such device or address\n",
        "open /dev/fifo: No such device or address\n",
    ];

    #[test]
    fn only_what_asks_for_a_terminal_counts() {
        for text in WISHES {
            assert!(wants_terminal(text.as_bytes()), "{text}");
        }
        for text in OTHERS {
            assert!(!wants_terminal(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn what_was_said_long_ago_does_not_count() {
        let wish = WISHES[0].to_owned();
        let lines = "all is well\n".repeat(LOOKED_AT_BYTES / 12 + 1);
        assert!(!wants_terminal((wish.clone() + &lines).as_bytes()));
        assert!(wants_terminal((lines + &wish).as_bytes()));
        assert!(wants_terminal(&[b"\xff\xfe\n", wish.as_bytes()].concat()));
    }
}
