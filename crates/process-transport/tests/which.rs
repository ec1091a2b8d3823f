//! The file that a spawn would execute, found without a spawn.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use procession_process_transport::{Command, Fd, SpawnError, which};
use tempfile::TempDir;

fn file(dir: &Path, name: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, "#!/bin/sh\nexit 0\n").expect("a file");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    path
}

/// Case EN-41.
#[test]
fn it_is_the_file_that_a_spawn_executes() {
    let found = which("cat").unwrap();
    let spawned = Command::new("cat").child_fd(0, Fd::to_child()).child_fd(1, Fd::from_child());
    let mut spawned = spawned.spawn().unwrap();
    // The kernel lets the parent go on a moment before it shows the new program.
    let [mut input, mut output] = [0, 1].map(|fd| File::from(spawned.take(fd).unwrap()));
    input.write_all(b"x").unwrap();
    output.read_exact(&mut [0]).unwrap();
    let executed = fs::read_link(format!("/proc/{}/exe", spawned.pid())).unwrap();
    assert_eq!(fs::canonicalize(found).unwrap(), executed);
    drop(input);
    assert!(spawned.wait().unwrap().is_ok());

    let dir = TempDir::new().unwrap();
    let script = file(dir.path(), "script", 0o755);
    assert_eq!(which(&script).unwrap(), script);
    let link = dir.path().join("link");
    symlink("script", &link).unwrap();
    assert_eq!(which(&link).unwrap(), link);
}

/// Case EN-42.
#[test]
fn it_fails_as_the_spawn_does() {
    let dir = TempDir::new().unwrap();
    let dangling = dir.path().join("dangling");
    symlink("nothing", &dangling).unwrap();
    let looped = dir.path().join("looped");
    symlink("looped", &looped).unwrap();
    let plain = file(dir.path(), "plain", 0o644);
    for program in [
        dir.path().to_owned(),
        plain.join("below"),
        plain,
        dangling,
        looped,
        dir.path().join("missing"),
        "no such program".into(),
        "/dev/null".into(),
        "".into(),
        "a\0b".into(),
        "a\0/b".into(),
    ] {
        let error = which(&program).expect_err("it cannot be executed");
        let spawn = Command::new(&program).spawn().expect_err("it cannot be executed");
        let facts = |error: &SpawnError| (error.step(), error.kind(), error.to_string());
        assert_eq!(facts(&error), facts(&spawn), "{program:?}");
    }
}
