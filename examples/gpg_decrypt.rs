//! Decrypts a file with GnuPG over five descriptors: `gpg_decrypt FILE`, with the passphrase on the
//! standard input.
//!
//! gpg reads the ciphertext from descriptor 0 and writes the plaintext to 1. Its descriptor 2 is
//! this program's standard error, so that the user sees gpg's messages. It reads the passphrase
//! from 3, and writes status lines to 4. This program prints each status line on its standard error
//! as it arrives. It prints the plaintext at the end, if gpg succeeded.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::{Context, Result};
use procession::prelude::*;
use procession::{ProcessTerminated, SpawnError};

// ANCHOR: protocol
const PASSPHRASE: i32 = 3;
const STATUS: i32 = 4;
/// The prefix of each status line.
const MARK: &str = "[GNUPG:] ";
/// The beginnings of status lines that report an error.
const COMPLAINTS: [&str; 4] = ["ERROR", "NODATA", "DECRYPTION_FAILED", "FAILURE"];

#[derive(Debug, thiserror::Error)]
enum DecryptError {
    #[error("cannot start gpg")]
    Spawn(#[from] SpawnError),
    #[error("gpg {terminated}: {complaint}")]
    Failed { terminated: ProcessTerminated, complaint: String },
}

struct Decrypt {
    passphrase: Bytes,
    ciphertext: Bytes,
    plaintext: BytesMut,
    status: LineReceiver,
    /// The first error that gpg reported.
    complaint: Option<String>,
    decrypted: Promise<Bytes, DecryptError>,
}

impl Decrypt {
    /// Handles the complete status lines.
    fn read_status(&mut self) {
        while let Some(line) = self.status.poll() {
            let line = String::from_utf8_lossy(&line);
            let status = line.strip_prefix(MARK).unwrap_or(&line);
            // Use one write, because gpg writes to the same place.
            let line = format!("status: {status}\n");
            eprint!("{line}");
            if COMPLAINTS.iter().any(|begin| status.starts_with(begin)) {
                self.complaint.get_or_insert_with(|| status.to_owned());
            }
        }
    }
}

impl ProcessProtocol for Decrypt {
    fn connection_made(&mut self, process: &Process) {
        // gpg may have exited already. Then its exit reason says why.
        process.write_to_child(PASSPHRASE, self.passphrase.clone()).ok();
        process.close_child_fd(PASSPHRASE);
        process.write(self.ciphertext.clone());
        process.close_stdin();
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        if fd == STATUS {
            self.status.on_data(data);
            self.read_status();
        } else {
            self.plaintext.extend_from_slice(&data);
        }
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        if fd == STATUS {
            self.status.on_end();
            self.read_status();
        }
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        let complaint = self.complaint.take().unwrap_or_else(|| "no reason given".to_owned());
        let plaintext = self.plaintext.split().freeze();
        let failed = |terminated| DecryptError::Failed { terminated, complaint };
        self.decrypted.complete(reason.map(|_| plaintext).map_err(failed));
    }
}
// ANCHOR_END: protocol

// ANCHOR: decrypt
fn decrypt(ciphertext: Bytes, passphrase: Bytes) -> Deferred<Bytes, DecryptError> {
    let gpg = Command::new("gpg")
        .args(["--decrypt", "--batch", "--pinentry-mode", "loopback"])
        .args(["--passphrase-fd", "3", "--status-fd", "4"])
        .child_fd(2, Fd::inherit(io::stderr())) // its messages go where ours go
        .child_fd(PASSPHRASE, Fd::to_child()) // Twisted's "w"
        .child_fd(STATUS, Fd::from_child()); // Twisted's "r"
    let (decrypted, plaintext) = Deferred::new();
    let protocol = Decrypt {
        passphrase,
        ciphertext,
        plaintext: BytesMut::new(),
        status: LineReceiver::new(),
        complaint: None,
        decrypted,
    };
    match Handle::current().spawn_process(protocol, gpg) {
        Ok(_) => plaintext,
        Err(error) => Deferred::ready(Err(error.into())),
    }
}
// ANCHOR_END: decrypt

fn run() -> Result<Stopped> {
    let path = std::env::args_os().nth(1).context("usage: gpg_decrypt FILE")?;
    let ciphertext =
        std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut passphrase = String::new();
    io::stdin().read_line(&mut passphrase).context("cannot read the passphrase")?;
    let passphrase = passphrase.trim_end_matches('\n').to_owned();

    run_main(async {
        let plaintext = decrypt(ciphertext.into(), passphrase.into()).await?;
        io::stdout().write_all(&plaintext).context("cannot print the plaintext")
    })
}

fn main() -> ExitCode {
    procession_examples::end("gpg_decrypt", run())
}
