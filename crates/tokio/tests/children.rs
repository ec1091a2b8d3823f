//! Children on tokio: streams of any number, moves between runtimes, groups, terminals, drops, and
//! what is left behind.

mod util;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::thread;
use std::time::Duration;

use procession_test_support::{Leaks, isolated, ms, process_state};
use procession_tokio::{
    Child, Command, ExitReasonExt, Fd, Pty, Signal, SignalError, Spawned, Stdio, Step, TakeError,
};
use rustix::fs::{OFlags, fcntl_getfl};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};

use crate::util::{current_thread, multi_thread, on_both, sh, until, within};

const GRACE: Duration = Duration::from_secs(60);

/// Starts `cat` with two pipes.
fn cat() -> Child {
    Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat")
}

/// Reads a number and a line feed.
async fn number_from(child: &mut Child) -> u32 {
    let mut text = String::new();
    let stdout = child.stdout.as_mut().expect("it is a pipe");
    while !text.ends_with('\n') {
        text.push(stdout.read_u8().await.expect("it writes").into());
    }
    text.trim().parse().expect("a number")
}

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'X' | 'Z')
}

/// Program 11 of the plan.
#[test]
fn a_server_decrypts_by_a_descriptor_of_its_own() {
    on_both(|| async {
        let run = async || -> Result<Vec<u8>, Box<dyn std::error::Error>> {
            let (passphrase, mut response) = (b"passphrase", Vec::new());
            let mut command = Command::new("sh");
            command
                .args(["-c", "cat <&3"])
                .stdout(Stdio::piped())
                .child_fd(3, Fd::to_child())
                .kill_on_drop(true);
            let mut child = command.spawn()?;
            child.take_writer(3)?.write_all(passphrase).await?;
            let mut stdout = child.stdout.take().ok_or("no stdout")?;
            copy(&mut stdout, &mut response).await?;
            assert!(child.wait().await?.success());
            Ok(response)
        };
        assert_eq!(run().await.map_err(|error| error.to_string()).unwrap(), b"passphrase");
    });
}

