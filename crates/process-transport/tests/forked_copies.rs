//! A forked copy of a process that has spawned, as a daemon is one: what it has inherited of the
//! library is not its own, and may lie on numbers that it has files of its own on by now.
#![cfg(feature = "reactor")]

mod util;

use std::fs::File;
use std::os::fd::AsRawFd;

use procession_core::Signal;
use procession_process_transport::{
    Child, ChildError, Command, SpawnProcess, Step, reserve_spawn_fds,
};
use procession_protocol::ProcessProtocol;
use procession_reactor::Reactor;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::util::{
    PROBE, WATCHDOG, bound, code, command, isolated, isolated_as_pid_1, ms, open_fds,
    process_state, sh, signal, sys,
};

/// Runs `copy` in a copy of this process.
fn in_a_copy(copy: impl FnOnce()) {
    let pid = sys::fork(|| {
        sys::alarm(ms(20_000));
        copy();
        // As a program that returns from main: what its threads have is dropped.
        std::process::exit(0)
    });
    let waited = waitpid(Pid::from_raw(pid.cast_signed()), WaitOptions::empty());
    let (_, status) = waited.expect("it is our child").expect("it has ended");
    assert_eq!(status.exit_status(), Some(0), "{status:?}");
}

/// Closes all that this process has from 3 up, and opens files of the program's own there.
fn files_in_place_of_all() -> Vec<File> {
    sys::close_range(3, i32::MAX);
    let files: Vec<File> =
        (0..40).map(|_| File::open("/dev/null").expect("there is one")).collect();
    assert_eq!(files[0].as_raw_fd(), 3);
    files
}

fn assert_open(files: &[File]) {
    for file in files {
        assert!(sys::is_open(file.as_raw_fd()), "{file:?}");
        assert_eq!(sys::link(file.as_raw_fd()), "/dev/null");
    }
}

fn spawns() {
    for _ in 0..2 {
        let mut child = Command::new(PROBE).args(["exit", "7"]).spawn().expect("it starts");
        assert_eq!(code(&child.wait().expect("it ends")), Some(7));
        let error = Command::new("/no/such/program").spawn().expect_err("there is none");
        assert_eq!(error.step(), Step::Exec);
    }
}

/// daemon(7), steps 1 and 2 the other way round.
#[test]
fn a_daemon_that_closes_all_descriptors_keeps_the_files_that_it_opens_then() {
    let name = "a_daemon_that_closes_all_descriptors_keeps_the_files_that_it_opens_then";
    isolated(name, || {
        reserve_spawn_fds().unwrap();
        in_a_copy(|| {
            let files = files_in_place_of_all();
            spawns();
            assert_open(&files);
        });
        // Nor without a spawn, and without a fork.
        in_a_copy(|| assert_open(&files_in_place_of_all()));
        std::thread::spawn(|| reserve_spawn_fds().map(drop).unwrap()).join().unwrap();
        let thread = std::thread::spawn(|| {
            reserve_spawn_fds().unwrap();
            let files = files_in_place_of_all();
            spawns();
            assert_open(&files);
            files
        });
        assert_open(&thread.join().unwrap());
        spawns();
    });
}

/// One end alone may be closed by others, and be something else from then on.
#[test]
fn a_mailbox_of_which_one_end_is_gone_is_made_anew() {
    isolated("a_mailbox_of_which_one_end_is_gone_is_made_anew", || {
        for end in 0..2 {
            for is_replaced in [false, true] {
                in_a_copy(|| {
                    let before = open_fds();
                    reserve_spawn_fds().unwrap();
                    let new = open_fds().into_keys().filter(|fd| !before.contains_key(fd));
                    let number = new.collect::<Vec<_>>()[end];
                    sys::close_range(number, number);
                    let file = is_replaced.then(|| {
                        let file = File::open("/dev/null").unwrap();
                        sys::copy_at(&file, number, true)
                    });
                    spawns();
                    if let Some(file) = file {
                        assert_eq!(sys::link(number), "/dev/null");
                        drop(file);
                    }
                });
            }
        }
    });
}

/// A copy of a copy, and a copy that has closed nothing.
#[test]
fn each_copy_has_a_mailbox_of_its_own() {
    isolated("each_copy_has_a_mailbox_of_its_own", || {
        spawns();
        in_a_copy(|| {
            spawns();
            in_a_copy(spawns);
            spawns();
        });
        spawns();
    });
}

/// The pidfd of an orphan that the parent waits for lies on a number of the copy's own file.
#[test]
fn a_daemon_keeps_its_files_although_its_parent_had_orphans() {
    isolated("a_daemon_keeps_its_files_although_its_parent_had_orphans", || {
        drop(Command::new("/bin/sleep").arg("2").spawn().unwrap());
        in_a_copy(|| {
            let files = files_in_place_of_all();
            spawns();
            assert_open(&files);
        });
    });
}

