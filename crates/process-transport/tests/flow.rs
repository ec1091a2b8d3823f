//! The cost of a stream: memory with a slow consumer, turns of the loop while paused, and system
//! calls of an echo.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command as StdCommand;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Fd, SpawnProcess};
use procession_protocol::{Process, Target};
use procession_reactor::driver::Pipe;
use procession_reactor::{Handle, Reactor};

use crate::util::{
    Driver, Event, Recorder, WATCHDOG, behaviour, command, isolated, ms, probe, sh, skip,
    without_leak_check,
};

/// Returns how many turns the loop takes within this time. Each turn may wait for the rest of the
/// time.
fn turns_within(driver: &mut Driver, time: Duration) -> usize {
    let end = driver.now() + time;
    let mut turns = 0;
    while driver.now() < end {
        let left = end - driver.now();
        driver.reactor().turn(Some(left)).expect("a turn");
        turns += 1;
    }
    turns
}

#[test]
fn a_paused_stream_costs_no_wake_ups_alive_or_dead() {
    behaviour("a_paused_stream_costs_no_wake_ups_alive_or_dead", |driver| {
        let flood = driver.spawn(command("/usr/bin/yes"));
        let dead = driver.spawn(sh("echo x; exit 0"));
        let held = driver.spawn(sh("sleep 1 & echo x; exit 0"));
        for child in [&flood, &dead, &held] {
            child.process.pause_all();
        }
        driver.until("two exits", WATCHDOG, || {
            dead.record.exited().is_some() && held.record.exited().is_some()
        });
        driver.run_for(ms(50));
        let turns = turns_within(driver, ms(300));
        assert!(turns <= 3, "{turns} turns in 300 ms");
        for child in [&flood, &dead, &held] {
            assert_eq!(child.record.count(|event| matches!(event, Event::Data(..))), 0);
            child.process.resume_all();
        }
        flood.process.signal(Signal::KILL).unwrap();
        driver.drive_all_to_end(WATCHDOG);
        assert_eq!((dead.record.text(1).as_str(), held.record.text(1).as_str()), ("x\n", "x\n"));
    });
}

/// While a socketpair is being closed, the child's data on it is not read and wakes no loop.
#[test]
fn a_socketpair_that_is_closed_behind_a_full_queue_costs_no_wake_ups() {
    behaviour("a_socketpair_that_is_closed_behind_a_full_queue_costs_no_wake_ups", |driver| {
        let script = "echo unread >&5; read go; cat <&5 2>/dev/null; exit 0";
        let child = driver.spawn(sh(script).child_fd(5, Fd::socketpair()));
        child.process.write_to_child(5, vec![b'x'; 4 << 20]).unwrap();
        child.process.close_child_fd(5);
        driver.run_for(ms(100));
        let turns = turns_within(driver, ms(300));
        assert!(turns <= 3, "{turns} turns in 300 ms");
        child.process.write("go\n");
        driver.drive_to_end(&child.record);
        assert_eq!(child.record.data(1).len(), 4 << 20, "what was queued is sent");
        assert_eq!((child.record.text(5), child.record.code()), (String::new(), 0));
    });
}

#[test]
fn a_flood_takes_only_its_share_of_a_turn() {
    behaviour("a_flood_takes_only_its_share_of_a_turn", |driver| {
        let bytes = Rc::new(Cell::new(0));
        let count = bytes.clone();
        let child = driver.spawn_with(command("/usr/bin/yes"), move |_, event| {
            if let Event::Data(1, data) = event {
                count.set(count.get() + data.len());
            }
        });
        let mut highest = 0;
        for _ in 0..300 {
            let before = bytes.get();
            driver.reactor().turn(Some(ms(100))).unwrap();
            highest = highest.max(bytes.get() - before);
        }
        assert!(
            highest > 0 && highest <= Pipe::READ_BUDGET_BYTES + Pipe::READ_BUFFER_BYTES,
            "{highest}"
        );
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
    });
}

