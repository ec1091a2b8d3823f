//! Area EN: the child's environment, working directory, arguments, umask and limits.
#![cfg(feature = "reactor")]

mod util;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;

use crate::util::{Driver, Ended, Way, command, in_every_way, isolated, probe, sh, sys};

/// An executable script for `/bin/sh`, in a directory of its own.
fn script(name: &str, text: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("its mode");
    (dir, path)
}

/// Asserts the stdout, an empty stderr, and exit code 0.
#[track_caller]
fn assert_output(record: &Ended, stdout: impl AsRef<[u8]>) {
    let stdout = stdout.as_ref();
    assert!(
        record.data(1) == stdout,
        "{} is not {}",
        record.data(1).escape_ascii(),
        stdout.escape_ascii()
    );
    assert_eq!((record.text(2).as_str(), record.code()), ("", 0));
}

/// Case EN-01.
#[test]
fn a_cleared_environment_has_what_is_set_and_nothing_else() {
    in_every_way("a_cleared_environment_has_what_is_set_and_nothing_else", |driver| {
        let record = driver.run(command("/usr/bin/env").env_clear().env("FOO", "bar"));
        assert_output(&record, "FOO=bar\n");
    });
}

/// Case EN-02.
#[test]
fn an_environment_can_be_empty() {
    in_every_way("an_environment_can_be_empty", |driver| {
        let record = driver.run(command("/usr/bin/env").env_clear());
        assert_output(&record, "");
    });
}

/// Case EN-03.
#[test]
fn the_environment_is_read_at_the_spawn_and_not_earlier() {
    in_every_way("the_environment_is_read_at_the_spawn_and_not_earlier", |driver| {
        let echo = sh("echo $X");
        sys::set_env("X", "1");
        assert_output(&driver.run(echo.clone()), "1\n");
        sys::set_env("X", "2");
        assert_output(&driver.run(echo), "2\n");
    });
}

/// Returns the parent's environment as the probe prints it, with changes applied.
fn environment(change: impl Fn(&OsStr, &OsStr) -> Option<OsString>) -> Vec<u8> {
    let mut all: Vec<(OsString, OsString)> = std::env::vars_os()
        .filter_map(|(key, value)| {
            let value = change(&key, &value)?;
            Some((key, value))
        })
        .collect();
    all.sort();
    let entries: Vec<Vec<u8>> =
        all.iter().map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat()).collect();
    entries.join(&b'|')
}

/// Case EN-04.
#[test]
fn the_environment_is_the_parents_by_default() {
    in_every_way("the_environment_is_the_parents_by_default", |driver| {
        sys::set_env("PROCESSION_TEST_VARIABLE", "inherited");
        let record = driver.run(command("/usr/bin/env"));
        assert!(record.text(1).lines().any(|line| line == "PROCESSION_TEST_VARIABLE=inherited"));
        assert_eq!(record.code(), 0);
        let same = environment(|_, value| Some(value.to_owned()));
        assert_output(&driver.run(probe(["env"])), same);
    });
}

/// `env`, `envs` and `env_remove` change single variables of the inherited environment.
#[test]
fn single_variables_are_set_and_removed() {
    in_every_way("single_variables_are_set_and_removed", |driver| {
        sys::set_env("ONE", "1");
        sys::set_env("TWO", "2");
        let wanted = environment(|key, value| match key.to_str() {
            Some("ONE") => None,
            Some("TWO") => Some("two".into()),
            _ => Some(value.to_owned()),
        });
        let record =
            driver.run(probe(["env"]).envs([("ONE", "x"), ("TWO", "two")]).env_remove("ONE"));
        assert_output(&record, wanted);
    });
}

