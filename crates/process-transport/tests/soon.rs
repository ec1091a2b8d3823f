//! Launches off the loop: what the call does, what it leaves when nobody waits for the child any more,
//! and what a child has from the launch threads.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::{Arc, Barrier, Mutex};
use std::thread::{self, ThreadId};
use std::time::Duration;

use procession_core::{Failed, Signal};
use procession_process_transport::{
    Command, FakeChildren, Fd, SpawnProcess, Step, reserve_spawn_fds,
};
use procession_protocol::{Process, SpawnPath};
use procession_reactor::{Handle, Reactor};
use procession_test_support::isolated_for_each;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::filter::{Calls, answer};
use crate::util::{
    Driver, Leaks, PROBE, Recorder, Spawned, WATCHDOG, behaviour, bound, children, command,
    forced_path, isolated, isolated_without_leak_check, ms, sh, skip, sys,
};

/// Returns the names of this process's threads.
fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim().to_owned()).collect()
}

fn launch_threads() -> usize {
    threads().iter().filter(|name| name.starts_with("procession-laun")).count()
}

/// Waits until both have begun, and so have their names.
fn until_two_launch_threads(driver: &mut Driver) {
    driver.until_seen("there are two launch threads", WATCHDOG, || launch_threads() == 2);
}

/// Lets the launch threads get on for a while: the moments of the tests differ by it.
fn pause(time: Duration) {
    let time = time.try_into().expect("it is short");
    rustix::event::poll(&mut [], Some(&time)).expect("nothing interrupts it");
}

/// Waits until this process has no child.
fn until_no_child(what: &str) {
    for _ in 0..bound(WATCHDOG).as_millis() {
        drop(Reactor::new().expect("a reactor")); // it reaps what others have left
        if children().is_empty() {
            return;
        }
        pause(ms(1));
    }
    panic!("{what}: {:?}", children());
}

/// Starts a child off the loop, and drives the loop until it has ended.
fn run_soon(driver: &mut Driver, command: Command) -> Spawned {
    let child = driver.try_spawn_soon(command, |_, _| ()).expect("it starts");
    driver.drive_to_end(&child.record);
    child
}

/// Has the launch threads started, which keep descriptors of their own.
fn warm_up(driver: &mut Driver) {
    run_soon(driver, command("/bin/true"));
    driver.rebase();
}

/// Runs `body` with a loop whose launch threads are there.
fn warm(name: &str, body: impl FnOnce(&mut Driver)) {
    behaviour(name, |driver| {
        warm_up(driver);
        body(driver);
    });
}

/// A deaf child that runs for long.
fn sleeper() -> Command {
    command("/bin/sleep").arg("600").child_fds([(0, Fd::null()), (1, Fd::null()), (2, Fd::null())])
}

/// Case LO-01.
#[test]
fn the_call_calls_nobody_back_and_two_threads_launch() {
    behaviour("the_call_calls_nobody_back_and_two_threads_launch", |driver| {
        assert_eq!(launch_threads(), 0);
        warm_up(driver);
        until_two_launch_threads(driver);
        let more: Vec<_> = (0..100)
            .map(|_| {
                let (recorder, record) = Recorder::new();
                (driver.handle().spawn_process_soon(recorder, command("/bin/true")), record)
            })
            .collect();
        driver.until("all have begun and ended", WATCHDOG, || {
            more.iter().all(|(_, record)| record.ended().is_some())
        });
        assert!(more.iter().all(|(started, _)| matches!(started.try_take(), Some(Ok(_)))));
        until_two_launch_threads(driver);
    });
}