/// A copy that returns, or unwinds, drops what it has inherited.
#[test]
fn what_a_copy_drops_kills_no_child_of_its_parent() {
    isolated("what_a_copy_drops_kills_no_child_of_its_parent", || {
        struct Silent;
        impl ProcessProtocol for Silent {}
        for is_owned in [false, true] {
            let sleep = || Command::new("sleep").arg("600").kill_on_drop(true).owned(is_owned);
            let mut spawned = Some(sleep().spawn().unwrap());
            let mut reactor = Some(Reactor::new().unwrap());
            let process = reactor.as_ref().unwrap().spawn_process(Silent, sleep()).unwrap();
            let pids = [spawned.as_ref().unwrap().pid(), process.pid().unwrap()];
            in_a_copy(|| {
                drop(spawned.take());
                drop(reactor.take());
            });
            for pid in pids {
                assert!(!matches!(process_state(pid), 'Z' | 'X'), "{pid} lives");
            }
            drop((spawned, reactor));
            for pid in pids {
                sys::wait_until_killed(pid); // it is its parent's to kill, which takes a moment
            }
        }
    });
}

/// A `cat` that is known to run.
fn cat(reactor: &mut Reactor, command: Command) -> Child {
    let mut child = reactor.spawn_child(command).expect("it starts");
    echoes(reactor, &mut child, "before\n");
    child
}

/// What is written comes back.
fn echoes(reactor: &mut Reactor, child: &mut Child, text: &'static str) {
    let back = reactor.block_on(async {
        child.write(text).await.expect("it reads");
        let mut back: Vec<u8> = Vec::new();
        while back.len() < text.len() {
            back.extend(child.stdout().next().await.expect("it writes").iter());
        }
        back
    });
    assert_eq!(back, text.as_bytes());
}

/// Ends by its end of file.
fn end(reactor: &mut Reactor, mut child: Child) -> Result<(), ChildError> {
    child.close_stdin();
    reactor.block_on(child.ended()).map(drop)
}

/// Case FD-34. A copy drops the child alone, whose end would be begun in the loop.
#[test]
fn an_async_child_that_a_copy_drops_lives_on() {
    isolated("an_async_child_that_a_copy_drops_lives_on", || {
        let mut reactor = Reactor::new().unwrap();
        for command in [
            command("/bin/cat").owned(true),
            command("/bin/cat").owned(true).kill_grace(ms(0)),
            command("/bin/cat").kill_on_drop(true),
        ] {
            let mut child = Some(cat(&mut reactor, command));
            in_a_copy(|| drop(child.take()));
            let mut child = child.unwrap();
            echoes(&mut reactor, &mut child, "after\n");
            let ended = end(&mut reactor, child);
            assert!(ended.is_ok(), "{ended:?}");
        }
    });
}

/// Whether the one poller of this process has the descriptor.
fn is_polled(number: i32) -> bool {
    let fds = open_fds();
    let (poller, _) = fds.iter().find(|(_, link)| link.contains("eventpoll")).expect("a reactor");
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{poller}")).expect("it is open");
    let mut watched = info.lines().filter(|line| line.starts_with("tfd:"));
    watched.any(|line| line.split_whitespace().nth(1) == Some(number.to_string().as_str()))
}

/// Case FD-34. An output is paused while nobody reads it, and out of the poller: what drops it has it
/// read again.
#[test]
fn a_paused_output_that_a_copy_drops_stays_paused() {
    isolated("a_paused_output_that_a_copy_drops_stays_paused", || {
        let mut reactor = Reactor::new().unwrap();
        let script = "head -c 1000000 /dev/zero; echo over >&2";
        let mut child = reactor.spawn_child(sh(script)).unwrap();
        let mut output = child.take_output(1);
        let number = child.process().with_fd(1, |fd| fd.as_raw_fd()).unwrap();
        assert!(is_polled(number));
        while is_polled(number) {
            reactor.turn(None).unwrap();
        }
        in_a_copy(|| drop(output.take()));
        assert!(!is_polled(number));
        let mut output = output.unwrap();
        let bytes = reactor.block_on(async {
            let mut bytes = 0;
            while let Some(data) = output.next().await {
                bytes += data.len();
            }
            bytes
        });
        assert_eq!(bytes, 1_000_000);
        assert!(reactor.block_on(child.ended()).is_ok());
    });
}

