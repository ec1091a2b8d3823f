//! What a launcher writes, read by real shells: random arguments, variables and directories come through
//! byte by byte.

mod util;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::process::Stdio;

use procession_process_transport::Command;
use procession_utils::{Launcher, Ssh};
use proptest::collection::vec;
use proptest::prelude::*;

/// The name that a launcher's pure output has in place of a connection's.
const NAME: &str = "procession-00000000000000000000000000000000";

/// Text with many of the bytes that shells read in their own ways.
fn text(length: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let special = proptest::sample::select(
        &b"'\"\\$`!\n\t *?[]{}()<>|&;#~=%^-\r\x01\x7f\x80\xff\xc3\xa9"[..],
    );
    vec(prop_oneof![3 => special, 2 => b'a'..=b'f', 1 => 1..=255_u8], length)
}

fn os(bytes: &[u8]) -> OsString {
    OsString::from_vec(bytes.to_vec())
}

/// A folder on the "host", as the keeper of a connection makes it.
struct There {
    name: String,
    folder: PathBuf,
}

impl There {
    fn new() -> Self {
        let name = format!("procession-props-{}", std::process::id());
        let folder = PathBuf::from("/tmp").join(&name);
        fs::create_dir(&folder).expect("a folder of the test");
        Self { name, folder }
    }

    /// Runs the line that sshd would give to the user's shell, by this shell.
    fn run(&self, shell: &str, command: &Command) -> Vec<u8> {
        let local = Ssh::new("host").launch(command).expect("it can be carried");
        let line = local.get_args().find(|word| word.as_bytes().starts_with(b"exec /bin/sh -c "));
        let line = line.and_then(OsStr::to_str).expect("it is ASCII");
        let line = line.replace(NAME, &self.name);
        let output = std::process::Command::new(shell)
            .args(["-c", &line])
            .stdin(Stdio::null())
            .env("HERE", "inherited")
            .env_remove("TMPDIR")
            .output()
            .expect("a shell");
        fs::remove_file(self.folder.join("1")).expect("the run has made its file");
        assert!(output.status.success(), "{output:?}");
        output.stdout
    }
}

impl Drop for There {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn shells() -> Vec<&'static str> {
    let all = ["/bin/sh", "/bin/bash", "/bin/dash", "/bin/csh", "/usr/bin/fish", "/bin/zsh"];
    let shells: Vec<_> =
        all.into_iter().filter(|shell| fs::exists(shell).unwrap_or(false)).collect();
    assert!(!shells.is_empty());
    shells
}

/// Case RM-01.
#[test]
fn every_byte_of_a_command_comes_through_a_real_shell() {
    let there = There::new();
    let folder = tempfile::tempdir().expect("a folder");
    let shells = shells();
    let cases = if util::is_slow() { 2000 } else { 24 };
    let strategy = (
        vec(text(0..12), 1..5),
        vec((text(1..6), text(0..12)), 0..4),
        text(1..12),
        any::<prop::sample::Index>(),
    );
    proptest!(ProptestConfig::with_cases(cases), |((args, vars, dir, shell) in strategy)| {
        let shell = shells[shell.index(shells.len())];
        let dir: Vec<u8> = dir.into_iter().filter(|byte| *byte != b'/').collect();
        let dir = folder.path().join(os(&[b"d", &dir[..]].concat()));
        fs::create_dir_all(&dir).unwrap();
        let is_name = |name: &[u8]| !name.contains(&b'=') && !name.starts_with(b"-");
        let vars: std::collections::BTreeMap<_, _> =
            vars.into_iter().filter(|(name, _)| is_name(name)).collect();

        let print = Command::new("/usr/bin/printf").arg("%s\\0").args(args.iter().map(|arg| os(arg)));
        let mut expected = args.join(&0);
        expected.push(0);
        prop_assert_eq!(there.run(shell, &print.current_dir(&dir)), expected);

        let set = |command: Command| vars.iter().fold(command, |command, (name, value)| command.env(os(name), os(value)));
        let env = set(Command::new("env").arg("-0").env_clear());
        let printed = there.run(shell, &env);
        let mut found: Vec<&[u8]> = printed.split(|byte| *byte == 0).collect();
        prop_assert_eq!(found.pop(), Some(&b""[..]));
        found.sort_unstable();
        let mut expected: Vec<_> = vars.iter().map(|(name, value)| [name, &b"="[..], value].concat()).collect();
        expected.sort_unstable();
        prop_assert_eq!(found, expected);

        let link = set(Command::new("readlink").args(["-n", "/proc/self/cwd"]).env_remove("HERE"));
        prop_assert_eq!(there.run(shell, &link.current_dir(&dir)), dir.as_os_str().as_bytes());
    });
}