/// Case TO-06.
#[test]
fn three_megabytes_pass_both_ways_at_once() {
    on_both(|| async {
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let data: Vec<u8> = (0..3_000_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let sent = data.clone();
        let writer = tokio::spawn(async move {
            stdin.write_all(&sent).await.unwrap();
            stdin.shutdown().await.unwrap();
            let error = stdin.write(b"x").await.unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::BrokenPipe);
        });
        let mut read = Vec::new();
        stdout.read_to_end(&mut read).await.unwrap();
        writer.await.unwrap();
        assert!(read == data);
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn an_output_has_both_streams_to_their_end() {
    on_both(|| async {
        let script = "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; exit 3";
        let output = sh(script).output().await.unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 2_000_000));
        assert_eq!(output.status.code(), Some(3));
        // As in tokio, 1 and 2 become pipes, whatever was said.
        let output = sh("echo out; echo err >&2").stderr(Stdio::null()).output().await.unwrap();
        assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
    });
}

#[test]
fn a_status_inherits_the_standard_descriptors() {
    on_both(|| async {
        let same = "test \"$(readlink /proc/$$/fd/N)\" = \"$(readlink /proc/$PPID/fd/N)\"";
        let script = [0, 1, 2].map(|number| same.replace('N', &number.to_string())).join(" && ");
        // A pipe of the shell's own substitution would be its 1.
        let script = script.replace("$(readlink /proc/$$/fd/1)", "$(readlink /proc/$$/fd/9)");
        let status = sh(&format!("exec 9>&1; {script}")).status().await.unwrap();
        assert!(status.success());
        let mut child = sh("exit 4").spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert_eq!(child.wait().await.unwrap().code(), Some(4));
    });
}

#[test]
fn a_drain_limits_how_long_a_descendant_can_delay_an_output() {
    on_both(|| async {
        let mut command = sh("echo hello; sleep 600 & echo $!");
        let output = command.drain_after_exit(ms(20)).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let pid: i32 = text.strip_prefix("hello\n").unwrap().trim().parse().unwrap();
        let pid = rustix::process::Pid::from_raw(pid).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    });
}

#[test]
fn streams_of_any_number_are_handed_out_once() {
    on_both(|| async {
        let mut command =
            sh("read word <&5; echo \"$word\" >&7; exec 7>&-; cat <&9 >&9; exec 9>&-; cat");
        command.child_fd(5, Fd::to_child()).child_fd(7, Fd::from_child());
        command.child_fd(9, Fd::socketpair()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        assert!(matches!(child.take_reader(5), Err(TakeError::Direction(_))));
        assert!(matches!(child.take_writer(4), Err(TakeError::Unknown(_))));
        child.take_writer(5).unwrap().write_all(b"word\n").await.unwrap();
        assert!(matches!(child.take_writer(5), Err(TakeError::Taken(_))));
        let mut text = String::new();
        child.take_reader(7).unwrap().read_to_string(&mut text).await.unwrap();
        let (mut writer, mut reader) =
            (child.take_writer(9).unwrap(), child.take_reader(9).unwrap());
        assert!(matches!(child.take_writer(9), Err(TakeError::Taken(_))));
        writer.write_all(b" and ").await.unwrap();
        drop(writer); // closes its half alone
        reader.read_to_string(&mut text).await.unwrap();
        child.take_writer(0).unwrap().write_all(b"more").await.unwrap();
        assert!(child.stdin.is_none());
        child.take_reader(1).unwrap().read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "word\n and more");
        assert!(child.wait().await.unwrap().success());
    });
}

#[test]
fn a_wait_closes_the_inputs_that_were_not_taken() {
    on_both(|| async {
        let mut command = sh("cat; cat <&3; cat <&4");
        command.stdin(Stdio::piped()).child_fd(3, Fd::to_child()).child_fd(4, Fd::socketpair());
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let reader = child.take_reader(4).unwrap();
        assert!(child.wait().await.unwrap().success());
        assert!(matches!(child.take_writer(3), Err(TakeError::Taken(_))));
        drop(reader);
    });
}

/// A wait that is dropped has lost nothing.
#[test]
fn a_wait_is_cancel_safe() {
    on_both(|| async {
        let mut child = cat();
        let mut stdin = child.stdin.take().unwrap();
        for _ in 0..3 {
            tokio::select! {
                biased;
                _ = child.wait() => panic!("it lives"),
                () = tokio::task::yield_now() => {}
            }
            assert!(child.try_wait().unwrap().is_none());
        }
        stdin.shutdown().await.unwrap();
        assert!(child.wait().await.unwrap().success());
    });
}

/// Case TO-01.
#[test]
fn a_child_and_its_streams_move_to_another_runtime_while_the_first_one_lives() {
    for [first, second] in [[current_thread, multi_thread], [multi_thread, current_thread]] {
        let (first, second) = (first(), second());
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut data = [0; 3];
        let mut byte = [0];
        first.block_on(async {
            // Each of them is in the first runtime's poller.
            tokio::select! {
                biased;
                _ = child.wait() => panic!("it lives"),
                _ = stdout.read(&mut byte) => panic!("it has written nothing"),
                () = tokio::task::yield_now() => {}
            }
        });
        second.block_on(within(async {
            // Nobody drives a current-thread runtime now.
            let (read, written) =
                tokio::join!(stdout.read_exact(&mut data), stdin.write_all(b"abc"));
            assert!(read.is_ok() && written.is_ok());
            stdin.shutdown().await.unwrap();
            assert!(child.wait().await.unwrap().success());
        }));
        assert_eq!(&data, b"abc");
    }
}

/// Case TO-01.
#[test]
fn a_child_and_its_streams_outlive_their_runtime() {
    for [first, second] in [[current_thread, multi_thread], [multi_thread, current_thread]] {
        let mut child = cat();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (first, mut byte) = (first(), [0]);
        first.block_on(async {
            tokio::select! {
                biased;
                _ = child.wait() => panic!("it lives"),
                _ = stdout.read(&mut byte) => panic!("it has written nothing"),
                () = tokio::task::yield_now() => {}
            }
        });
        drop(first);
        let mut text = String::new();
        second().block_on(within(async {
            stdin.write_all(b"abc").await.unwrap();
            stdin.shutdown().await.unwrap();
            stdout.read_to_string(&mut text).await.unwrap();
            assert!(child.wait().await.unwrap().success());
        }));
        assert_eq!(text, "abc");
    }
}

#[test]
fn a_child_of_another_thread_is_adopted() {
    let spawn = || {
        let command = procession_process_transport::Command::new("tr").args(["a-z", "A-Z"]);
        command.spawn().unwrap()
    };
    let spawned: Spawned = thread::spawn(spawn).join().unwrap();
    current_thread().block_on(within(async {
        let mut child = Child::adopt(spawned).unwrap();
        child.stdin.as_mut().unwrap().write_all(b"hello").await.unwrap();
        assert_eq!(child.wait_with_output().await.unwrap().stdout, b"HELLO");
    }));
}

#[test]
fn without_a_runtime_a_dropped_child_is_reaped_by_the_next_spawn() {
    let children = [cat(), cat()];
    let pids = children.each_ref().map(|child| child.id().unwrap());
    drop(children); // their inputs are closed
    let runtime = current_thread();
    runtime.block_on(within(until(|| pids.iter().all(|pid| is_dead(*pid)))));
    let mut child = Command::new("true").spawn().unwrap();
    assert!(pids.iter().all(|pid| process_state(*pid) == 'X'));
    runtime.block_on(within(child.wait())).unwrap();
}

#[test]
fn a_dropped_child_lets_go_of_its_waker() {
    struct Nobody;
    impl Wake for Nobody {
        fn wake(self: Arc<Self>) {}
    }
    on_both(|| async {
        let (waker, mut child) = (Arc::new(Nobody), cat());
        let stdin = child.stdin.take();
        {
            let theirs = Waker::from(Arc::clone(&waker));
            let mut wait = pin!(child.wait());
            assert!(wait.as_mut().poll(&mut Context::from_waker(&theirs)).is_pending());
        }
        assert_eq!(Arc::strong_count(&waker), 2);
        drop(child);
        assert_eq!(Arc::strong_count(&waker), 1);
        drop(stdin);
    });
}

#[test]
fn a_closure_runs_before_the_exec() {
    let error = util::sys::failing_closure(&mut Command::new("true")).spawn().unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "{error}");
}

