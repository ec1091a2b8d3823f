//! The helpers under Twisted's names.
#![cfg(feature = "reactor")]

mod util;

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use procession_core::{Failed, Signal};
use procession_process_transport::{Command, Step};
use procession_utils::{
    OutputError, Run, get_process_output, get_process_output_and_value, get_process_output_merged,
    get_process_value,
};
use util::{behaviour, bound, ms, sh};

/// Case CH-01.
#[test]
fn output_gives_what_the_program_wrote() {
    behaviour("output_gives_what_the_program_wrote", |driver| {
        let output = driver.get(get_process_output(sh(r#"printf "hello world\n""#))).unwrap();
        assert_eq!(output, "hello world\n");
    });
}

/// Case CH-02.
#[test]
fn output_ignores_the_exit_status() {
    behaviour("output_ignores_the_exit_status", |driver| {
        assert_eq!(driver.get(get_process_output(sh("printf x; exit 3"))).unwrap(), "x");
        assert_eq!(driver.get(get_process_output(sh("printf y; kill -9 $$"))).unwrap(), "y");
    });
}

/// Case CH-03.
#[test]
fn the_first_byte_on_stderr_fails_output_before_the_exit() {
    behaviour("the_first_byte_on_stderr_fails_output_before_the_exit", |driver| {
        let noisy = sh("printf x; printf e >&2; sleep 1; exit 3");
        let (result, after) = driver.timed(get_process_output(noisy));
        let Err(Failed::Error(OutputError::UnexpectedStderr { outcome, ended, .. })) = result
        else {
            panic!("{result:?}");
        };
        assert!(after < bound(ms(300)), "{after:?}");
        assert_eq!(outcome.stderr, "e");
        assert_eq!(outcome.stdout, "x");
        let (reason, rest) = driver.timed(ended.into_deferred());
        assert_eq!(reason.unwrap().unwrap_err().exit_code(), Some(3));
        assert!(after + rest > ms(900), "{after:?} and {rest:?}");
    });
}

/// Case CH-04.
#[test]
fn merged_output_has_both() {
    behaviour("merged_output_has_both", |driver| {
        let both = sh("printf foo; printf foo >&2");
        assert_eq!(driver.get(get_process_output_merged(both)).unwrap(), "foofoo");
    });
}

/// Case CH-05.
#[test]
fn value_gives_the_exit_status() {
    behaviour("value_gives_the_exit_status", |driver| {
        let loud = sh("echo out; echo err >&2; exit 3");
        assert_eq!(driver.get(get_process_value(loud)).unwrap(), 3);
    });
}

/// Case CH-06.
#[test]
fn value_of_a_killed_program_is_an_error_that_names_the_signal() {
    behaviour("value_of_a_killed_program_is_an_error_that_names_the_signal", |driver| {
        let error = driver.get(get_process_value(sh("kill -9 $$"))).unwrap_err();
        assert!(error.to_string().contains("ended by signal 9 (SIGKILL) after 0."), "{error}");
        let Failed::Error(error) = error else { panic!("{error:?}") };
        assert!(matches!(error, OutputError::Signalled { .. }));
        assert_eq!(error.terminated().unwrap().signal(), Some(Signal::KILL));
    });
}

/// Case CH-07.
#[test]
fn output_and_value_gives_all_three() {
    behaviour("output_and_value_gives_all_three", |driver| {
        let all = sh("printf o; printf e >&2; exit 3");
        let (out, err, code) = driver.get(get_process_output_and_value(all, "")).unwrap();
        assert_eq!((&out[..], &err[..], code), (&b"o"[..], &b"e"[..], 3));
    });
}

/// Case CH-08.
#[test]
fn output_and_value_of_a_killed_program_keeps_the_outputs() {
    behaviour("output_and_value_of_a_killed_program_keeps_the_outputs", |driver| {
        let killed = sh("printf o; printf e >&2; kill -9 $$");
        match driver.get(get_process_output_and_value(killed, "")) {
            Err(Failed::Error(OutputError::Signalled { outcome, .. })) => {
                assert_eq!((&outcome.stdout[..], &outcome.stderr[..]), (&b"o"[..], &b"e"[..]));
                assert_eq!(outcome.signal(), Some(Signal::KILL));
            }
            other => panic!("{other:?}"),
        }
    });
}

/// Case CH-09.
#[test]
fn a_megabyte_goes_through_cat_and_so_does_nothing() {
    behaviour("a_megabyte_goes_through_cat_and_so_does_nothing", |driver| {
        let data: Vec<u8> = (0..1 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
        let cat = get_process_output_and_value("cat", data.clone());
        let (out, err, code) = driver.get(cat).unwrap();
        assert!(out == data && err.is_empty() && code == 0);
        let cat = get_process_output_and_value("cat", b"");
        let (out, _, code) = driver.get(cat).unwrap();
        assert!(out.is_empty() && code == 0);
    });
}

/// Case CH-10.
#[test]
fn a_program_need_not_read_its_standard_input() {
    behaviour("a_program_need_not_read_its_standard_input", |driver| {
        let data = vec![b'x'; 1 << 20];
        let (out, err, code) = driver.get(get_process_output_and_value("true", data)).unwrap();
        assert!(out.is_empty() && err.is_empty() && code == 0);
    });
}

/// Case CH-11.
#[test]
fn standard_input_is_never_left_open() {
    behaviour("standard_input_is_never_left_open", |driver| {
        let (output, after) = driver.timed(get_process_output("cat"));
        assert_eq!(output.unwrap(), "");
        assert!(after < bound(ms(300)), "{after:?}");
        let link = driver.get(get_process_output(sh("readlink /proc/self/fd/0"))).unwrap();
        assert_eq!(link, "/dev/null\n");
    });
}

/// Case CH-12.
#[test]
fn a_command_brings_its_directory_and_environment() {
    behaviour("a_command_brings_its_directory_and_environment", |driver| {
        let root = sh("pwd").current_dir("/");
        assert_eq!(driver.get(get_process_output(&root)).unwrap(), "/\n");
        let variable = sh("echo $WORD").env("WORD", "said");
        assert_eq!(driver.get(get_process_output(variable)).unwrap(), "said\n");
    });
}

/// Case EN-04.
#[test]
fn the_helpers_hand_on_the_parents_environment() {
    behaviour("the_helpers_hand_on_the_parents_environment", |driver| {
        let variables = std::env::vars_os();
        let lines = variables.map(|(key, value)| [key.as_bytes(), b"=", value.as_bytes()].concat());
        let ours: BTreeSet<Vec<u8>> = lines.collect();
        assert!(ours.iter().any(|line| line.starts_with(b"PROCESSION_TEST_ISOLATED=")));
        let env = Command::new("env").arg("-0");
        let of = |output: &[u8]| {
            let lines = output.strip_suffix(b"\0").expect("a last line").split(|byte| *byte == 0);
            lines.map(<[u8]>::to_vec).collect::<BTreeSet<_>>()
        };
        assert_eq!(of(&driver.get(get_process_output(&env)).unwrap()), ours);
        assert_eq!(of(&driver.get(get_process_output_merged(&env)).unwrap()), ours);
        assert_eq!(of(&driver.get(get_process_output_and_value(&env, "")).unwrap().0), ours);
        assert_eq!(of(&driver.get(Run::from(env).start()).unwrap().stdout), ours);
        let is_there = sh("exit ${PROCESSION_TEST_ISOLATED:+3}");
        assert_eq!(driver.get(get_process_value(is_there)).unwrap(), 3);
    });
}

/// Case CH-13.
#[test]
fn a_program_that_is_not_there_fails_the_deferred_and_not_the_call() {
    behaviour("a_program_that_is_not_there_fails_the_deferred_and_not_the_call", |driver| {
        let failed = get_process_output("/no/such");
        let Err(Failed::Error(OutputError::Spawn(error))) = driver.get(failed) else {
            panic!("a spawn error");
        };
        assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(2)));
    });
}

/// Case CH-14.
#[test]
fn the_named_helpers_wait_for_the_last_writer_and_run_does_not() {
    behaviour("the_named_helpers_wait_for_the_last_writer_and_run_does_not", |driver| {
        let script = sh("(sleep 1; echo late) & echo early");
        let (output, after) = driver.timed(get_process_output(&script));
        assert_eq!(output.unwrap(), "early\nlate\n");
        assert!(after > ms(900) && after < bound(ms(2000)), "{after:?}");
        let (all, after) = driver.timed(get_process_output_and_value(&script, ""));
        assert_eq!(all.unwrap().0, "early\nlate\n");
        assert!(after > ms(900), "{after:?}");
        let (value, after) = driver.timed(get_process_value(&script));
        assert_eq!(value.unwrap(), 0);
        assert!(after > ms(900), "{after:?}");

        // This is long after the time limit, also on a busy machine.
        let script = sh("(sleep 10; echo late) & echo early");
        let (outcome, after) = driver.timed(Run::from(script).start());
        let outcome = outcome.unwrap();
        assert_eq!(outcome.stdout, "early\n");
        assert!(after > ms(400) && after < bound(ms(700)), "{after:?}");
        let held: Vec<i32> = outcome.held_fds().iter().map(|fd| fd.as_raw()).collect();
        assert_eq!(held, [1, 2]);
    });
}

/// Case CH-15.
#[test]
fn fifty_at_once_get_their_own_output() {
    behaviour("fifty_at_once_get_their_own_output", |driver| {
        let run = |n: u32| {
            let command = Command::new("sh").args(["-c", "echo foo$0", &n.to_string()]);
            get_process_output(command)
        };
        let all: Vec<_> = (0..50).map(run).collect();
        for (n, output) in all.into_iter().enumerate() {
            assert_eq!(driver.get(output).unwrap(), format!("foo{n}\n"));
        }
    });
}

/// Case CH-17.
#[test]
fn a_program_that_goes_on_writing_to_stderr_is_left_to_its_own_end() {
    behaviour("a_program_that_goes_on_writing_to_stderr_is_left_to_its_own_end", |driver| {
        let script = sh("printf a >&2; sleep 0.2; printf b >&2; sleep 0.2; exit 1");
        let error = driver.get(get_process_output(script)).unwrap_err().error().unwrap();
        assert_eq!(error.stderr().unwrap(), "a");
        assert!(error.to_string().ends_with(" wrote to its standard error: a"), "{error}");
        let OutputError::UnexpectedStderr { ended, .. } = error else { panic!("{error:?}") };
        let reason = driver.get(ended.into_deferred()).unwrap();
        assert_eq!(reason.unwrap_err().exit_code(), Some(1));
    });
}

#[test]
fn dropping_the_error_of_stderr_leaves_the_program_running() {
    behaviour("dropping_the_error_of_stderr_leaves_the_program_running", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("it got there");
        let script = sh("printf a >&2; sleep 0.3; : > \"$0\"").arg(&file);
        drop(driver.get(get_process_output(script)).unwrap_err());
        driver.until_no_children(Duration::from_secs(5));
        assert!(file.exists());
    });
}

#[test]
fn more_than_the_limit_is_an_error_of_the_named_helpers() {
    behaviour("more_than_the_limit_is_an_error_of_the_named_helpers", |driver| {
        let error = driver.get(get_process_output("yes")).unwrap_err();
        assert_eq!(error.to_string(), "yes wrote more than 67108864 bytes to its standard output");
        let stdout = error.error().unwrap().stdout().cloned().unwrap();
        assert_eq!(stdout.len(), 64 << 20);
        assert!(stdout.starts_with(b"y\ny\n"));
    });
}
