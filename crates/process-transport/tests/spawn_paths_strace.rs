//! The cost of a spawn, seen from outside: strace counts its system calls, and valgrind follows its
//! memory. If a tool is missing, the test reports that it skips.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;
#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/trace.rs"]
mod trace;
#[path = "spawn_paths/traced.rs"]
mod traced;
#[path = "spawn_paths/watch.rs"]
mod watch;

use std::fs::File;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, SpawnProcess, Step};
use procession_protocol::SpawnPath;
use procession_reactor::Reactor;
use procession_test_support::copies_tables_without_marks;

use crate::filter::{Calls, answer};
use crate::paths::{by, paths};
use crate::trace::Call;
use crate::traced::{mark, place, traced};
use crate::util::{Driver, Recorder, WATCHDOG, forced_path, isolated, sanitizer, skip, skip_here};
use crate::watch::{is_watched, watched};

/// Returns the calls of the first child after a mark, up to the exec that succeeds.
fn child_after<'a>(log: &'a [Call], text: &str) -> Vec<&'a Call> {
    let (before, log) = log.split_at(place(log, text));
    // Skips the harness's own thread, which may be late with its wait.
    let is_new = |call: &&Call| before.iter().chain(&log[..1]).all(|old| old.pid != call.pid);
    let child = log.iter().find(is_new).expect("a child").pid;
    let calls: Vec<&Call> = log.iter().filter(|call| call.pid == child).collect();
    let exec = calls.iter().position(|call| call.name() == "execve");
    calls[..=exec.unwrap_or(calls.len() - 1)].to_vec()
}

/// Returns whether a call asks if a descriptor is open.
fn is_look(call: &Call) -> bool {
    call.name() == "fcntl" && call.text.contains("F_GETFD")
}

/// Returns whether a kernel before 5.11 refused to mark a range. The child closes the range then.
fn is_refused_mark(call: &Call) -> bool {
    call.text.contains("CLOSE_RANGE_CLOEXEC") && call.text.contains(" = -1 EINVAL")
}

/// As long as a child shares the table, it must not make a call that changes one. It may look at numbers,
/// and does so on a kernel whose copies of a table may have marks of closed numbers.
#[test]
fn unsharing_is_the_first_system_call_of_a_child_on_the_shared_table() {
    let name = "unsharing_is_the_first_system_call_of_a_child_on_the_shared_table";
    isolated(name, || {
        if forced_path().is_some_and(|path| path != SpawnPath::SharedFiles) {
            return;
        }
        let log = traced(name, || {
            let mut driver = Driver::new();
            mark("succeeds");
            driver.run(by(SpawnPath::SharedFiles, "/bin/true"));
            mark("fails");
            driver.fails(by(SpawnPath::SharedFiles, "/bin/true").current_dir("/no/such/directory"));
            driver.finish();
        });
        let Some(log) = log else { return };
        for text in ["succeeds", "fails"] {
            let calls = child_after(&log, text);
            let looks = calls.iter().take_while(|call| is_look(call)).count();
            assert!(looks == 0 || !copies_tables_without_marks(), "{looks} looks");
            let calls = &calls[looks..];
            let first = &calls[0].text;
            assert!(first.starts_with("close_range("), "{first}");
            assert!(first.contains("CLOSE_RANGE_UNSHARE"), "{first}");
            assert!(first.contains("4294967295"), "up to the last number: {first}");
            let second = &calls[1].text;
            assert!(second.starts_with("fcntl(") && second.contains("EBADF"), "{second}");
            let shared = |call: &&Call| call.name() == "clone" && call.text.contains("CLONE_FILES");
            assert!(log[place(&log, text)..].iter().any(|call| shared(&call)), "by that path");
        }
    });
}

/// The most system calls that a spawn with three pipes may take, from the call of `spawn_process`
/// to its return. Dispositions are counted apart, because the child resets every one.
struct Budget {
    parent: usize,
    child: usize,
}

/// The most dispositions that the child sets, one call each: all but those of KILL and STOP.
const DISPOSITIONS: usize = 62;

fn budget(path: SpawnPath) -> Budget {
    match path {
        // Six calls for three pipes, nine to register them with the loop, a check of the mailbox,
        // and a message.
        SpawnPath::SharedFiles => Budget { parent: 23, child: 7 },
        // In a copied table, low numbers are closed and high ones are marked, with one call each.
        SpawnPath::SharedMemory => Budget { parent: 22, child: 7 },
        // A copy also tells musl its number, and restores the mask that musl has changed.
        _ => Budget { parent: 22, child: if cfg!(target_env = "musl") { 9 } else { 7 } },
    }
}

