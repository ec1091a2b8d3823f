//! The options of a run: strictness, order, standard input, lines, the group.

mod util;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::rc::Rc;

use procession_core::Failed;
use procession_process_transport::{Command, Fd, Pty};
use procession_protocol::ChildFd;
use procession_utils::{Keep, OutputError, Run, Stdin, Stream};
use util::{WATCHDOG, both, bound, ms, sh};

#[test]
fn the_error_of_check_has_what_a_log_needs() {
    both("the_error_of_check_has_what_a_log_needs", |runner| {
        let run = Run::new("sh").args(["-c", "echo 'fatal: no' >&2; exit 128", "--format=%H"]);
        let error = runner.get(run.check()).unwrap_err().to_string();
        let (start, time) = error.split_once(" after ").unwrap();
        let (seconds, last) = time.split_once(' ').unwrap();
        assert!(start.starts_with("sh -c "), "{error}");
        assert!(start.ends_with(" '--format=%H' exited with status 128"), "{error}");
        assert_eq!((seconds.len(), last), (4, "s: fatal: no"));

        let killed = Run::from(sh("kill $$")).check();
        let Err(error) = runner.get(killed) else { panic!("a failure") };
        assert!(matches!(error, OutputError::Signalled { .. }));

        let merged = Run::from(sh("echo sorry; exit 1")).merge_stderr().check();
        let error = runner.get(merged).unwrap_err().to_string();
        assert!(error.ends_with(" s: sorry"), "{error}");
        assert!(runner.get(Run::new("true").check()).is_ok());
    });
}

#[test]
fn an_error_can_be_sent() {
    fn can_be_sent<T: Send + Sync + std::error::Error + 'static>() {}
    can_be_sent::<OutputError>();
    can_be_sent::<Failed<OutputError>>();
}

#[test]
fn merged_outputs_are_in_true_order() {
    both("merged_outputs_are_in_true_order", |runner| {
        let script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
        let outcome = runner.get(Run::from(sh(script)).merge_stderr()).unwrap();
        let expected: String = (0..200).map(|n| format!("o{n}\ne{n}\n")).collect();
        assert_eq!(outcome.stdout, expected);
        assert!(outcome.stderr.is_empty());
    });
}

#[test]
fn usage_and_time_are_reported() {
    both("usage_and_time_are_reported", |runner| {
        let outcome = runner.get(Run::from(sh("sleep 0.1"))).unwrap();
        assert!(outcome.usage().is_some());
        assert!(outcome.after >= ms(100) && outcome.after < bound(WATCHDOG));
    });
}

#[test]
fn standard_input_can_be_a_file_or_a_reader() {
    both("standard_input_can_be_a_file_or_a_reader", |runner| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input");
        fs::write(&path, "from a file").unwrap();
        let file = Run::new("cat").stdin(File::open(&path).unwrap());
        assert_eq!(runner.get(file).unwrap().stdout, "from a file");

        let reader = io::repeat(b'x').take(3_000_001);
        let run = Run::new("wc").arg("-c").stdin(Stdin::reader(reader));
        assert_eq!(runner.get(run).unwrap().stdout_utf8().unwrap().trim(), "3000001");

        // An endless input, for a program that does not read it.
        let run = Run::new("true").stdin(Stdin::reader(io::repeat(b'x')));
        assert!(runner.get(run).unwrap().is_success());
    });
}

#[test]
fn a_pipe_of_the_command_is_closed_too() {
    both("a_pipe_of_the_command_is_closed_too", |runner| {
        let run = Run::from(Command::new("cat")).stdin(Stdin::as_in_command());
        assert_eq!(runner.get(run).unwrap().stdout, "");
    });
}

#[test]
fn a_reader_that_fails_ends_the_program() {
    struct Broken(u8);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => Err(io::ErrorKind::Interrupted.into()),
                2 => {
                    buffer[0] = b'x';
                    Ok(1)
                }
                _ => Err(io::Error::other("torn tape")),
            }
        }
    }
    both("a_reader_that_fails_ends_the_program", |runner| {
        let run = Run::from(sh("cat; sleep 100")).stdin(Stdin::reader(Broken(0)));
        let error = runner.get(run).unwrap_err();
        let OutputError::Stdin { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), "torn tape");
        assert!(error.to_string().ends_with(": torn tape"), "{error}");
        assert!(std::error::Error::source(&error).is_none(), "it is printed already");
        runner.until_no_children(ms(500));

        let run = Run::from(sh("sleep 100")).stdin(Stdin::reader(Broken(5)));
        assert!(runner.get(run).is_err(), "at the first read");
        runner.until_no_children(ms(500));
    });
}

/// The program ends its last line only when the first two have been reported.
#[test]
fn lines_of_both_outputs_come_while_the_program_runs() {
    both("lines_of_both_outputs_come_while_the_program_runs", |runner| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let script = sh("echo one; echo two >&2; read line; printf 'much too long\\nlast'");
        let (input, output) = io::pipe().unwrap();
        let mut output = Some(output);
        let stdin = Stdin::fd(Fd::inherit(input));
        let run = Run::from(script).stdin(stdin).max_line_bytes(6);
        let run = run.for_each_line(move |line| {
            lines.borrow_mut().push(line);
            if lines.borrow().len() == 2 {
                drop(output.take());
            }
        });
        let outcome = runner.get(run).unwrap();
        assert_eq!(outcome.stdout, "one\nmuch too long\nlast");
        let of = |stream: Stream| {
            let seen = seen.borrow();
            let lines = seen.iter().filter(|line| line.stream == stream);
            lines.map(|line| (line.text.to_vec(), line.is_cut())).collect::<Vec<_>>()
        };
        assert_eq!(of(Stream::Stderr), [(b"two".to_vec(), false)]);
        let stdout = [("one".into(), false), ("much t".into(), true), ("last".into(), false)];
        assert_eq!(of(Stream::Stdout), stdout);
    });
}