/// Case FD-34. A copy that drops the loop does not go on with a termination that the original has begun:
/// it would kill a group whose leader it cannot wait for.
#[test]
fn a_termination_is_not_gone_on_with_by_a_copy() {
    isolated("a_termination_is_not_gone_on_with_by_a_copy", || {
        for is_owned in [false, true] {
            let mut reactor = Some(Reactor::new().unwrap());
            let deaf = sh("trap '' TERM; cat").kill_on_drop(false).kill_grace(ms(0));
            let mut child = cat(reactor.as_mut().unwrap(), deaf.owned(is_owned));
            let terminated = child.process().terminate(Signal::TERM, bound(WATCHDOG));
            in_a_copy(|| drop(reactor.take()));
            let mut reactor = reactor.unwrap();
            echoes(&mut reactor, &mut child, "after\n");
            let ended = end(&mut reactor, child);
            assert!(ended.is_ok(), "{ended:?}");
            assert!(reactor.block_on(terminated).is_ok());
        }
    });
}

/// Case FD-35. An epoll instance is the same in both processes.
#[test]
fn a_loop_that_a_copy_drops_goes_on_in_the_original() {
    isolated("a_loop_that_a_copy_drops_goes_on_in_the_original", || {
        for make in [Reactor::new, Reactor::new_portable] {
            let mut reactor = Some(make().unwrap());
            let mut child = Some(cat(reactor.as_mut().unwrap(), command("/bin/cat").owned(true)));
            in_a_copy(|| drop((reactor.take(), child.take())));
            in_a_copy(|| drop((child.take(), reactor.take())));
            let (mut reactor, mut child) = (reactor.unwrap(), child.unwrap());
            echoes(&mut reactor, &mut child, "after\n");
            let handle = reactor.handle();
            reactor.block_on(async { handle.sleep(ms(5)).await });
            end(&mut reactor, child).expect("no signal has come");
            let remote = reactor.remote();
            let thread = std::thread::spawn(move || remote.call(|reactor| reactor.stop()));
            let late =
                reactor.call_later(bound(WATCHDOG), |_| panic!("nothing has woken the loop"));
            reactor.run().unwrap();
            late.cancel();
            thread.join().unwrap();
        }
    });
}

/// Case FD-36. What is asked for by its name acts, in whichever process: the copy has no children, and knows a
/// number.
#[test]
fn a_verb_in_a_copy_acts_on_the_child_of_the_original() {
    isolated("a_verb_in_a_copy_acts_on_the_child_of_the_original", || {
        let mut reactor = Reactor::new().unwrap();
        let mut child = cat(&mut reactor, command("/bin/cat").owned(true));
        in_a_copy(|| child.process().signal(Signal::USR1).unwrap());
        let error = reactor.block_on(child.ended()).expect_err("it was signalled");
        let signalled = matches!(&error, ChildError::Terminated { reason, .. } if reason.signal() == Some(Signal::USR1));
        assert!(signalled, "{error}");
        let mut spawned = Command::new("/bin/sleep").arg("600").owned(true).spawn().unwrap();
        in_a_copy(|| spawned.signal(Signal::USR1).unwrap());
        assert_eq!(signal(&spawned.wait().unwrap()), Some(Signal::USR1.as_raw()));
    });
}

fn sockets() -> Vec<String> {
    open_fds().into_values().filter(|link| link.starts_with("socket:")).collect()
}

/// A child says `word`, and nobody else's child does.
fn says(word: &str) {
    let echo = command("/bin/echo").arg(word).spawn().expect("it starts");
    let output = echo.output().expect("it is our child");
    assert_eq!(output.stdout_utf8(), Ok(format!("{word}\n").as_str()));
}

/// Case FD-33. A process and its forked copy have the same number where each is the first of its PID
/// namespace: by the number the copy would take its parent's mailbox for its own.
#[test]
fn a_copy_of_the_same_number_in_another_namespace_is_another_process() {
    let name = "a_copy_of_the_same_number_in_another_namespace_is_another_process";
    isolated_as_pid_1(name, || {
        assert_eq!(std::process::id(), 1);
        reserve_spawn_fds().unwrap();
        let inherited = sockets();
        let orphan = command("/bin/sleep").arg("100").spawn().unwrap();
        let asleep = orphan.pid();
        drop(orphan);
        sys::new_pid_namespace();
        // With the copy its namespace ends, in which this process's children are from here on.
        let dir = tempfile::tempdir().unwrap();
        let over = dir.path().join("over");
        let copy = sys::fork(|| {
            assert_eq!(std::process::id(), 1);
            reserve_spawn_fds().unwrap();
            assert!(sockets().iter().any(|socket| !inherited.contains(socket)), "{inherited:?}");
            (0..100).for_each(|_| says("inside"));
            while !over.exists() {
                says("inside");
            }
            0
        });
        (0..100).for_each(|_| says("outside"));
        std::fs::write(&over, "").unwrap();
        let waited = waitpid(Pid::from_raw(copy.cast_signed()), WaitOptions::empty());
        let (_, status) = waited.unwrap().unwrap();
        assert_eq!(status.exit_status(), Some(0), "{status:?}");
        assert_eq!(process_state(asleep), 'S', "the orphan is its parent's alone");
    });
}
