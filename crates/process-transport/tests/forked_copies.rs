//! A forked copy of a process that has spawned children, such as a daemon. The library's inherited
//! descriptors are not the copy's own, and their numbers may meanwhile belong to files that the
//! copy opened.
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

use crate::util::{
    PROBE, WATCHDOG, bound, code, command, isolated_as_pid_1, isolated_without_leak_check, ms,
    open_fds, process_state, sh, signal, sys,
};

/// Closes all descriptors from 3 up, and opens files of the program's own at their numbers.
fn replace_all_descriptors() -> Vec<File> {
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

fn assert_spawns() {
    for _ in 0..2 {
        let mut child = Command::new(PROBE).args(["exit", "7"]).spawn().expect("it starts");
        assert_eq!(code(&child.wait().expect("it ends")), Some(7));
        let error = Command::new("/no/such/program").spawn().expect_err("there is none");
        assert_eq!(error.step(), Step::Exec);
    }
}

/// The first two steps of daemon(7), in the opposite order.
#[test]
fn a_daemon_that_closes_all_descriptors_keeps_the_files_that_it_opens_then() {
    let name = "a_daemon_that_closes_all_descriptors_keeps_the_files_that_it_opens_then";
    isolated_without_leak_check(name, || {
        reserve_spawn_fds().unwrap();
        sys::in_a_copy(|| {
            let files = replace_all_descriptors();
            assert_spawns();
            assert_open(&files);
        });
        // The files stay open without a spawn as well, and without a fork.
        sys::in_a_copy(|| assert_open(&replace_all_descriptors()));
        std::thread::spawn(|| reserve_spawn_fds().map(drop).unwrap()).join().unwrap();
        let thread = std::thread::spawn(|| {
            reserve_spawn_fds().unwrap();
            let files = replace_all_descriptors();
            assert_spawns();
            assert_open(&files);
            files
        });
        assert_open(&thread.join().unwrap());
        assert_spawns();
    });
}

/// Foreign code may close only one end of the mailbox, and its number may then belong to another
/// file.
#[test]
fn a_mailbox_that_lost_one_end_is_created_anew() {
    isolated_without_leak_check("a_mailbox_that_lost_one_end_is_created_anew", || {
        for end in 0..2 {
            for is_replaced in [false, true] {
                sys::in_a_copy(|| {
                    let before = open_fds();
                    reserve_spawn_fds().unwrap();
                    let new = open_fds().into_keys().filter(|fd| !before.contains_key(fd));
                    let number = new.collect::<Vec<_>>()[end];
                    sys::close_range(number, number);
                    let file = is_replaced.then(|| {
                        let file = File::open("/dev/null").unwrap();
                        sys::copy_at(&file, number, true)
                    });
                    assert_spawns();
                    if let Some(file) = file {
                        assert_eq!(sys::link(number), "/dev/null");
                        drop(file);
                    }
                });
            }
        }
    });
}

/// Covers a copy of a copy, and a copy that has closed nothing.
#[test]
fn each_copy_has_a_mailbox_of_its_own() {
    isolated_without_leak_check("each_copy_has_a_mailbox_of_its_own", || {
        assert_spawns();
        sys::in_a_copy(|| {
            assert_spawns();
            sys::in_a_copy(assert_spawns);
            assert_spawns();
        });
        assert_spawns();
    });
}

/// The parent waits for an orphan. The copy opens a file at the number of the orphan's pidfd.
#[test]
fn a_daemon_keeps_its_files_although_its_parent_had_orphans() {
    isolated_without_leak_check("a_daemon_keeps_its_files_although_its_parent_had_orphans", || {
        drop(Command::new("/bin/sleep").arg("2").spawn().unwrap());
        sys::in_a_copy(|| {
            let files = replace_all_descriptors();
            assert_spawns();
            assert_open(&files);
        });
    });
}

/// A copy that returns or unwinds drops the values that it has inherited.
#[test]
fn a_copys_drops_kill_no_child_of_its_parent() {
    isolated_without_leak_check("a_copys_drops_kill_no_child_of_its_parent", || {
        struct SilentProtocol;
        impl ProcessProtocol for SilentProtocol {}
        for is_owned in [false, true] {
            let sleep = || Command::new("sleep").arg("600").kill_on_drop(true).owned(is_owned);
            let mut spawned = Some(sleep().spawn().unwrap());
            let mut reactor = Some(Reactor::new().unwrap());
            let process = reactor.as_ref().unwrap().spawn_process(SilentProtocol, sleep()).unwrap();
            let pids = [spawned.as_ref().unwrap().pid(), process.pid().unwrap()];
            sys::in_a_copy(|| {
                drop(spawned.take());
                drop(reactor.take());
            });
            for pid in pids {
                assert!(!matches!(process_state(pid), 'Z' | 'X'), "{pid} lives");
            }
            drop((spawned, reactor));
            for pid in pids {
                sys::wait_until_killed(pid); // the kill by the parent takes a moment
            }
        }
    });
}

/// Starts a `cat` and checks that it runs.
fn cat(reactor: &mut Reactor, command: Command) -> Child {
    let mut child = reactor.spawn_child(command).expect("it starts");
    assert_echoes(reactor, &mut child, "before\n");
    child
}

/// Checks that the child echoes the text.
fn assert_echoes(reactor: &mut Reactor, child: &mut Child, text: &'static str) {
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

/// Closes the child's input and waits for its end.
fn end(reactor: &mut Reactor, mut child: Child) -> Result<(), ChildError> {
    child.close_stdin();
    reactor.block_on(child.ended()).map(drop)
}

/// Case FD-34. The copy drops only the child. The drop must not begin its termination in the loop.
#[test]
fn an_async_child_that_a_copy_drops_lives_on() {
    isolated_without_leak_check("an_async_child_that_a_copy_drops_lives_on", || {
        let mut reactor = Reactor::new().unwrap();
        for command in [
            command("/bin/cat").owned(true),
            command("/bin/cat").owned(true).kill_grace(ms(0)),
            command("/bin/cat").kill_on_drop(true),
        ] {
            let mut child = Some(cat(&mut reactor, command));
            sys::in_a_copy(|| drop(child.take()));
            let mut child = child.unwrap();
            assert_echoes(&mut reactor, &mut child, "after\n");
            let ended = end(&mut reactor, child);
            assert!(ended.is_ok(), "{ended:?}");
        }
    });
}

/// Returns whether the only poller of this process watches the descriptor.
fn is_polled(number: i32) -> bool {
    let fds = open_fds();
    let (poller, _) = fds.iter().find(|(_, link)| link.contains("eventpoll")).expect("a reactor");
    let info = std::fs::read_to_string(format!("/proc/self/fdinfo/{poller}")).expect("it is open");
    let mut watched = info.lines().filter(|line| line.starts_with("tfd:"));
    watched.any(|line| line.split_whitespace().nth(1) == Some(number.to_string().as_str()))
}

/// Case FD-34. An output that nobody reads is paused and out of the poller. In the original
/// process, dropping it would make the loop read it again.
#[test]
fn a_paused_output_that_a_copy_drops_stays_paused() {
    isolated_without_leak_check("a_paused_output_that_a_copy_drops_stays_paused", || {
        let mut reactor = Reactor::new().unwrap();
        let script = "head -c 1000000 /dev/zero; echo over >&2";
        let mut child = reactor.spawn_child(sh(script)).unwrap();
        let mut output = child.take_output(1);
        let number = child.process().with_fd(1, |fd| fd.as_raw_fd()).unwrap();
        assert!(is_polled(number));
        while is_polled(number) {
            reactor.turn(None).unwrap();
        }
        sys::in_a_copy(|| drop(output.take()));
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

/// Case FD-34. A copy that drops the loop does not continue a termination that the original has
/// begun. It would kill a group although it cannot wait for the leader.
#[test]
fn a_copy_does_not_continue_a_termination() {
    isolated_without_leak_check("a_copy_does_not_continue_a_termination", || {
        for is_owned in [false, true] {
            let mut reactor = Some(Reactor::new().unwrap());
            let deaf = sh("trap '' TERM; cat").kill_on_drop(false).kill_grace(ms(0));
            let mut child = cat(reactor.as_mut().unwrap(), deaf.owned(is_owned));
            let terminated = child.process().terminate(Signal::TERM, bound(WATCHDOG));
            sys::in_a_copy(|| drop(reactor.take()));
            let mut reactor = reactor.unwrap();
            assert_echoes(&mut reactor, &mut child, "after\n");
            let ended = end(&mut reactor, child);
            assert!(ended.is_ok(), "{ended:?}");
            assert!(reactor.block_on(terminated).is_ok());
        }
    });
}

/// Case FD-35. Both processes share the epoll instance.
#[test]
fn a_loop_that_a_copy_drops_goes_on_in_the_original() {
    isolated_without_leak_check("a_loop_that_a_copy_drops_goes_on_in_the_original", || {
        for make in [Reactor::new, Reactor::new_portable] {
            let mut reactor = Some(make().unwrap());
            let mut child = Some(cat(reactor.as_mut().unwrap(), command("/bin/cat").owned(true)));
            sys::in_a_copy(|| drop((reactor.take(), child.take())));
            sys::in_a_copy(|| drop((child.take(), reactor.take())));
            let (mut reactor, mut child) = (reactor.unwrap(), child.unwrap());
            assert_echoes(&mut reactor, &mut child, "after\n");
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

/// Case FD-36. An explicit call acts in whichever process makes it. The copy has no children, but
/// knows the child's number.
#[test]
fn a_verb_in_a_copy_acts_on_the_child_of_the_original() {
    isolated_without_leak_check("a_verb_in_a_copy_acts_on_the_child_of_the_original", || {
        let mut reactor = Reactor::new().unwrap();
        let mut child = cat(&mut reactor, command("/bin/cat").owned(true));
        sys::in_a_copy(|| child.process().signal(Signal::USR1).unwrap());
        let error = reactor.block_on(child.ended()).expect_err("it was signalled");
        let signalled = matches!(&error, ChildError::Terminated { reason, .. } if reason.signal() == Some(Signal::USR1));
        assert!(signalled, "{error}");
        let mut spawned = Command::new("/bin/sleep").arg("600").owned(true).spawn().unwrap();
        sys::in_a_copy(|| spawned.signal(Signal::USR1).unwrap());
        assert_eq!(signal(&spawned.wait().unwrap()), Some(Signal::USR1.as_raw()));
    });
}

fn sockets() -> Vec<String> {
    open_fds().into_values().filter(|link| link.starts_with("socket:")).collect()
}

/// Checks that the child's output is `word`, and not the output of another process's child.
fn assert_echoes_word(word: &str) {
    let echo = command("/bin/echo").arg(word).spawn().expect("it starts");
    let output = echo.output().expect("it is our child");
    assert_eq!(output.stdout_utf8(), Ok(format!("{word}\n").as_str()));
}

/// Case FD-33. A process and its forked copy have the same pid if each is the first of its PID
/// namespace. Judged by the pid alone, the copy would take its parent's mailbox for its own.
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
        // From here on this process's children live in the namespace of the copy, which ends with
        // the copy.
        let dir = tempfile::tempdir().unwrap();
        let over = dir.path().join("over");
        let copy = sys::fork(|| {
            assert_eq!(std::process::id(), 1);
            reserve_spawn_fds().unwrap();
            assert!(sockets().iter().any(|socket| !inherited.contains(socket)), "{inherited:?}");
            (0..100).for_each(|_| assert_echoes_word("inside"));
            while !over.exists() {
                assert_echoes_word("inside");
            }
            0
        });
        (0..100).for_each(|_| assert_echoes_word("outside"));
        std::fs::write(&over, "").unwrap();
        sys::assert_exits_with_0(copy, "the copy");
        assert_eq!(process_state(asleep), 'S', "the orphan is its parent's alone");
    });
}
