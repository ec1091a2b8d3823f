//! The options of a run: strictness, order, standard input, lines, the group.

mod util;

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use procession_core::Failed;
use procession_process_transport::{Command, Fd, Pty};
use procession_utils::{Keep, OutputError, Run, Stdin, Stream, get_process_output, run_all};
use util::{WATCHDOG, behaviour, bound, ms, sh};

#[test]
fn the_error_of_check_has_what_a_log_needs() {
    behaviour("the_error_of_check_has_what_a_log_needs", |driver| {
        let run = Run::new("sh").args(["-c", "echo 'fatal: no' >&2; exit 128", "--format=%H"]);
        let error = driver.get(run.check().start()).unwrap_err().to_string();
        let (start, time) = error.split_once(" after ").unwrap();
        let (seconds, last) = time.split_once(' ').unwrap();
        assert!(start.starts_with("sh -c "), "{error}");
        assert!(start.ends_with(" '--format=%H' exited with status 128"), "{error}");
        assert_eq!((seconds.len(), last), (4, "s: fatal: no"));

        let killed = Run::from(sh("kill $$")).check();
        let Err(Failed::Error(error)) = driver.get(killed.start()) else { panic!("a failure") };
        assert!(matches!(error, OutputError::Signalled { .. }));

        let merged = Run::from(sh("echo sorry; exit 1")).merge_stderr().check();
        let error = driver.get(merged.start()).unwrap_err().to_string();
        assert!(error.ends_with(" s: sorry"), "{error}");
        assert!(driver.get(Run::new("true").check().start()).is_ok());
    });
}

#[test]
fn an_error_can_be_sent() {
    fn can_be_sent<T: Send + Sync + std::error::Error + 'static>() {}
    can_be_sent::<OutputError>();
    can_be_sent::<Failed<OutputError>>();
}

#[test]
fn a_run_that_another_thread_has_built_reports_its_lines() {
    behaviour("a_run_that_another_thread_has_built_reports_its_lines", |driver| {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&seen);
        let build = move || {
            let run = Run::from(sh("echo one; echo two"));
            run.for_each_line(move |line| lines.lock().unwrap().push(line.text)).check()
        };
        let run = std::thread::spawn(build).join().unwrap();
        assert!(driver.get(run.start()).unwrap().is_success());
        assert_eq!(*seen.lock().unwrap(), ["one", "two"]);
    });
}

#[test]
fn runs_with_different_callbacks_are_one_batch_when_they_are_boxed() {
    behaviour("runs_with_different_callbacks_are_one_batch_when_they_are_boxed", |driver| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let silent = Run::new("true").for_each_line(|line| panic!("{line:?}"));
        let lines = Run::new("echo").for_each_line(move |line| lines.borrow_mut().push(line.text));
        let runs = [silent.boxed(), lines.boxed(), Run::new("echo").boxed()];
        driver.get(run_all(runs, 2).all_or_first_error()).unwrap();
        assert_eq!(*seen.borrow(), [""]);
    });
}

#[test]
fn merged_outputs_are_in_true_order() {
    behaviour("merged_outputs_are_in_true_order", |driver| {
        let script = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
        let outcome = driver.get(Run::from(sh(script)).merge_stderr().start()).unwrap();
        let expected: String = (0..200).map(|n| format!("o{n}\ne{n}\n")).collect();
        assert_eq!(outcome.stdout, expected);
        assert!(outcome.stderr.is_empty());
    });
}

#[test]
fn usage_and_time_are_reported() {
    behaviour("usage_and_time_are_reported", |driver| {
        let outcome = driver.get(Run::from(sh("sleep 0.1")).start()).unwrap();
        assert!(outcome.usage().is_some());
        assert!(outcome.after >= ms(100) && outcome.after < bound(WATCHDOG));
    });
}

#[test]
fn standard_input_can_be_a_file_or_a_reader() {
    behaviour("standard_input_can_be_a_file_or_a_reader", |driver| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("input");
        fs::write(&path, "from a file").unwrap();
        let file = Run::new("cat").stdin(File::open(&path).unwrap());
        assert_eq!(driver.get(file.start()).unwrap().stdout, "from a file");

        let reader = io::repeat(b'x').take(3_000_001);
        let run = Run::new("wc").arg("-c").stdin(Stdin::reader(reader));
        assert_eq!(driver.get(run.start()).unwrap().stdout_utf8().unwrap().trim(), "3000001");

        // An endless input, for a program that does not read it.
        let run = Run::new("true").stdin(Stdin::reader(io::repeat(b'x')));
        assert!(driver.get(run.start()).unwrap().is_success());
    });
}