/// Case TO-04.
#[test]
fn a_drop_kills_the_group_that_the_child_leads() {
    type Leads = fn(&mut Command) -> &mut Command;
    let ways: [Leads; 3] = [
        |command| command.owned(true),
        |command| command.process_group(0).kill_on_drop(true),
        |command| command.new_session().kill_on_drop(true),
    ];
    for leads in ways {
        on_both(move || async move {
            let mut command = sh("sleep 600 & echo $!; wait");
            let mut child = leads(&mut command).stdout(Stdio::piped()).spawn().unwrap();
            let (shell, sleep) = (child.id().unwrap(), number_from(&mut child).await);
            drop(child);
            until(|| is_dead(sleep) && process_state(shell) == 'X').await;
            assert!(is_dead(sleep));
        });
    }
}

#[test]
fn a_termination_ends_with_the_last_process_of_the_group() {
    on_both(|| async {
        let mut command = sh("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; read x' <&3 & wait");
        command.child_fd(3, Fd::socketpair()).stdout(Stdio::piped()).owned(true);
        let mut child = command.spawn().unwrap();
        let member = number_from(&mut child).await;
        let ended = child.terminate(Signal::TERM, ms(50)).await.unwrap();
        assert!(ended.is_gone() && ended.escalated() && is_dead(member));
        assert_eq!(ended.signal(), Some(Signal::KILL));
        assert_eq!(child.reason().unwrap().signal(), Some(Signal::KILL));
        let late = child.terminate(Signal::TERM, GRACE).await;
        assert!(matches!(late, Err(SignalError::ProcessExitedAlready)));
    });
}

