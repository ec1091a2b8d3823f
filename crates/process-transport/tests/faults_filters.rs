//! System calls that a filter or an old kernel refuses, either before or after the library has
//! probed them: a typed error or a working fallback, no leaked descriptor, no zombie, and a loop
//! that goes on.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::cell::Cell;
use std::io::Read;
use std::os::fd::{AsRawFd, OwnedFd};
use std::rc::Rc;
use std::sync::Arc;

use procession_core::Signal;
use procession_process_transport::{Command, Pty, SpawnProcess, Step, reserve_spawn_fds};
use procession_protocol::{ProcessProtocol, SpawnPath, Target};
use procession_reactor::Reactor;

use crate::filter::{Calls, answer, kill, kills_spare_the_parent_or_skip};
use crate::util::{
    Driver, Leaks, WATCHDOG, command, fd_list, forced_path, isolated, ms, probe, sh, sys,
};

/// One refused system call.
struct Fault {
    name: &'static str,
    install: fn(i32),
    /// The spawn path that is taken if the filter is there before the library probes. `None` means
    /// that no child can be started.
    path: Option<SpawnPath>,
}

/// Selects the calls whose argument at `index` has the bits of `flag`.
const fn with(index: u8, flag: u64) -> Calls {
    Calls::With { index, flag }
}

const CLONE_VM: u64 = 0x100;
const CLONE_FILES: u64 = 0x400;
const CLONE_VFORK: u64 = 0x4000;
const CLONE_PIDFD: u64 = 0x1000;
const P_PIDFD: u64 = 3;
/// The number of the fcntl(2) command. No other command has all of these bits.
const F_SETPIPE_SZ: u64 = 1031;