/// Case EN-05.
#[test]
fn names_and_values_are_any_bytes() {
    in_every_way("names_and_values_are_any_bytes", |driver| {
        let high: Vec<u8> = (0x80..=0xff).collect();
        let os = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        let mut vars = vec![
            (os(b"EMPTY"), os(b"")),
            (os(b"EQUALS"), os(b"a=b=c")),
            (os(b"LINES"), os(b"one\ntwo\n")),
            (os(&[b"K\xff", high.as_slice()].concat()), os(&high)),
            (os(b"VALUE"), os(&high)),
        ];
        // An emulator of another processor finds the C library of the probe by this variable.
        let emulator = "QEMU_LD_PREFIX";
        vars.extend(std::env::var_os(emulator).map(|root| (emulator.into(), root)));
        let record = driver.run(probe(["env"]).env_clear().envs(vars.clone()));
        vars.sort();
        let entry =
            |(key, value): &(OsString, OsString)| [key.as_bytes(), b"=", value.as_bytes()].concat();
        let wanted: Vec<Vec<u8>> = vars.iter().map(entry).collect();
        assert_output(&record, wanted.join(&b'|'));
    });
}

/// Case EN-06.
#[test]
fn the_last_value_of_a_name_wins_and_stands_there_once() {
    in_every_way("the_last_value_of_a_name_wins_and_stands_there_once", |driver| {
        let twice = [("FOO", "bad"), ("FOO", "good")];
        assert_output(&driver.run(sh("echo $FOO").envs(twice)), "good\n");
        let record = driver.run(command("/usr/bin/env").env_clear().envs(twice));
        assert_output(&record, "FOO=good\n");
        // The same for a variable that the parent has too.
        sys::set_env("FOO", "of the parent");
        let record = driver.run(command("/usr/bin/env").envs(twice));
        let all = record.text(1);
        let found: Vec<&str> = all.lines().filter(|line| line.starts_with("FOO=")).collect();
        assert_eq!(found, ["FOO=good"]);
    });
}

/// Case EN-07.
#[test]
fn a_bare_program_is_looked_up_on_the_path_of_the_child() {
    in_every_way("a_bare_program_is_looked_up_on_the_path_of_the_child", |driver| {
        let (dir, _) = script("myprog", "echo mine");
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        assert_output(&driver.run(command("myprog").env("PATH", &path)), "mine\n");
        let cleared = command("myprog").env_clear().env("PATH", &path);
        assert_output(&driver.run(cleared), "mine\n");

        // A command that sets no PATH uses the parent's.
        driver.fails(command("myprog"));
        sys::set_env("PATH", &path);
        assert_output(&driver.run(command("myprog")), "mine\n");
    });
}

/// Case EN-08.
#[test]
fn the_working_directory_is_the_commands() {
    in_every_way("the_working_directory_is_the_commands", |driver| {
        assert_output(&driver.run(sh("pwd").current_dir("/")), "/\n");
    });
}

/// Case EN-09.
#[test]
fn a_relative_program_is_resolved_in_the_new_directory() {
    in_every_way("a_relative_program_is_resolved_in_the_new_directory", |driver| {
        let (dir, path) = script("rel.sh", "echo $0; pwd");
        let record = driver.run(command("./rel.sh").current_dir(dir.path()));
        let real = fs::canonicalize(path.parent().unwrap()).unwrap();
        assert_output(&record, format!("./rel.sh\n{}\n", real.display()));

        // The same for a relative element of PATH.
        let named = command("rel.sh").env("PATH", ".").current_dir(dir.path());
        assert_eq!(driver.run(named).code(), 0);
    });
}

/// Case EN-10.
#[test]
fn a_relative_program_without_a_directory_is_relative_to_the_parent() {
    in_every_way("a_relative_program_without_a_directory_is_relative_to_the_parent", |driver| {
        let (dir, _) = script("rel.sh", "echo ran");
        std::env::set_current_dir(dir.path()).unwrap();
        let record = driver.run(command("./rel.sh"));
        std::env::set_current_dir("/").unwrap();
        assert_output(&record, "ran\n");
    });
}

/// Case EN-11.
#[test]
fn the_parents_own_directory_never_changes() {
    in_every_way("the_parents_own_directory_never_changes", |driver| {
        let dir = tempfile::tempdir().unwrap();
        std::env::set_current_dir(dir.path()).unwrap();
        let home = std::env::current_dir().unwrap();
        let done = Arc::new(AtomicBool::new(false));
        let watcher = std::thread::spawn({
            let (home, done) = (home.clone(), done.clone());
            move || {
                let mut looks = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    assert_eq!(std::env::current_dir().unwrap(), home);
                    looks += 1;
                }
                looks
            }
        });
        for _ in 0..200 {
            assert_eq!(driver.run(command("/bin/true").current_dir("/")).code(), 0);
        }
        done.store(true, Ordering::Relaxed);
        let looks = watcher.join().expect("the directory never changed");
        assert!(looks > 0);
        assert_eq!(std::env::current_dir().unwrap(), home);
        std::env::set_current_dir("/").unwrap();
    });
}