#[test]
fn a_termination_of_a_stopped_child_continues_it() {
    on_both(|| async {
        let mut child = cat();
        child.signal(Signal::STOP).unwrap();
        let ended = child.terminate(Signal::TERM, GRACE).await.unwrap();
        assert_eq!((ended.signal(), ended.escalated()), (Some(Signal::TERM), false));
        assert!(matches!(child.signal_group(Signal::TERM), Err(SignalError::NoGroup)));
    });
}

/// Without pidfds a wait looks again and again.
///
/// Case TO-05.
#[test]
fn without_a_pidfd_a_child_is_awaited_and_terminated_all_the_same() {
    on_both(|| async {
        let polled = || {
            let mut command = Command::new("cat");
            command.stdin(Stdio::piped()).configure(|command| command.without_pidfd());
            command.spawn().unwrap()
        };
        let mut child = polled();
        assert!(!child.has_pidfd() && cat().has_pidfd());
        let mut stdin = child.stdin.take();
        let ends = tokio::spawn(async move {
            tokio::task::yield_now().await;
            drop(stdin.take());
        });
        assert!(child.wait().await.unwrap().success());
        ends.await.unwrap();
        let ended = polled().terminate(Signal::TERM, GRACE).await.unwrap();
        assert_eq!(ended.signal(), Some(Signal::TERM));
        let child = polled();
        let pid = child.id().unwrap();
        drop(child); // the input is closed
        until(|| process_state(pid) == 'X').await;
    });
}

#[test]
fn a_terminal_is_read_written_and_resized() {
    on_both(|| async {
        let mut command = sh("stty size; read line; stty size; echo \"got $line\"");
        let mut child = command.pty(Pty::new().size(24, 80)).spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut first = [0; 7];
        stdout.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"24 80\r\n");
        child.resize(50, 132).unwrap();
        stdin.write_all(b"hello\n").await.unwrap();
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).await.unwrap();
        assert_eq!(rest, "hello\r\n50 132\r\ngot hello\r\n");
        assert!(child.wait().await.unwrap().success());
        let without = cat();
        let error = without.resize(1, 1).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::Unsupported);
        let pid = without.id().unwrap();
        let text = format!("cannot set the window size of process {pid}: it has no terminal");
        assert_eq!(error.to_string(), text);
        // A wait does not hang the terminal up, and an output has all of it.
        let mut command = sh("echo on a terminal; test -t 0");
        let output = command.pty(Pty::new()).output().await.unwrap();
        assert_eq!(
            (&output.stdout[..], output.status.code()),
            (&b"on a terminal\r\n"[..], Some(0))
        );
    });
}