/// Case LO-02.
#[test]
fn a_result_that_is_dropped_leaves_no_child() {
    warm("a_result_that_is_dropped_leaves_no_child", |driver| {
        for micros in [0, 10, 50, 100, 200, 400, 800, 3000] {
            let (recorder, record) = Recorder::new();
            let started = driver.reactor().spawn_process_soon(recorder, sleeper());
            pause(Duration::from_micros(micros));
            drop(started);
            driver.until_seen("the child is gone", WATCHDOG, || children().is_empty());
            assert_eq!(record.events(), [], "after {micros} µs");
        }
        // The same for many at once, of which most wait.
        let all: Vec<_> = (0..100)
            .map(|_| driver.reactor().spawn_process_soon(Recorder::new().0, sleeper()))
            .collect();
        all.iter().for_each(|one| one.cancel());
        assert!(all.iter().all(|one| matches!(one.try_take(), Some(Err(Failed::Cancelled)))));
        driver.until_seen("the children are gone", WATCHDOG, || children().is_empty());
        // A thread may be on its way to a child that nobody sees yet; a stop waits for it.
        driver.reactor().call_soon(|reactor| reactor.stop());
        driver.reactor().run().unwrap();
        Leaks::assert_no_children();
    });
}

/// Case LO-03.
#[test]
fn a_stop_and_a_drop_of_the_reactor_leave_no_child() {
    isolated("a_stop_and_a_drop_of_the_reactor_leave_no_child", || {
        let start = |reactor: &Handle, count: usize| -> Vec<_> {
            let one = |_| reactor.spawn_process_soon(Recorder::new().0, sleeper());
            (0..count).map(one).collect()
        };
        for micros in [0, 20, 100, 300, 1000] {
            for count in [1, 3, 80] {
                let mut reactor = Reactor::new().unwrap();
                // Two stops, with the launches at any stage.
                for _ in 0..2 {
                    let all = start(&reactor.handle(), count);
                    pause(Duration::from_micros(micros));
                    reactor.call_soon(|reactor| reactor.stop());
                    reactor.run().unwrap();
                    let taken = all.iter().map(|one| one.try_take().expect("a result, or none"));
                    let begun: Vec<Process> = taken.filter_map(Result::ok).collect();
                    let alive = children().len();
                    assert_eq!(alive, begun.len(), "only children whose result was given live on");
                    for process in &begun {
                        process.signal(Signal::KILL).unwrap();
                    }
                    for process in begun {
                        reactor.block_on(process.ended()).unwrap().unwrap_err();
                    }
                }
                // A drop, likewise.
                let all = start(&reactor.handle(), count);
                pause(Duration::from_micros(micros));
                drop(reactor);
                assert!(all.iter().all(|one| !matches!(one.try_take(), Some(Ok(_)))));
                until_no_child("after the drop");
            }
        }
        Leaks::assert_no_children();
    });
}

/// Case LO-04.
#[test]
fn closures_and_crowds_of_descriptors_are_launched_too() {
    warm("closures_and_crowds_of_descriptors_are_launched_too", |driver| {
        if forced_path().is_none() {
            let with_closure = sys::pre_exec(command("/bin/true"), 0);
            assert_eq!(run_soon(driver, with_closure).record.code(), 0);
        }
        let many = (3..300).map(|number| (number, Fd::null()));
        let many = command(PROBE).args(["exit", "5"]).child_fds(many);
        match driver.try_spawn_soon(many, |_, _| ()) {
            Ok(child) => {
                driver.drive_to_end(&child.record);
                assert_eq!(child.record.code(), 5);
            }
            // A forced path may not carry so many.
            Err(error) => assert_eq!(forced_path(), Some(SpawnPath::SharedFiles), "{error}"),
        }
    });
}

/// Case LO-05.
#[test]
fn a_child_has_what_its_caller_has_and_not_its_launch_thread() {
    warm("a_child_has_what_its_caller_has_and_not_its_launch_thread", |driver| {
        let all = sched_getaffinity(None).unwrap();
        let Some(last) = (0..CpuSet::MAX_CPU).rev().find(|cpu| all.is_set(*cpu)) else { return };
        if all.count() < 2 {
            return skip("affinity", "there is one processor");
        }
        let mut one = CpuSet::new();
        one.set(last);
        sched_setaffinity(None, &one).unwrap();
        let shown = sh("grep Cpus_allowed_list: /proc/self/status");
        let child = run_soon(driver, shown);
        assert_eq!(child.record.text(1), format!("Cpus_allowed_list:\t{last}\n"));
    });
}