#[test]
fn a_pipe_of_the_command_is_closed_too() {
    behaviour("a_pipe_of_the_command_is_closed_too", |driver| {
        let run = Run::from(Command::new("cat")).stdin(Stdin::as_in_command());
        assert_eq!(driver.get(run.start()).unwrap().stdout, "");
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
    behaviour("a_reader_that_fails_ends_the_program", |driver| {
        let run = Run::from(sh("cat; sleep 100")).stdin(Stdin::reader(Broken(0)));
        let error = driver.get(run.start()).unwrap_err().error().unwrap();
        let OutputError::Stdin { source, .. } = &error else { panic!("{error:?}") };
        assert_eq!(source.to_string(), "torn tape");
        assert!(error.to_string().ends_with(": torn tape"), "{error}");
        assert!(std::error::Error::source(&error).is_none(), "it is printed already");
        driver.until_no_children(ms(500));

        let run = Run::from(sh("sleep 100")).stdin(Stdin::reader(Broken(5)));
        assert!(driver.get(run.start()).is_err(), "at the first read");
        driver.until_no_children(ms(500));
    });
}

#[test]
fn a_reader_that_waits_holds_up_neither_the_loop_nor_a_timeout() {
    behaviour("a_reader_that_waits_holds_up_neither_the_loop_nor_a_timeout", |driver| {
        for gives in [&b""[..], b"some"] {
            let (silent, mut peer) = UnixStream::pair().unwrap();
            peer.write_all(gives).unwrap();
            let run = Run::from(sh("cat; sleep 100")).stdin(Stdin::reader(silent));
            let (result, after) = driver.timed(run.timeout(ms(200)).start());
            let error = result.unwrap_err().error().unwrap();
            let OutputError::TimedOut { outcome, .. } = &error else { panic!("{error:?}") };
            assert_eq!(outcome.stdout, gives);
            assert!(after >= ms(200) && after < bound(ms(2000)), "{after:?}");
            driver.until_no_children(ms(500));
            // The thread ends, and the socket is closed, when the pending read returns.
            drop(peer);
        }
        // A run does not wait for the input of a program that has ended.
        let (silent, peer) = UnixStream::pair().unwrap();
        let run = Run::new("true").stdin(Stdin::reader(silent)).start();
        assert!(driver.get(run).unwrap().is_success());
        drop(peer);
    });
}

#[test]
fn a_reader_that_panics_ends_the_program_and_unwinds_out_of_the_loop() {
    struct Panics {
        _own: Arc<()>,
    }
    impl Read for Panics {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            panic!("expected");
        }
    }
    let name = "a_reader_that_panics_ends_the_program_and_unwinds_out_of_the_loop";
    behaviour(name, |driver| {
        let own = Arc::new(());
        let run =
            Run::new("sleep").arg("100").stdin(Stdin::reader(Panics { _own: Arc::clone(&own) }));
        let run = run.start();
        let until = || driver.until_no_children(WATCHDOG);
        let panic = catch_unwind(AssertUnwindSafe(until)).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"expected"));
        assert!(matches!(driver.get(run), Err(Failed::Abandoned)));
        driver.until("the reader is dropped", WATCHDOG, |_| Arc::strong_count(&own) == 1);
    });
}

#[test]
fn a_reader_is_dropped_with_its_program() {
    struct Endless {
        _own: Arc<()>,
    }
    impl Read for Endless {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            Ok(buffer.len())
        }
    }
    behaviour("a_reader_is_dropped_with_its_program", |driver| {
        let own = Arc::new(());
        let stdin = Stdin::reader(Endless { _own: Arc::clone(&own) });
        let run = Run::from(sh("trap '' TERM; cat")).kill_grace(ms(100)).stdin(stdin).start();
        driver.run_for(ms(50));
        drop(run);
        driver.until("the reader is dropped", WATCHDOG, |_| Arc::strong_count(&own) == 1);
    });
}