#[test]
fn a_failed_spawn_says_which_step_failed() {
    let error = Command::new("/no/such/program").spawn().unwrap_err();
    assert_eq!((error.step(), error.kind()), (Step::Exec, std::io::ErrorKind::NotFound));
    current_thread().block_on(async {
        let error = Command::new("/no/such/program").status().await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn an_end_is_given_to_another_child_and_back_in_blocking_mode() {
    on_both(|| async {
        let mut first = cat();
        let mut stdin = first.stdin.take().unwrap();
        stdin.write_all(b"some text").await.unwrap();
        let mut stdout = first.stdout.take().unwrap();
        let mut some = [0; 5];
        stdout.read_exact(&mut some).await.unwrap();
        let fd = stdout.into_owned_fd().unwrap();
        assert!(!fcntl_getfl(&fd).unwrap().contains(OFlags::NONBLOCK));
        drop(stdin);
        let mut wc = Command::new("wc");
        let count = wc.arg("-c").stdin(fd).output().await.unwrap();
        assert_eq!(String::from_utf8(count.stdout).unwrap().trim(), "4");
        first.wait().await.unwrap();
        let mut last = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut input = File::from(last.stdin.take().unwrap().into_owned_fd().unwrap());
        assert_eq!(input.write(b"").unwrap(), 0);
        drop(input);
        last.wait().await.unwrap();
    });
}

/// Reads that fill their buffer, and writes that the pipe cuts short, let it grow.
#[test]
fn a_pipe_with_bulk_data_grows_unless_the_command_forbids_it() {
    for grows in [true, false] {
        on_both(move || async move {
            let mut command = Command::new("cat");
            command.arg("/dev/zero").adaptive_pipes(grows);
            let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
            let (pid, mut stdout) = (child.id().unwrap(), child.stdout.take().unwrap());
            let mut buffer = vec![0; 16 << 10];
            for _ in 0..30 {
                // It sleeps because the pipe is full.
                until(|| process_state(pid) == 'S').await;
                for _ in 0..4 {
                    stdout.read_exact(&mut buffer).await.unwrap();
                }
            }
            let pipe = stdout.into_owned_fd().unwrap();
            let size = rustix::pipe::fcntl_getpipe_size(&pipe).unwrap();
            // The system may refuse to grow a pipe of a user who is not root.
            let is_refused = !rustix::process::geteuid().is_root() && size == 64 << 10;
            assert!((size > 64 << 10) == grows || is_refused, "{size}");
            child.kill().await.unwrap();
        });
    }
}

/// A task that reads without end lets others run.
#[test]
fn a_fast_output_leaves_time_to_other_tasks() {
    current_thread().block_on(within(async {
        let mut command = Command::new("cat");
        let mut child = command.arg("/dev/zero").stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let reads = tokio::spawn(async move {
            let mut buffer = [0; 512];
            while stdout.read(&mut buffer).await.unwrap() > 0 {}
        });
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        child.kill().await.unwrap();
        reads.await.unwrap();
    }));
}

/// Case TO-07.
#[test]
fn five_hundred_children_leave_nothing_behind() {
    isolated("five_hundred_children_leave_nothing_behind", || {
        let runtime = current_thread();
        let one = async |number: u32| {
            let mut child = cat();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(b"x").await.unwrap();
            let mut stdout = child.stdout.take().unwrap();
            stdout.read_exact(&mut [0]).await.unwrap();
            match number % 4 {
                0 => drop((stdin, child)),
                1 => child.kill().await.unwrap(),
                2 => drop(child.terminate(Signal::TERM, GRACE).await.unwrap()),
                _ => {
                    drop(stdin);
                    assert!(child.wait().await.unwrap().success());
                }
            }
        };
        runtime.block_on(within(one(3)));
        let leaks = Leaks::baseline();
        for number in 0..500 {
            runtime.block_on(within(one(number)));
        }
        runtime.block_on(within(until(|| procession_test_support::children().is_empty())));
        leaks.assert_none();
        assert_eq!(procession_test_support::children(), []);
    });
}

/// Nothing takes the signal of a child's end, or any other signal, and no thread is started.
#[test]
fn no_handler_and_no_thread_is_made() {
    isolated("no_handler_and_no_thread_is_made", || {
        let status = || {
            let mut text = String::new();
            File::open("/proc/self/status").unwrap().read_to_string(&mut text).unwrap();
            let of =
                |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
            ["SigCgt:", "SigIgn:", "Threads:"].map(of)
        };
        let runtime = current_thread();
        let before = status();
        runtime.block_on(within(async {
            let mut child = cat();
            child.stdin.take().unwrap().write_all(b"x").await.unwrap();
            assert_eq!(child.wait_with_output().await.unwrap().stdout, b"x");
        }));
        assert_eq!(status(), before);
    });
}

#[test]
fn a_descriptor_of_any_kind_is_a_stdio() {
    on_both(|| async {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut command = sh("cat; echo err >&2");
        command.stdin(File::open("/dev/null").unwrap()).stdout(writer).stderr(Fd::same_as(1));
        assert!(command.status().await.unwrap().success());
        drop(command);
        let mut text = String::new();
        File::from(OwnedFd::from(reader)).read_to_string(&mut text).unwrap();
        assert_eq!(text, "err\n");
    });
}