const FAULTS: [Fault; 14] = [
    Fault {
        name: "clone with CLONE_FILES",
        install: |errno| answer(libc::SYS_clone, with(0, CLONE_FILES), errno),
        path: Some(SpawnPath::SharedMemory),
    },
    Fault {
        name: "clone with CLONE_VM",
        install: |errno| answer(libc::SYS_clone, with(0, CLONE_VM), errno),
        path: Some(SpawnPath::Fork),
    },
    Fault {
        name: "clone with CLONE_VFORK",
        install: |errno| answer(libc::SYS_clone, with(0, CLONE_VFORK), errno),
        path: None,
    },
    Fault {
        name: "a pidfd of clone",
        install: |errno| answer(libc::SYS_clone, with(0, CLONE_PIDFD), errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "clone",
        install: |errno| answer(libc::SYS_clone, Calls::All, errno),
        path: None,
    },
    Fault {
        name: "clone3",
        install: |errno| answer(libc::SYS_clone3, Calls::All, errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "pidfd_open",
        install: |errno| answer(libc::SYS_pidfd_open, Calls::All, errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "pidfd_send_signal",
        install: |errno| answer(libc::SYS_pidfd_send_signal, Calls::All, errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "close_range",
        install: |errno| answer(libc::SYS_close_range, Calls::All, errno),
        path: Some(SpawnPath::SharedMemory),
    },
    Fault {
        name: "epoll_pwait2",
        install: |errno| answer(libc::SYS_epoll_pwait2, Calls::All, errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "splice",
        install: |errno| answer(libc::SYS_splice, Calls::All, errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "F_SETPIPE_SZ",
        install: |errno| answer(libc::SYS_fcntl, with(1, F_SETPIPE_SZ), errno),
        path: Some(SpawnPath::SharedFiles),
    },
    Fault {
        name: "sendmsg",
        install: |errno| answer(libc::SYS_sendmsg, Calls::All, errno),
        path: Some(SpawnPath::SharedMemory),
    },
    Fault {
        name: "recvmsg",
        install: |errno| answer(libc::SYS_recvmsg, Calls::All, errno),
        path: Some(SpawnPath::SharedMemory),
    },
];

/// Starts and uses one child of each kind. Returns the typed errors and the path taken.
fn workout(driver: &mut Driver) -> (Vec<String>, Option<SpawnPath>) {
    let mut errors = Vec::new();
    let mut taken = None;
    let mut spawn = |driver: &mut Driver, command: Command, errors: &mut Vec<String>| match driver
        .try_spawn_with(command, |_, _| ())
    {
        Ok(child) => {
            taken = taken.or_else(|| child.process.spawned_by());
            Some(child)
        }
        Err(error) => {
            errors.push(format!("{:?} {:?}", error.step(), error.raw_os_error()));
            None
        }
    };
    if let Some(child) = spawn(driver, command("/bin/cat"), &mut errors) {
        child.process.write("through");
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.text(1), "through");
        assert_eq!(child.record.code(), 0);
    }
    if let Some(child) = spawn(driver, command("/bin/sleep").arg("60"), &mut errors) {
        child.process.signal(Signal::TERM).expect("it arrives in one way or the other");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), libc::SIGTERM);
    }
    if let Some(child) = spawn(driver, command("/bin/sleep").arg("60").owned(true), &mut errors) {
        let ended = child.process.terminate(Signal::TERM, ms(50));
        driver.drive_to_end(&child.record);
        ended.try_take().expect("it has ended").expect("the signal was sent");
    }
    if let Some(child) = spawn(driver, sh("echo hi").pty(Pty::new()), &mut errors) {
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.text(1), "hi\r\n");
    }
    // Enough data to make a pipe grow. The shell is under the filter too, and a vfork of it is a clone with
    // CLONE_VM on some processors, so it starts nothing.
    if let Some(child) = spawn(driver, sh("exec head -c 4000000 /dev/zero"), &mut errors) {
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.data(1).len(), 4_000_000);
    }
    if let Some(child) = spawn(driver, sh("exec head -c 400000 /dev/zero"), &mut errors) {
        let file = tempfile::tempfile().expect("a file");
        let target = Target::fd(OwnedFd::from(file.try_clone().expect("a duplicate")));
        let moved = child.process.forward(1, target);
        driver.drive_to_end(&child.record);
        let moved = moved.try_take().expect("it ends with its source").expect("it falls back");
        assert_eq!((moved, file.metadata().expect("it is open").len()), (400_000, 400_000));
    }
    let error = driver.fails(command("/no/such/program"));
    errors.push(format!("missing: {:?} {:?}", error.step(), error.raw_os_error()));
    let fired = Rc::new(Cell::new(false));
    let fire = fired.clone();
    let _timer = driver.handle().call_later(ms(3), move |_| fire.set(true));
    driver.until("a timer", WATCHDOG, || fired.get());
    (errors, taken)
}

/// Runs the workout in a copy of this process and checks its result.
fn check_with_fault(fault: &Fault, errno: i32, first: bool) {
    let copy = sys::fork(|| {
        sys::alarm(ms(30_000));
        if first {
            (fault.install)(errno);
        }
        if first && (fault.path.is_none() || forces_refused(fault)) {
            assert_no_child_starts(errno);
            return 0;
        }
        let mut driver = Driver::new();
        if !first {
            (fault.install)(errno);
        }
        driver.rebase();
        let (errors, taken) = workout(&mut driver);
        let expected = expected(fault, errno, first);
        assert_eq!(errors, expected);
        if first && forced_path().is_none() {
            assert_eq!(taken, fault.path);
        }
        driver.finish();
        0
    });
    let when = if first { "before" } else { "after" };
    let what = format!("{} refused with {errno} {when} the library looked", fault.name);
    sys::assert_exits_with_0(copy, &what);
}

/// Returns whether a spawn on this path makes the refused clone.
fn is_needed_by(fault: &Fault, path: SpawnPath) -> bool {
    match path {
        SpawnPath::SharedFiles => fault.name.starts_with("clone with"),
        SpawnPath::SharedMemory => fault.name == "clone with CLONE_VM",
        _ => false,
    }
}

/// Returns whether this run forces a path that needs the refused clone.
fn forces_refused(fault: &Fault) -> bool {
    forced_path().is_some_and(|path| is_needed_by(fault, path))
}

/// The expected errors. All are typed, and a call with a fallback causes none.
fn expected(fault: &Fault, errno: i32, first: bool) -> Vec<String> {
    let missing = "missing: Exec Some(2)".to_owned();
    // A run that forces a path has no fallback, and no path works without a call that all need.
    if fault.path.is_none() || !first && forces_refused(fault) {
        let refused = format!("Clone Some({errno})");
        return std::iter::repeat_n(refused.clone(), 6)
            .chain([format!("missing: {refused}")])
            .collect();
    }
    vec![missing]
}

/// Checks that no child can be started if every clone is refused from the start.
fn assert_no_child_starts(errno: i32) {
    let mut reactor = Reactor::new().expect("a reactor");
    reserve_spawn_fds().expect("room for two");
    let leaks = Leaks::baseline();
    for _ in 0..3 {
        let (recorder, record) = util::Recorder::new();
        let Err(error) = reactor.spawn_process(recorder, command("/bin/true")) else {
            panic!("it started");
        };
        assert_eq!((error.step(), error.raw_os_error()), (Step::Clone, Some(errno)), "{error:?}");
        assert_eq!(record.events(), []);
        leaks.assert_none();
    }
    let fired = Rc::new(Cell::new(false));
    let fire = fired.clone();
    let _timer = reactor.call_later(ms(3), move |_| fire.set(true));
    while !fired.get() {
        reactor.turn(Some(ms(100))).expect("a turn");
    }
}

fn check_faults(name: &str, errno: i32, first: bool) {
    isolated(name, || {
        let only = std::env::var("PROCESSION_TEST_FAULT").ok();
        for fault in &FAULTS {
            // A run that forces the shared table has no other path.
            let has_way = forced_path() != Some(SpawnPath::SharedFiles)
                || fault.path == Some(SpawnPath::SharedFiles);
            if has_way && only.as_ref().is_none_or(|only| only == fault.name) {
                check_with_fault(fault, errno, first);
            }
        }
    });
}

#[test]
fn spawning_works_without_calls_that_an_old_kernel_lacks() {
    check_faults("spawning_works_without_calls_that_an_old_kernel_lacks", libc::ENOSYS, true);
}

#[test]
fn spawning_works_without_calls_that_a_filter_denies() {
    check_faults("spawning_works_without_calls_that_a_filter_denies", libc::EPERM, true);
}

#[test]
fn spawning_works_without_calls_that_are_denied_after_the_probe() {
    check_faults(
        "spawning_works_without_calls_that_are_denied_after_the_probe",
        libc::EPERM,
        false,
    );
}

/// Without `waitid` on a pidfd the library asks for the child's exit by its number.
#[test]
fn an_exit_is_reported_without_waitid_on_a_pidfd() {
    isolated("an_exit_is_reported_without_waitid_on_a_pidfd", || {
        for errno in [libc::ENOSYS, libc::EINVAL, libc::EPERM] {
            let mut driver = Driver::new();
            answer(libc::SYS_waitid, with(0, P_PIDFD), errno);
            assert_eq!(driver.run(probe(["exit", "7"])).code(), 7);
            driver.fails(command("/no/such/program"));
            driver.finish();
        }
    });
}

/// If a filter refuses the signal to the pidfd, it is sent by the child's number, as long as the
/// child is not reaped.
#[test]
fn a_signal_that_no_pidfd_takes_arrives_all_the_same() {
    let name = "a_signal_that_no_pidfd_takes_arrives_all_the_same";
    isolated(name, || {
        // If several filters match, the errno of the newest one counts.
        for errno in [libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EINVAL] {
            let mut driver = Driver::new();
            answer(libc::SYS_pidfd_send_signal, Calls::All, errno);
            let child = driver.spawn(command("sleep").arg("600"));
            child.process.signal(Signal::TERM).unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.signal(), libc::SIGTERM);
            // The same for a whole group. Its member holds the pipe, so the end comes only when the
            // member is gone too.
            let both = || sh("trap '' TERM; sleep 600 & echo on; wait; sleep 600").owned(true);
            let child = driver.spawn(both());
            driver.until("the member runs", WATCHDOG, || child.record.text(1) == "on\n");
            child.process.signal_group(Signal::KILL).unwrap();
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.signal(), libc::SIGKILL);
            drop(child);
            let child = driver.spawn(both());
            driver.until("the member runs", WATCHDOG, || child.record.text(1) == "on\n");
            let ended = child.process.terminate(Signal::TERM, ms(10));
            driver.drive_to_end(&child.record);
            let ended = ended.try_take().expect("its end was told").unwrap();
            assert_eq!((ended.signal(), ended.escalated()), (Some(Signal::KILL), true));
            drop(child);
            driver.finish();
            // The same when a reactor is dropped.
            let reactor = Reactor::new().unwrap();
            let sleep = command("sleep").arg("600").owned(true).kill_on_drop(true);
            let process = reactor.spawn_process(SilentProtocol, sleep).unwrap();
            let pid = process.pid().unwrap();
            drop(reactor);
            sys::wait_until_killed(pid);
        }
    });
}