/// Returns a field of `/proc/self/status`, in KiB.
fn status_kib(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the field");
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Counts the data and passes it on to another child, which is slower.
fn pump(to: Process, count: Rc<Cell<u64>>) -> impl FnMut(&Process, &Event) + 'static {
    move |from, event| match event {
        Event::Data(1, data) => {
            count.set(count.get() + u64::try_from(data.len()).expect("it is small"));
            to.write(data.clone());
            if to.write_buffered(0) > 64 << 10 {
                from.pause(1);
            }
        }
        Event::Lost(1) => to.close_stdin(),
        _ => {}
    }
}

#[test]
fn a_gibibyte_to_a_slow_consumer_takes_no_memory() {
    isolated("a_gibibyte_to_a_slow_consumer_takes_no_memory", || {
        const BLOCKS: u64 = 8192;
        let mut reactor = Reactor::new().unwrap();
        let source: Rc<RefCell<Option<Process>>> = Rc::default();
        let paused = source.clone();
        let ended = Rc::new(Cell::new(0));
        let end = ended.clone();
        let sink = HookProtocol(Box::new(move |_, event| match event {
            Event::Drained(0) => {
                let source = paused.borrow().clone();
                source.inspect(|source| source.resume(1));
            }
            Event::Ended(_) => end.set(end.get() + 1),
            _ => {}
        }));
        let sink = reactor.spawn_process(sink, sh("cat | cat >/dev/null")).unwrap();
        let count = Rc::new(Cell::new(0));
        let (end, mut pump) = (ended.clone(), pump(sink, count.clone()));
        let protocol = HookProtocol(Box::new(move |process, event| {
            pump(process, event);
            if matches!(event, Event::Ended(_)) {
                end.set(end.get() + 1);
            }
        }));
        let blocks = BLOCKS.to_string();
        let idle = status_kib("VmRSS");
        std::fs::write("/proc/self/clear_refs", "5").unwrap(); // resets the peak
        let process = reactor.spawn_process(protocol, probe(["blocks", &blocks, "131072"]));
        *source.borrow_mut() = Some(process.unwrap());
        while ended.get() < 2 {
            reactor.turn(None).unwrap();
        }
        assert_eq!(count.get(), BLOCKS << 17);
        let peak = status_kib("VmHWM");
        assert!(peak <= idle + 4096, "{peak} KiB, {idle} KiB when idle");
        drop(source.take());
    });
}

/// A test's action in a callback.
type Hook = Box<dyn FnMut(&Process, &Event)>;

/// A protocol that keeps no record, because the record would take most of the memory.
struct HookProtocol(Hook);

impl procession_protocol::ProcessProtocol for HookProtocol {
    fn child_data_received(
        &mut self,
        process: &Process,
        fd: procession_protocol::ChildFd,
        data: bytes::Bytes,
    ) {
        (self.0)(process, &Event::Data(fd.as_raw(), data));
    }

    fn child_connection_lost(&mut self, process: &Process, fd: procession_protocol::ChildFd) {
        (self.0)(process, &Event::Lost(fd.as_raw()));
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: procession_protocol::ChildFd) {
        (self.0)(process, &Event::Drained(fd.as_raw()));
    }

    fn process_ended(&mut self, process: &Process, reason: procession_protocol::ExitReason) {
        (self.0)(process, &Event::Ended(reason));
    }
}

/// The variable that tells the traced process how many round trips to make.
const ROUNDS: &str = "PROCESSION_TEST_ECHO_ROUNDS";

/// Sends one byte to `cat` and back, so many times. It does nothing outside of the traced process.
#[test]
fn an_echo_to_be_traced() {
    let Some(rounds) = std::env::var_os(ROUNDS) else { return };
    let rounds: u32 = rounds.to_str().and_then(|rounds| rounds.parse().ok()).expect("a number");
    let mut reactor = Reactor::new().unwrap();
    let left = Cell::new(rounds);
    let hook = move |process: &Process, event: &Event| match event {
        Event::Made => process.write("x"),
        Event::Data(1, _) if left.get() == 0 => process.close_stdin(),
        Event::Data(1, _) => {
            left.set(left.get() - 1);
            process.write("x");
        }
        Event::Ended(_) => Handle::current().stop(),
        _ => {}
    };
    let (recorder, record) = Recorder::with(hook);
    reactor.spawn_process(recorder, command("/bin/cat")).unwrap();
    reactor.run().unwrap();
    assert!(record.ended().is_some());
}