/// Case LO-06.
#[test]
fn where_no_child_can_leave_a_shared_table_it_gets_a_copy() {
    if forced_path() == Some(SpawnPath::SharedFiles) {
        return; // there is no other way
    }
    isolated("where_no_child_can_leave_a_shared_table_it_gets_a_copy", || {
        answer(libc::SYS_close_range, Calls::All, libc::ENOSYS);
        let mut driver = Driver::new();
        warm_up(&mut driver);
        let file: Arc<File> = Arc::new(File::open("/dev/zero").unwrap());
        for _ in 0..20 {
            let child =
                sh("echo out; head -c 3 <&5 | wc -c").child_fd(5, Fd::inherit(file.clone()));
            let child = run_soon(&mut driver, child);
            assert_eq!(child.record.text(1), "out\n3\n");
            let expected = forced_path().unwrap_or(SpawnPath::SharedMemory);
            assert_eq!(child.process.spawned_by(), Some(expected));
        }
        drop(file);
        driver.rebase();
        driver.finish();
    });
}

/// Case LO-07.
#[test]
fn a_child_that_finds_no_numbers_here_is_an_error_and_gone() {
    warm("a_child_that_finds_no_numbers_here_is_an_error_and_gone", |driver| {
        let limit = getrlimit(Resource::Nofile);
        let mut fillers = Vec::new();
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), ..limit }).unwrap();
        while let Ok(file) = File::open("/dev/null") {
            fillers.push(file);
        }
        for free in 0..4 {
            let (recorder, record) = Recorder::new();
            let started = driver.reactor().spawn_process_soon(recorder, command("/bin/true"));
            let result = Rc::new(Cell::new(None));
            let keep = Rc::clone(&result);
            started.done(move |started| keep.set(Some(started)));
            let mut failed = None;
            driver.until("it has failed", WATCHDOG, || {
                failed = failed.take().or_else(|| result.take());
                failed.is_some()
            });
            let Some(Err(Failed::Error(error))) = failed else { panic!("{free}: {failed:?}") };
            assert_eq!((error.step(), error.raw_os_error()), (Step::Pipe, Some(libc::EMFILE)));
            assert_eq!(record.events(), []);
            fillers.pop();
        }
        setrlimit(Resource::Nofile, limit).unwrap();
        drop(fillers);
        driver.until_seen("no child is left", WATCHDOG, || children().is_empty());
        run_soon(driver, command("/bin/true"));
    });
}

/// Case LO-08.
#[test]
fn a_forked_copy_launches_with_threads_of_its_own() {
    isolated_without_leak_check("a_forked_copy_launches_with_threads_of_its_own", || {
        let mut kept = Some(Reactor::new().unwrap());
        let handle = kept.as_ref().unwrap().handle();
        let under_way: Vec<_> =
            (0..50).map(|_| handle.spawn_process_soon(Recorder::new().0, sleeper())).collect();
        sys::in_a_copy(|| {
            assert_eq!(launch_threads(), 0);
            drop(kept.take());
            let mut driver = Driver::new();
            run_soon(&mut driver, command("/bin/true"));
            until_two_launch_threads(&mut driver);
        });
        let mut reactor = kept.take().unwrap();
        // A copy drops results, whatever the launch threads do at the fork. Launches that fail at
        // once keep them busiest.
        for _ in 0..40 {
            let fails = |_| {
                let command = command("/bin/true").arg("\0");
                reactor.spawn_process_soon(Recorder::new().0, command)
            };
            let mut results: Option<Vec<_>> = Some((0..400).map(fails).collect());
            sys::in_a_copy(|| {
                sys::alarm(ms(20_000));
                drop(results.take());
            });
        }
        // The copy has taken nothing of what was under way here.
        let mut begun = Vec::new();
        for started in under_way {
            begun.push(reactor.block_on(started).unwrap());
        }
        assert_eq!(begun.len(), 50);
        for process in begun {
            process.signal(Signal::KILL).unwrap();
        }
        drop(reactor);
        until_no_child("at the end");
    });
}