struct SilentProtocol;

impl ProcessProtocol for SilentProtocol {}

/// `close_range` came with Linux 5.9, and its flag that marks with 5.11. Without the flag, the
/// descriptors that a closure may use are marked one by one.
#[test]
fn a_closure_finds_the_parents_descriptors_if_the_kernel_marks_no_range() {
    let name = "a_closure_finds_the_parents_descriptors_if_the_kernel_marks_no_range";
    isolated(name, || {
        if forced_path().is_some_and(|path| path != SpawnPath::Fork) {
            return; // a closure takes one path
        }
        let mut driver = Driver::new();
        let flag = u64::from(libc::CLOSE_RANGE_CLOEXEC);
        for errno in [libc::EINVAL, libc::ENOSYS, libc::EPERM] {
            answer(libc::SYS_close_range, with(2, flag), errno);
            let (mut reader, writer) = std::io::pipe().unwrap();
            for number in [writer.as_raw_fd(), 1500] {
                let high = (number == 1500).then(|| sys::copy_at(&writer, number, true));
                let list = sys::pre_exec_writing(probe(["fdlist", "1"]), number);
                let child = driver.spawn(list);
                driver.drive_to_end(&child.record);
                assert_eq!(fd_list(&child.record, 1), [0, 1, 2]);
                let mut byte = [0];
                reader.read_exact(&mut byte).unwrap();
                drop(high);
            }
        }
        driver.finish();
    });
}

