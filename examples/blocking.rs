//! Decrypts a file with GnuPG over five descriptors, without a loop: `blocking FILE`, with the
//! passphrase on the standard input.
//!
//! It does what the example `gpg_decrypt` does, and needs neither a reactor nor a thread: gpg reads
//! the file itself as its descriptor 0, and `output` reads the plaintext from 1 and the status lines
//! from 4 at once, so neither can get stuck. Its descriptor 2 is this program's standard error.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use procession::{Command, Fd};

const PASSPHRASE: i32 = 3;
const STATUS: i32 = 4;
/// The prefix of each status line.
const MARK: &str = "[GNUPG:] ";
/// The beginnings of status lines that report an error.
const COMPLAINTS: [&str; 4] = ["ERROR", "NODATA", "DECRYPTION_FAILED", "FAILURE"];

fn decrypt(ciphertext: File, passphrase: &str) -> Result<Vec<u8>> {
    let gpg = Command::new("gpg")
        .args(["--decrypt", "--batch", "--pinentry-mode", "loopback"])
        .args(["--passphrase-fd", "3", "--status-fd", "4"])
        .child_fd(0, Fd::inherit(ciphertext))
        .child_fd(2, Fd::inherit(io::stderr()))
        .child_fd(PASSPHRASE, Fd::to_child())
        .child_fd(STATUS, Fd::from_child());
    let mut gpg = gpg.spawn()?;
    // A pipe holds a passphrase. If gpg has exited already, its exit reason says why.
    File::from(gpg.take(PASSPHRASE)?).write_all(passphrase.as_bytes()).ok();
    let output = gpg.output()?;

    let status = String::from_utf8_lossy(output.bytes(STATUS));
    let lines = status.lines().map(|line| line.strip_prefix(MARK).unwrap_or(line));
    lines.clone().for_each(|line| eprintln!("status: {line}"));
    if let Err(terminated) = &output.reason {
        let is_complaint = |line: &&str| COMPLAINTS.iter().any(|begin| line.starts_with(begin));
        bail!(
            "gpg {terminated}: {}",
            lines.clone().find(is_complaint).unwrap_or("no reason given")
        );
    }
    Ok(output.stdout().to_vec())
}

fn run() -> Result<()> {
    let path = std::env::args_os().nth(1).context("usage: blocking FILE")?;
    let ciphertext =
        File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut passphrase = String::new();
    io::stdin().read_line(&mut passphrase).context("cannot read the passphrase")?;
    let plaintext = decrypt(ciphertext, passphrase.trim_end_matches('\n'))?;
    io::stdout().write_all(&plaintext).context("cannot print the plaintext")
}

fn main() -> ExitCode {
    procession_examples::end("blocking", run())
}