/// Case LO-09.
#[test]
fn random_orders_of_all_this_leave_no_child_and_no_descriptor() {
    isolated("random_orders_of_all_this_leave_no_child_and_no_descriptor", || {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ u64::from(std::process::id()));
        println!("seed {}", random.0);
        warm_up(&mut Driver::new());
        let leaks = Leaks::baseline();
        for _ in 0..40 {
            let mut reactor = Reactor::new().unwrap();
            let mut results = Vec::new();
            for _ in 0..random.below(60) {
                match random.below(8) {
                    0..=3 => {
                        let program = if random.below(2) == 0 { "/bin/true" } else { "/no/such" };
                        let mut one = command(program).kill_on_drop(true);
                        if random.below(3) == 0 {
                            one = one.child_fd(7, Fd::inherit(File::open("/dev/null").unwrap()));
                        }
                        results.push(reactor.spawn_process_soon(Recorder::new().0, one));
                    }
                    4 => drop(results.pop()),
                    5 => results.iter().for_each(|one| one.cancel()),
                    6 => pause(Duration::from_micros(random.below(300))),
                    _ => reactor.turn(Some(Duration::ZERO)).unwrap(),
                }
            }
            match random.below(3) {
                0 => {
                    reactor.call_soon(|reactor| reactor.stop());
                    reactor.run().unwrap();
                    drop(reactor);
                }
                1 => drop(reactor),
                _ => {
                    drop(results.split_off(results.len() / 2));
                    drop(reactor);
                }
            }
        }
        until_no_child("at the end");
        leaks.assert_none();
    });
}

/// Case LO-11.
#[test]
fn each_child_has_the_variables_of_its_launch() {
    warm("each_child_has_the_variables_of_its_launch", |driver| {
        let mut check = |what: &str| {
            // Each of the two threads launches some of them.
            for _ in 0..4 {
                let text = run_soon(driver, command("/usr/bin/env")).record.text(1);
                let shown: BTreeSet<&str> = text.lines().collect();
                let own: Vec<String> =
                    std::env::vars().map(|(key, value)| format!("{key}={value}")).collect();
                let own: BTreeSet<&str> = own.iter().flat_map(|one| one.lines()).collect();
                assert_eq!(shown, own, "{what}");
            }
        };
        let name = "PROCESSION_TEST_VARIABLE";
        check("at first");
        sys::set_env(name, "one");
        check("a new variable");
        sys::set_env(name, "two");
        check("a value as long as the last one");
        sys::set_env(name, "one");
        check("a value that was there before");
        sys::set_env(name, "x".repeat(40_000));
        check("a long value");
        sys::remove_env(name);
        check("no variable any more");
        for number in 0..200 {
            sys::set_env(&format!("{name}_{number}"), "x".repeat(number));
        }
        check("the array has moved");
        for number in 0..200 {
            sys::remove_env(&format!("{name}_{number}"));
        }
        check("as at first");
    });
}

/// A descriptor of the program, with a fault.
struct Faulty;

impl AsFd for Faulty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        panic!("a fault of the program")
    }
}

/// Case LO-12.
#[test]
fn a_panic_on_a_launch_thread_comes_to_the_loop() {
    warm("a_panic_on_a_launch_thread_comes_to_the_loop", |driver| {
        for _ in 0..3 {
            let faulty = command("/bin/true").child_fd(5, Fd::inherit(Faulty));
            let (recorder, record) = Recorder::new();
            let started = driver.reactor().spawn_process_soon(recorder, faulty);
            let turns = AssertUnwindSafe(|| driver.until("it panics", WATCHDOG, || false));
            let panic = catch_unwind(turns).unwrap_err();
            assert_eq!(panic.downcast_ref(), Some(&"a fault of the program"));
            assert!(matches!(started.try_take(), Some(Err(Failed::Abandoned))));
            assert_eq!(record.events(), []);
        }
        until_two_launch_threads(driver);
        run_soon(driver, command("/bin/true"));
    });
}

