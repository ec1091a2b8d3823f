//! Tests of the examples `gpg_decrypt` and `blocking`, which do the same with a reactor and without a
//! loop, with a key ring in a temporary directory.

mod util;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use util::{Ended, example, feed, skip};

const EXAMPLES: [&str; 2] = ["gpg_decrypt", "blocking"];
const PASSPHRASE: &str = "a passphrase, with spaces\n";
const PLAINTEXT: &str = "accessing protocols through Twisted is fun!\n";

/// A home directory for gpg. Dropping it ends the programs that gpg started there.
struct Home {
    dir: TempDir,
}

impl Home {
    /// Returns `None` if there is no gpg: the test is skipped.
    fn new(test: &str) -> Option<Self> {
        let is_there =
            |program| Command::new(program).arg("--version").stdout(Stdio::null()).status();
        if is_there("gpg").is_err() || is_there("gpgconf").is_err() {
            skip(test, "gpg is not installed");
            return None;
        }
        let dir = tempfile::tempdir().expect("a directory");
        // gpg warns if others can read its home directory.
        let own = Permissions::from_mode(0o700);
        std::fs::set_permissions(dir.path(), own).expect("it is ours");
        Some(Self { dir })
    }

    /// Encrypts with the passphrase. Returns the file.
    fn encrypt(&self, plaintext: &str) -> PathBuf {
        let plain = self.dir.path().join("plain");
        let cipher = self.dir.path().join("cipher");
        std::fs::write(&plain, plaintext).expect("the directory takes a file");
        let mut gpg = Command::new("gpg")
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase-fd", "0"])
            .args(["--symmetric", "--output"])
            .args([&cipher, &plain])
            .env("GNUPGHOME", self.dir.path())
            .stdin(Stdio::piped())
            .spawn()
            .expect("gpg can be started");
        let mut stdin = gpg.stdin.take().expect("a pipe");
        stdin.write_all(PASSPHRASE.as_bytes()).expect("gpg reads the passphrase");
        drop(stdin);
        assert!(gpg.wait().expect("it is ours").success(), "gpg encrypts");
        cipher
    }

    fn decrypt(&self, name: &str, file: &PathBuf, passphrase: &'static str) -> Ended {
        feed(example(name).arg(file).env("GNUPGHOME", self.dir.path()), passphrase)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        let kill = ["--kill", "all"];
        let mut gpgconf = Command::new("gpgconf");
        let killed = gpgconf.args(kill).env("GNUPGHOME", self.dir.path()).status();
        assert!(killed.is_ok_and(|status| status.success()), "no agent is left behind");
    }
}

#[test]
fn the_plaintext_is_printed_at_the_end_and_the_status_meanwhile() {
    let Some(home) = Home::new("gpg_decrypt: plaintext and status") else { return };
    let file = home.encrypt(PLAINTEXT);
    for name in EXAMPLES {
        let ended = home.decrypt(name, &file, PASSPHRASE);
        assert_eq!((ended.status, ended.stdout.as_str()), (0, PLAINTEXT), "{}", ended.stderr);
        let told: Vec<_> =
            ended.stderr.lines().filter_map(|line| line.strip_prefix("status: ")).collect();
        let mut rest = told.iter();
        for wanted in
            ["BEGIN_DECRYPTION", "PLAINTEXT_LENGTH 44", "DECRYPTION_OKAY", "END_DECRYPTION"]
        {
            assert!(rest.any(|status| *status == wanted), "{wanted} in {told:?}");
        }
        // gpg's own messages bypass the example, and go to the same place.
        assert!(ended.stderr.lines().any(|line| line.starts_with("gpg: ")), "{}", ended.stderr);
    }
}

#[test]
fn more_than_pipes_hold_is_decrypted() {
    let Some(home) = Home::new("gpg_decrypt: a long plaintext") else { return };
    let long: String = (0..200_000).map(|number| format!("{number}\n")).collect();
    let file = home.encrypt(&long);
    for name in EXAMPLES {
        let ended = home.decrypt(name, &file, PASSPHRASE);
        assert_eq!(ended.status, 0, "{}", ended.stderr);
        assert!(ended.stdout == long, "{} bytes of {}", ended.stdout.len(), long.len());
    }
}

#[test]
fn a_wrong_passphrase_is_an_error_and_nothing_is_printed() {
    let Some(home) = Home::new("gpg_decrypt: a wrong passphrase") else { return };
    let file = home.encrypt(PLAINTEXT);
    for name in EXAMPLES {
        let ended = home.decrypt(name, &file, "another\n");
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
        let last = ended.stderr.lines().last().unwrap();
        assert!(last.starts_with(&format!("{name}: gpg exited with status 2: ")), "{last}");
        assert!(ended.stderr.contains("status: DECRYPTION_FAILED"), "{}", ended.stderr);
    }
}

#[test]
fn what_is_no_ciphertext_is_an_error() {
    let Some(home) = Home::new("gpg_decrypt: no ciphertext") else { return };
    let file = home.dir.path().join("nonsense");
    std::fs::write(&file, "nonsense").unwrap();
    for name in EXAMPLES {
        let ended = home.decrypt(name, &file, PASSPHRASE);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
        let text = "gpg exited with status 2: NODATA 1\n";
        assert!(ended.stderr.ends_with(text), "{}", ended.stderr);
    }
}

#[test]
fn without_gpg_on_the_path_there_is_one_line_and_status_1() {
    let empty = tempfile::tempdir().unwrap();
    for name in EXAMPLES {
        let command = example(name).arg("/dev/null").env("PATH", empty.path());
        let ended = feed(command, PASSPHRASE);
        assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    }
}

#[test]
fn a_missing_file_is_one_line_and_status_1() {
    let ended = feed(example("gpg_decrypt").arg("there/is/no/such/file"), PASSPHRASE);
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("there/is/no/such/file"), "{}", ended.stderr);
}