/// The number of system calls of a spawn does not depend on the descriptors that are open in the
/// parent, once a child has seen that copies of such a table have no marks of closed numbers.
#[test]
fn a_spawn_costs_the_same_system_calls_whatever_is_open() {
    let name = "a_spawn_costs_the_same_system_calls_whatever_is_open";
    if let Some(sanitizer) = sanitizer() {
        return skip_here(name, &format!("the {sanitizer} sanitizer makes calls of its own"));
    }
    isolated(name, || {
        let log = traced(name, || {
            let mut driver = Driver::new();
            let null = |_| File::open("/dev/null").unwrap();
            let open: Vec<File> = (0..1000).map(null).collect();
            driver.run(by(paths()[0], "/bin/true"));
            drop(open);
            for (index, path) in paths().into_iter().enumerate() {
                for count in [0, 1000] {
                    let open: Vec<File> = (0..count).map(null).collect();
                    driver.run(by(path, "/bin/true"));
                    let command = by(path, "/bin/true");
                    mark(&format!("begin-{index}-{count}"));
                    let child = driver.spawn(command);
                    mark(&format!("end-{index}-{count}"));
                    driver.drive_to_end(&child.record);
                    drop(open);
                }
            }
            driver.finish();
        });
        let Some(log) = log else { return };
        for (index, path) in paths().into_iter().enumerate() {
            let counts = [0, 1000].map(|count| {
                let begin = format!("begin-{index}-{count}");
                let (from, to) =
                    (place(&log, &begin), place(&log, &format!("end-{index}-{count}")));
                let parent = log[from + 1..to].iter().filter(|call| call.pid == log[from].pid);
                // The allocator makes these calls now and then.
                let memory = ["brk", "mmap", "mprotect", "munmap", "madvise"];
                let parent: Vec<&str> =
                    parent.map(Call::name).filter(|name| !memory.contains(name)).collect();
                let child = child_after(&log, &begin).into_iter();
                let child: Vec<&str> =
                    child.filter(|call| !is_refused_mark(call)).map(Call::name).collect();
                assert_eq!(child.last(), Some(&"execve"));
                (parent, child)
            });
            assert_eq!(counts[0], counts[1], "{path:?}: without and with 1000 descriptors");
            let (parent, child) = &counts[0];
            let actions = child.iter().filter(|name| **name == "rt_sigaction").count();
            let child_calls = child.len() - actions;
            let Budget { parent: parent_most, child: child_most } = budget(path);
            assert!(parent.len() <= parent_most, "{path:?}: {} in {parent:?}", parent.len());
            assert!(child_calls <= child_most, "{path:?}: {child_calls} in {child:?}");
            assert!(actions <= DISPOSITIONS, "{path:?}: {actions} dispositions");
        }
    });
}

/// What an owned child costs its parent beside another one: four checks of the handlers that end it
/// with the program. It is reaped by one wait, although its place in the table must be left before.
/// The parent's number in /proc is read for the first owned child alone.
#[test]
fn an_owned_child_takes_one_wait_and_no_look_for_its_parent() {
    let name = "an_owned_child_takes_one_wait_and_no_look_for_its_parent";
    if let Some(sanitizer) = sanitizer() {
        return skip_here(name, &format!("the {sanitizer} sanitizer makes calls of its own"));
    }
    isolated(name, || {
        let log = traced(name, || {
            let mut driver = Driver::new();
            for text in ["first", "second", "third"] {
                let command = Command::new("/bin/true").owned(true).session_if_owned();
                let command = command.parent_death_signal(Signal::KILL);
                mark(&format!("{text}-begins"));
                let child = driver.spawn(command);
                driver.drive_to_end(&child.record);
                mark(&format!("{text}-is-over"));
            }
            driver.finish();
        });
        let Some(log) = log else { return };
        let count = |text: &str, name: &str| {
            let (from, to) =
                (place(&log, &format!("{text}-begins")), place(&log, &format!("{text}-is-over")));
            let parent = log[from + 1..to].iter().filter(|call| call.pid == log[from].pid);
            parent.filter(|call| call.name() == name).count()
        };
        assert_eq!(count("first", "readlinkat"), 1, "/proc/self");
        for text in ["second", "third"] {
            let [waits, links, pids] =
                ["waitid", "readlinkat", "getpid"].map(|name| count(text, name));
            assert_eq!((waits, links, pids), (1, 0, 0), "{text}");
            // SIGPIPE's disposition is read by each turn.
            let handlers = log[place(&log, &format!("{text}-begins"))..]
                .iter()
                .take_while(|call| call.name() != "clone")
                .filter(|call| call.name() == "rt_sigaction" && !call.text.contains("SIGPIPE"));
            assert_eq!(handlers.count(), 4, "{text}");
        }
    });
}