/// Case LO-13.
#[test]
fn beside_many_descriptors_a_reserved_socketpair_saves_the_copy_of_the_table() {
    let name = "beside_many_descriptors_a_reserved_socketpair_saves_the_copy_of_the_table";
    isolated_for_each(name, "RESERVES", &["yes", "no"], |reserves| {
        let mut used = SpawnPath::SharedMemory;
        if reserves == "yes" {
            reserve_spawn_fds().unwrap();
            used = SpawnPath::SharedFiles;
        }
        let mut driver = Driver::new();
        let crowd: Vec<File> = (0..300).map(|_| File::open("/dev/null").unwrap()).collect();
        for _ in 0..6 {
            match driver.try_spawn_soon(command("/bin/true"), |_, _| ()) {
                Ok(child) => {
                    let expected = forced_path().unwrap_or(used);
                    assert_eq!(child.process.spawned_by(), Some(expected));
                    driver.drive_to_end(&child.record);
                }
                Err(error) => assert_eq!(forced_path(), Some(SpawnPath::SharedFiles), "{error}"),
            }
        }
        drop(crowd);
        driver.rebase();
        driver.finish();
    });
}

/// Case LO-14.
#[test]
fn a_child_that_its_caller_must_launch_is_recorded_once() {
    warm("a_child_that_its_caller_must_launch_is_recorded_once", |driver| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        FakeChildren::record(&driver.handle(), &file).unwrap();
        // From here on this thread has another nice value than the launch threads.
        rustix::process::nice(1).unwrap();
        run_soon(driver, command("/bin/true"));
        let records = fs::read_to_string(&file).unwrap();
        assert_eq!(records.matches("run ").count(), 1, "{records}");
        // The recording keeps its file open.
        drop(folder);
        driver.rebase();
    });
}

/// A small generator (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }
}

/// A file that remembers which thread has asked for its number.
struct AskedBy {
    file: File,
    thread: Arc<Mutex<Option<ThreadId>>>,
}

impl AsFd for AskedBy {
    fn as_fd(&self) -> BorrowedFd<'_> {
        *self.thread.lock().expect("nothing panics with it") = Some(thread::current().id());
        self.file.as_fd()
    }
}

/// Case LO-15.
#[test]
fn loops_that_begin_at_once_share_the_launch_threads() {
    isolated("loops_that_begin_at_once_share_the_launch_threads", || {
        let together = Arc::new(Barrier::new(4));
        let begin = |_| {
            let together = Arc::clone(&together);
            thread::spawn(move || {
                let mut reactor = Reactor::new().unwrap();
                together.wait();
                let has_launched_here = |_: &u32| {
                    let by: Arc<Mutex<Option<ThreadId>>> = Arc::default();
                    let file = File::open("/dev/null").unwrap();
                    let file = AskedBy { file, thread: Arc::clone(&by) };
                    let command = command("/bin/true").child_fd(5, Fd::inherit(file));
                    let started = reactor.spawn_process_soon(Recorder::new().0, command);
                    let process = reactor.block_on(started).unwrap();
                    reactor.block_on(process.ended()).unwrap().unwrap();
                    let by = *by.lock().unwrap();
                    by == Some(thread::current().id())
                };
                // The first are launched here, until one loop has started the threads.
                assert!((0..300).take_while(has_launched_here).count() < 300);
            })
        };
        let loops: Vec<_> = (0..4).map(begin).collect();
        loops.into_iter().for_each(|one| one.join().unwrap());
    });
}