/// Case EN-13.
#[test]
fn arguments_reach_the_program_without_a_shells_interpretation() {
    in_every_way("arguments_reach_the_program_without_a_shells_interpretation", |driver| {
        let args = ["%s|", "a b", "", "*", "$HOME", "\"q\"", "'", "\\", "a\nb"];
        let record = driver.run(command("/usr/bin/printf").args(args));
        assert_output(&record, "a b||*|$HOME|\"q\"|'|\\|a\nb|");
        let record = driver.run(probe(["args"]).args(args));
        assert_output(&record, args.join("|"));
    });
}

/// Case EN-14.
#[test]
fn an_argument_is_any_bytes_but_nul() {
    in_every_way("an_argument_is_any_bytes_but_nul", |driver| {
        let all: Vec<u8> = (1..=255).collect();
        let record = driver.run(probe(["args"]).arg(OsStr::from_bytes(&all)));
        assert_output(&record, all);
    });
}

/// Case EN-15.
#[test]
fn the_name_in_argv_is_independent_of_the_program() {
    in_every_way("the_name_in_argv_is_independent_of_the_program", |driver| {
        assert_output(&driver.run(sh("echo $0").arg0("custom")), "custom\n");
        assert_output(&driver.run(sh("echo $0")), "/bin/sh\n");
    });
}

/// Case EN-16.
#[test]
fn a_script_is_run_by_its_interpreter() {
    in_every_way("a_script_is_run_by_its_interpreter", |driver| {
        let (_dir, path) = script("script", "echo $0 $1");
        let record = driver.run(command(&path).arg("x"));
        assert_output(&record, format!("{} x\n", path.display()));
    });
}

/// Case EN-17.
#[test]
fn a_thousand_long_arguments_arrive() {
    in_every_way("a_thousand_long_arguments_arrive", |driver| {
        let many = std::iter::repeat_n("a".repeat(1000), 1000);
        assert_output(&driver.run(sh("echo $#").arg("x").args(many)), "1000\n");
    });
}

/// Case EN-18.
#[test]
fn the_umask_is_the_parents_and_stays_it() {
    in_every_way("the_umask_is_the_parents_and_stays_it", |driver| {
        let mask = rustix::fs::Mode::from_raw_mode(0o027);
        rustix::process::umask(mask);
        assert_output(&driver.run(sh("umask")), "0027\n");
        assert_eq!(rustix::process::umask(mask), mask, "the parent's own");
    });
}

/// Formats a limit as the shell prints it.
fn shown(limit: Option<u64>) -> String {
    limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
}

/// Case EN-19.
#[test]
fn the_limit_of_open_descriptors_is_the_parents_original_one() {
    isolated("the_limit_of_open_descriptors_is_the_parents_original_one", || {
        let nofile = rustix::process::Resource::Nofile;
        let first = rustix::process::getrlimit(nofile);
        // A soft limit below the hard one, which a library could raise.
        let soft = first.current.map_or(1000, |soft| soft - 1);
        let limit = rustix::process::Rlimit { current: Some(soft), maximum: first.maximum };
        rustix::process::setrlimit(nofile, limit).unwrap();
        let mut driver = Driver::new();
        let record = Way::run(&mut driver, sh("ulimit -n; ulimit -Hn"));
        assert_output(&record, format!("{soft}\n{}\n", shown(first.maximum)));
        driver.finish();
    });
}

/// A relative directory is resolved against the parent's directory.
#[test]
fn a_relative_directory_is_relative_to_the_parents() {
    in_every_way("a_relative_directory_is_relative_to_the_parents", |driver| {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("below")).unwrap();
        std::env::set_current_dir(dir.path()).unwrap();
        let record = driver.run(sh("pwd").current_dir("below"));
        let real = fs::canonicalize(Path::new("below")).unwrap();
        std::env::set_current_dir("/").unwrap();
        assert_output(&record, format!("{}\n", real.display()));
    });
}