/// Raises the limit of descriptors to a million, or as far as possible here.
fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let million = Rlimit { current: Some(1_000_000), maximum: Some(1_000_000) };
    if setrlimit(Resource::Nofile, million).is_err() {
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
            .expect("the hard limit is allowed");
    }
}

/// Without `close_range`, the child uses the list in /proc. It makes one call for each open
/// descriptor and none for other numbers, however high the limit is.
#[test]
fn without_close_range_the_limit_is_not_walked_through() {
    let name = "without_close_range_the_limit_is_not_walked_through";
    if let Some(sanitizer) = sanitizer() {
        return skip_here(name, &format!("the {sanitizer} sanitizer makes calls of its own"));
    }
    isolated(name, || {
        const OPEN: usize = 50;
        let paths = || paths().into_iter().filter(|path| *path != SpawnPath::SharedFiles);
        let log = traced(name, || {
            raise_limit();
            let mut driver = Driver::new();
            let open: Vec<File> = (0..OPEN).map(|_| File::open("/dev/null").unwrap()).collect();
            answer(libc::SYS_close_range, Calls::All, libc::ENOSYS);
            for path in paths() {
                let command = by(path, "/bin/true");
                mark(&format!("{path:?}"));
                driver.run(command);
            }
            drop(open);
            driver.finish();
        });
        let Some(log) = log else { return };
        for path in paths() {
            let calls = child_after(&log, &format!("{path:?}"));
            let count = |name| calls.iter().filter(|call| call.name() == name).count();
            assert!(count("getdents64") > 0, "{path:?}");
            // The list itself is closed too: once for the numbers to close and once for the numbers
            // to mark.
            let closed = count("close");
            assert!((OPEN..OPEN + 30).contains(&closed), "{path:?}: {closed} closed");
            assert_eq!(count("fcntl"), 0, "{path:?}: none is that high");
        }
    });
}

/// valgrind copies memory that should be shared and does not wait for the exec. The first launch
/// detects that, and a failed exec is still an error.
#[test]
fn under_valgrind_a_failed_exec_is_an_error() {
    let name = "under_valgrind_a_failed_exec_is_an_error";
    isolated(name, || {
        if forced_path().is_some_and(|path| path != SpawnPath::Fork) {
            return;
        }
        if is_watched() {
            let mut reactor = Reactor::new().unwrap();
            for _ in 0..3 {
                let (quiet, _) = Recorder::new();
                let error = reactor.spawn_process(quiet, Command::new("/no/such")).err().unwrap();
                assert_eq!((error.step(), error.raw_os_error()), (Step::Exec, Some(2)));
                let fds = [(1, Fd::from_child())];
                let echo = Command::new("/bin/echo").arg("hello").child_fds(fds);
                let (recorder, record) = Recorder::new();
                let process = reactor.spawn_process(recorder, echo).unwrap();
                assert_eq!(process.spawned_by(), Some(SpawnPath::Fork));
                while record.ended().is_none() {
                    reactor.turn(Some(WATCHDOG)).unwrap();
                }
                assert_eq!((record.code(), record.text(1).as_str()), (0, "hello\n"));
            }
            return;
        }
        if let Some(sanitizer) = sanitizer() {
            skip(name, &format!("valgrind does not run what has the {sanitizer} sanitizer"));
            return;
        }
        let mut options = vec!["valgrind", "-q", "--trace-children=no", "--error-exitcode=99"];
        if cfg!(target_feature = "crt-static") {
            // valgrind cannot replace the allocator of a static program, and distrusts what it reads.
            options.push("--undef-value-errors=no");
        }
        let Some(output) = watched(name, &options) else { return };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    });
}