#[test]
fn lines_of_both_outputs_come_while_the_program_runs() {
    behaviour("lines_of_both_outputs_come_while_the_program_runs", |driver| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let script = sh("echo one; echo two >&2; read line; printf 'much too long\\nlast'");
        let (input, output) = io::pipe().unwrap();
        let stdin = Stdin::fd(Fd::inherit(input));
        let run = Run::from(script).stdin(stdin).max_line_bytes(6);
        let run = run.for_each_line(move |line| lines.borrow_mut().push(line));
        let result = run.start();
        driver.until("both lines", WATCHDOG, |_| seen.borrow().len() == 2);
        drop(output);
        let outcome = driver.get(result).unwrap();
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
    behaviour("the_last_line_on_a_terminal_need_not_end_either", |driver| {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let lines = Rc::clone(&seen);
        let command = Command::new("printf").arg("one\ntwo").pty(Pty::new());
        let run = Run::from(command).stdin(Stdin::as_in_command());
        let run = run.for_each_line(move |line| lines.borrow_mut().push(line.text));
        assert_eq!(driver.get(run.start()).unwrap().stdout, "one\r\ntwo");
        assert_eq!(*seen.borrow(), ["one", "two"]);
    });
}

#[test]
fn the_program_leads_a_group_unless_it_is_in_the_foreground() {
    behaviour("the_program_leads_a_group_unless_it_is_in_the_foreground", |driver| {
        let script = "read pid name state parent group rest < /proc/$$/stat; echo $$ $group";
        let mut group = |run: Run| {
            let outcome = driver.get(run.start()).unwrap();
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
fn a_program_in_the_foreground_is_terminated_alone() {
    behaviour("a_program_in_the_foreground_is_terminated_alone", |driver| {
        let running = Run::new("sleep").arg("100").foreground().start();
        driver.run_for(ms(50));
        drop(running);
        driver.until_no_children(ms(500));
    });
}

#[test]
fn no_bound_on_draining_wins_over_that_of_the_command() {
    behaviour("no_bound_on_draining_wins_over_that_of_the_command", |driver| {
        let script = sh("(sleep 0.4; echo late) & echo early").drain_after_exit(ms(0));
        let outcome = driver.get(Run::from(&script).drain_after_exit(None).start()).unwrap();
        assert_eq!(outcome.stdout, "early\nlate\n");
        assert_eq!(driver.get(get_process_output(script)).unwrap(), "early\nlate\n");
        assert!(driver.reactor.next_deadline().is_none());
    });
}

#[test]
fn every_helper_can_be_awaited() {
    behaviour("every_helper_can_be_awaited", |driver| {
        let both = driver.reactor.block_on(async {
            let first = Run::new("echo").arg("1").await?;
            let second = Run::new("cat").stdin(first.stdout).output().await?;
            Ok::<_, Failed<OutputError>>(second.stdout)
        });
        assert_eq!(both.unwrap(), "1\n");
    });
}

#[test]
fn a_pipe_to_the_program_that_nobody_can_write_is_closed() {
    behaviour("a_pipe_to_the_program_that_nobody_can_write_is_closed", |driver| {
        for fd in [Fd::to_child(), Fd::socketpair()] {
            let reader = sh("cat <&5; echo ok").child_fd(5, fd);
            assert_eq!(driver.get(Run::from(&reader).start()).unwrap().stdout, "ok\n");
            assert_eq!(driver.get(get_process_output(reader)).unwrap(), "ok\n");
        }
        // Only the parent's direction ends. Data that the program writes there is accepted.
        let both = sh("cat <&5; echo x >&5 && cat <&1 && echo ok");
        let both = both.child_fd(5, Fd::socketpair()).child_fd(1, Fd::socketpair());
        assert_eq!(driver.get(Run::from(both).start()).unwrap().stdout, "ok\n");
    });
}

#[test]
fn a_message_has_the_last_lines_behind_a_gap_and_no_control_characters() {
    behaviour("a_message_has_the_last_lines_behind_a_gap_and_no_control_characters", |driver| {
        let script = sh("seq 1000 >&2; exit 1").arg("x\n\u{1b}[2J");
        let mut message = |keep: Keep| {
            let run = Run::from(&script).keep(keep).check().start();
            driver.get(run).unwrap_err().to_string()
        };
        let text = message(Keep::head_and_tail(8, 8));
        assert!(text.contains(" exit 1' 'x\\n\\u{1b}[2J' exited with status 1 after "), "{text}");
        assert!(text.ends_with(" s: 1000"), "{text}");
        let text = message(Keep::head(8));
        assert!(text.ends_with(" s: 2 | 3 | 4 | …"), "{text}");
    });
}