/// Returns the system calls, by name, of the thread that runs the loop while it makes so many round
/// trips.
fn trace(log: &Path, rounds: u32) -> BTreeMap<String, i64> {
    let traced = without_leak_check(&mut StdCommand::new("strace"))
        .args(["-f", "-qq", "-o"])
        .arg(log)
        .arg(std::env::current_exe().expect("the path of this test binary"))
        .args(["an_echo_to_be_traced", "--exact", "--test-threads=1"])
        .env(ROUNDS, rounds.to_string())
        .output()
        .expect("strace was there a moment ago");
    assert!(traced.status.success(), "{}", String::from_utf8_lossy(&traced.stdout));
    let text = std::fs::read_to_string(log).expect("strace wrote it");
    let lines = || text.lines().filter_map(|line| line.trim_start().split_once(' '));
    let is_wait = |call: &str| call.trim_start().starts_with("epoll_");
    let (thread, _) = lines().find(|(_, call)| is_wait(call)).expect("it waits");
    let mut calls = BTreeMap::new();
    for (_, call) in lines().filter(|(pid, _)| *pid == thread) {
        // strace finishes an interrupted line with another line, which has no name in this place.
        if let Some((name, _)) = call.trim_start().split_once('(')
            && !name.contains(' ')
        {
            *calls.entry(name.to_owned()).or_insert(0) += 1;
        }
    }
    calls
}

/// A round trip of one byte to `cat` and back takes a wait, a read and a write.
#[test]
fn a_round_trip_is_three_system_calls() {
    if StdCommand::new("strace").arg("-V").output().is_err() {
        return skip("a_round_trip_is_three_system_calls", "needs strace");
    }
    let log = tempfile::NamedTempFile::new().unwrap().into_temp_path();
    let (few, many) = (trace(&log, 100), trace(&log, 1100));
    let mut more: BTreeMap<&str, i64> = BTreeMap::new();
    for (name, count) in &many {
        more.insert(name, count - few.get(name).unwrap_or(&0));
    }
    more.retain(|_, count| count.abs() > 20); // allocations of the recorder, a reschedule
    let total: i64 = more.values().sum();
    let waits: i64 =
        more.iter().filter(|(name, _)| name.starts_with("epoll")).map(|(_, n)| n).sum();
    assert!((2980..=3020).contains(&total), "in 1000 round trips: {more:?}");
    assert!((980..=1020).contains(&waits), "in 1000 round trips: {more:?}");
}

/// Holds also if the disposition is the default, which would end the process.
#[test]
fn sigpipe_never_reaches_the_program() {
    behaviour("sigpipe_never_reaches_the_program", |driver| {
        util::sys::default_action(libc::SIGPIPE);
        for _ in 0..20 {
            let child = driver.spawn(sh("exec <&-; sleep 0.02; exit 0"));
            child.process.write("x"); // flushed outside of a callback, before the wait
            util::sys::wait_until_zombie(child.process.pid().unwrap());
            child.process.write("y");
            driver.drive_to_end(&child.record);
            assert!(child.record.is_lost(0));
        }
        let writer =
            driver.spawn_with(sh("echo x; exec <&-; echo y; sleep 0.05"), |process, event| {
                if matches!(event, Event::Data(..) | Event::Lost(0)) {
                    process.write(vec![0; 100_000]);
                }
            });
        driver.drive_to_end(&writer.record);
        let source = driver.spawn(command("/usr/bin/yes"));
        let sink = driver.spawn(sh("head -c 10 >/dev/null"));
        let moved = source.process.forward(1, Target::child(&sink.process, 0));
        driver.drive_all_to_end(WATCHDOG);
        assert!(moved.try_take().is_some_and(|moved| moved.is_err()));
        assert_eq!(util::sys::handler(libc::SIGPIPE), libc::SIG_DFL);
        assert!(!util::sys::blocked().contains(&libc::SIGPIPE));
    });
}