/// A filter that kills instead of answering: the child dies by SIGSYS, which is not a spawn error.
#[test]
fn a_child_that_a_filter_kills_before_its_exec_died_by_that_signal() {
    isolated("a_child_that_a_filter_kills_before_its_exec_died_by_that_signal", || {
        if !kills_spare_the_parent_or_skip(
            "a_child_that_a_filter_kills_before_its_exec_died_by_that_signal",
        ) {
            return;
        }
        let mut driver = Driver::new();
        kill(libc::SYS_setsid);
        let child = driver.spawn(probe(["exit", "0"]).new_session());
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.signal(), libc::SIGSYS);
        drop(child); // the handle keeps a leader's pidfd open
        assert_eq!(driver.run(probe(["exit", "3"])).code(), 3);
        driver.finish();
    });
}

/// The caller's terminal gets its old size back, even if the child already ran.
#[test]
fn a_terminal_gets_its_size_back_if_the_loop_takes_no_child() {
    isolated("a_terminal_gets_its_size_back_if_the_loop_takes_no_child", || {
        let mut driver = Driver::new();
        let master = rustix::pty::openpt(rustix::pty::OpenptFlags::RDWR).unwrap();
        rustix::pty::unlockpt(&master).unwrap();
        let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
        let slave = rustix::fs::open(name, flags, rustix::fs::Mode::empty()).unwrap();
        let (master, slave) = (Arc::new(master), Arc::new(slave));
        let pty = Pty::new().controlling(false).size(7, 11).pair(master.clone(), slave.clone());
        answer(libc::SYS_epoll_ctl, Calls::All, libc::ENOSPC);
        let spawned = driver.try_spawn_with(command("/bin/cat").pty(pty), |_, _| ());
        let Err(error) = spawned else { panic!("it started") };
        assert_eq!(error.step(), Step::Register);
        let size = rustix::termios::tcgetwinsize(&*slave).unwrap();
        assert_eq!((size.ws_row, size.ws_col), (0, 0));
        Leaks::assert_no_children();
    });
}

/// ENFILE, ENOMEM and EAGAIN of the calls that create the descriptors and processes of a spawn.
#[test]
fn the_lack_of_a_system_resource_is_an_error_of_its_step() {
    isolated("the_lack_of_a_system_resource_is_an_error_of_its_step", || {
        type Row = (libc::c_long, i32, fn() -> Command, &'static str);
        let plain: fn() -> Command = || command("/bin/true");
        let socket: fn() -> Command =
            || command("/bin/true").child_fd(3, procession_process_transport::Fd::socketpair());
        let rows: [Row; 9] = [
            (libc::SYS_pipe2, libc::ENFILE, plain, "Pipe"),
            (libc::SYS_pipe2, libc::ENOMEM, plain, "Pipe"),
            (libc::SYS_socketpair, libc::ENFILE, socket, "Pipe"),
            (libc::SYS_clone, libc::EAGAIN, plain, "Clone"),
            (libc::SYS_clone, libc::ENOMEM, plain, "Clone"),
            (libc::SYS_clone, libc::ENFILE, plain, "Clone"),
            // The child already runs by then. It is killed and reaped.
            (libc::SYS_epoll_ctl, libc::ENOSPC, plain, "Register"),
            (libc::SYS_epoll_ctl, libc::ENOMEM, || command("/bin/cat").owned(true), "Register"),
            (libc::SYS_epoll_ctl, libc::ENOSPC, || sh("trap '' TERM; cat"), "Register"),
        ];
        for (call, errno, make, step) in rows {
            let copy = sys::fork(|| {
                sys::alarm(ms(20_000));
                let mut driver = Driver::new();
                let leaks = Leaks::baseline();
                answer(call, Calls::All, errno);
                let Err(error) = driver.try_spawn_with(make(), |_, _| ()) else {
                    panic!("it started");
                };
                assert_eq!(format!("{:?}", error.step()), step, "{error:?}");
                assert_eq!(error.raw_os_error(), Some(errno), "{error:?}");
                Leaks::assert_no_children();
                driver.turn();
                leaks.assert_none();
                0
            });
            sys::assert_exits_with_0(copy, &format!("call {call}, error {errno}"));
        }
    });
}