#[test]
fn the_last_line_on_a_terminal_need_not_end_either() {
    both("the_last_line_on_a_terminal_need_not_end_either", |runner| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let command = Command::new("printf").arg("one\ntwo").pty(Pty::new());
        let run = Run::from(command).stdin(Stdin::as_in_command());
        let run = run.for_each_line(move |line| lines.borrow_mut().push(line.text));
        assert_eq!(runner.get(run).unwrap().stdout, "one\r\ntwo");
        assert_eq!(*seen.borrow(), ["one", "two"]);
    });
}

#[test]
fn the_program_leads_a_group_unless_it_is_in_the_foreground() {
    both("the_program_leads_a_group_unless_it_is_in_the_foreground", |runner| {
        let script = "read pid name state parent group rest < /proc/$$/stat; echo $$ $group";
        let mut group = |run: Run| {
            let outcome = runner.get(run).unwrap();
            let text = outcome.stdout_utf8().unwrap().trim().to_owned();
            let (pid, group) = text.split_once(' ').unwrap();
            (pid.to_owned(), group.to_owned())
        };
        let (pid, own) = group(Run::from(sh(script)));
        assert_eq!(pid, own);
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let ours = stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap();
        assert_eq!(group(Run::from(sh(script)).foreground()).1, ours);
    });
}

#[test]
fn a_pipe_to_the_program_that_nobody_can_write_is_closed() {
    both("a_pipe_to_the_program_that_nobody_can_write_is_closed", |runner| {
        for fd in [Fd::to_child(), Fd::socketpair()] {
            let reader = sh("cat <&5; echo ok").child_fd(5, fd);
            assert_eq!(runner.get(Run::from(reader)).unwrap().stdout, "ok\n");
        }
        // Only the parent's direction ends. Data that the program writes there is accepted.
        let both = sh("cat <&5; echo x >&5 && cat <&1 && echo ok");
        let both = both.child_fd(5, Fd::socketpair()).child_fd(1, Fd::socketpair());
        assert_eq!(runner.get(Run::from(both)).unwrap().stdout, "ok\n");
    });
}

#[test]
fn a_message_has_the_last_lines_behind_a_gap_and_no_control_characters() {
    both("a_message_has_the_last_lines_behind_a_gap_and_no_control_characters", |runner| {
        let script = sh("seq 1000 >&2; exit 1").arg("x\n\u{1b}[2J");
        let mut message = |keep: Keep| {
            let run = Run::from(&script).keep(keep).check();
            runner.get(run).unwrap_err().to_string()
        };
        let text = message(Keep::head_and_tail(8, 8));
        assert!(text.contains(" exit 1' 'x\\n\\u{1b}[2J' exited with status 1 after "), "{text}");
        assert!(text.ends_with(" s: 1000"), "{text}");
        let text = message(Keep::head(8));
        assert!(text.ends_with(" s: 2 | 3 | 4 | …"), "{text}");
    });
}

#[test]
fn descendants_may_hold_the_outputs_as_long_as_the_run_says() {
    both("descendants_may_hold_the_outputs_as_long_as_the_run_says", |runner| {
        let script = sh("(sleep 0.4; echo late) & echo early").drain_after_exit(ms(0));
        let outcome = runner.get(Run::from(&script).drain_after_exit(None)).unwrap();
        assert_eq!(outcome.stdout, "early\nlate\n");
        assert!(outcome.held_fds().is_empty());
        let outcome = runner.get(Run::from(&script).drain_after_exit(ms(10))).unwrap();
        assert_eq!(outcome.stdout, "early\n");
        assert_eq!(outcome.held_fds(), [ChildFd::STDOUT, ChildFd::STDERR]);
        runner.assert_no_timer();
    });
}

/// A descendant holds the rest of the input, of which the program has read nothing.
#[test]
fn an_input_that_a_descendant_holds_is_held_too() {
    both("an_input_that_a_descendant_holds_is_held_too", |runner| {
        let longer = bound(ms(8000)).as_secs();
        let script = format!("exec 3<&0; sleep {longer} <&3 >/dev/null 2>&1 & echo a");
        let run =
            Run::from(sh(&script)).stdin("x".repeat(1 << 20)).drain_after_exit(bound(ms(1000)));
        let outcome = runner.get(run).unwrap();
        assert_eq!((&outcome.stdout[..], outcome.held_fds()), (&b"a\n"[..], &[ChildFd::STDIN][..]));
    });
}

#[test]
fn a_program_that_writes_to_stderr_runs_on_and_its_end_is_reported() {
    both("a_program_that_writes_to_stderr_runs_on_and_its_end_is_reported", |runner| {
        // It gets the rest of its input, and its output is discarded.
        let script =
            "echo a >&2; sleep 0.2; head -c 1000000 /dev/zero; [ $(wc -c) = 300000 ] && exit 3";
        let run = Run::from(sh(script)).stdin("x".repeat(300_000)).fail_on_stderr();
        let error = runner.get(run).unwrap_err();
        assert_eq!(error.stderr().unwrap(), "a\n");
        assert!(error.to_string().ends_with(" wrote to its standard error: a"), "{error}");
        let OutputError::UnexpectedStderr { ended, .. } = error else { panic!("{error:?}") };
        assert_eq!(runner.end(ended).unwrap_err().exit_code(), Some(3));
    });
}
