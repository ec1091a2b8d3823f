//! gpg over five descriptors: the howto's example of extra descriptors.

// ANCHOR: protocol
use procession::ProcessTerminated;
use procession::prelude::*;

const PASSPHRASE: i32 = 3;
const STATUS: i32 = 4;

struct Decrypt {
    passphrase: Bytes,
    ciphertext: Bytes,
    plaintext: BytesMut,
    status: LineReceiver,
    decrypted: Promise<Bytes, ProcessTerminated>,
}

impl ProcessProtocol for Decrypt {
    fn connection_made(&mut self, process: &Process) {
        // If gpg has exited already, its exit reason says why.
        process.write_to_child(PASSPHRASE, self.passphrase.clone()).ok();
        process.close_child_fd(PASSPHRASE);
        process.write(self.ciphertext.clone());
        process.close_stdin();
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        if fd == STATUS {
            self.status.on_data(data);
            while let Some(line) = self.status.poll() {
                println!("gpg says: {}", line.escape_ascii());
            }
        } else {
            self.plaintext.extend_from_slice(&data);
        }
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        let plaintext = self.plaintext.split().freeze();
        self.decrypted.complete(reason.map(|_| plaintext));
    }
}
// ANCHOR_END: protocol

// ANCHOR: command
fn decrypt(
    ciphertext: Bytes,
    passphrase: Bytes,
) -> Result<Deferred<Bytes, ProcessTerminated>, procession::SpawnError> {
    let gpg = gpg()
        .child_fd(2, Fd::inherit(std::io::stderr())) // its messages go where ours go
        .child_fd(PASSPHRASE, Fd::to_child()) // Twisted's "w"
        .child_fd(STATUS, Fd::from_child()); // Twisted's "r"
    let (decrypted, plaintext) = Deferred::new();
    let (output, status) = (BytesMut::new(), LineReceiver::new());
    let protocol = Decrypt { passphrase, ciphertext, plaintext: output, status, decrypted };
    Handle::current().spawn_process(protocol, gpg)?;
    Ok(plaintext)
}
// ANCHOR_END: command

/// A stand-in that needs no key ring.
fn gpg() -> Command {
    let script = "read secret <&3; echo \"[GNUPG:] GOOD_PASSPHRASE\" >&4; echo \"$secret\"; cat";
    Command::new("sh").args(["-c", script])
}

// ANCHOR: gpg
fn real_gpg() -> Command {
    Command::new("gpg").args(["--decrypt", "--batch", "--pinentry-mode", "loopback"]).args([
        "--passphrase-fd",
        "3",
        "--status-fd",
        "4",
    ])
}
// ANCHOR_END: gpg

#[test]
fn each_descriptor_has_its_use() {
    let mut reactor = Reactor::new().unwrap();
    let plaintext = decrypt("text".into(), "secret\n".into()).unwrap();
    assert_eq!(reactor.block_on(plaintext).unwrap(), "secret\ntext");
    assert_eq!(real_gpg().get_program(), "gpg");
}
