//! Area ST: many children at once and one after another.
//!
//! Alone: several tests need a whole processor for seconds, within the usual bounds.

#[path = "stress/mod.rs"]
mod stress;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::{SignalError, SpawnPath};

use crate::stress::{Driver, Event, Numbers, Spawned, WATCHDOG, behaviour, bound, command, ms, sh};

/// The script of the child that passes the stages.
const STAGES: &str = "four() { dd bs=4 count=1 status=none; }; \
                      four; exec >&-; four >&2; exec 2>&-; four >/dev/null; exit 23";

/// Case ST-01.
#[test]
fn twenty_five_dialogues_at_once_pass_every_stage() {
    behaviour("twenty_five_dialogues_at_once_pass_every_stage", |driver| {
        let children: Vec<Spawned> = (0..25)
            .map(|_| {
                driver.spawn_with(sh(STAGES), |process, event| match event {
                    Event::Made => process.write("abcd"),
                    Event::Lost(1) => process.write("1234"),
                    Event::Lost(2) => process.write("abcd"),
                    _ => {}
                })
            })
            .collect();
        driver.drive_all_to_end(Duration::from_secs(30));
        for child in children {
            let record = &child.record;
            assert_eq!((record.text(1).as_str(), record.text(2).as_str()), ("abcd", "1234"));
            assert_eq!(record.code(), 23);
            let at = |like: fn(&Event) -> bool| record.position(like).expect("it came");
            let stages = [
                at(|event| matches!(event, Event::Data(1, _))),
                at(|event| matches!(event, Event::Lost(1))),
                at(|event| matches!(event, Event::Data(2, _))),
                at(|event| matches!(event, Event::Lost(2))),
                at(|event| matches!(event, Event::Lost(0))),
            ];
            assert!(stages.is_sorted(), "{record:?}");
            let late = child.process.signal(Signal::TERM);
            assert!(matches!(late, Err(SignalError::ProcessExitedAlready)), "{late:?}");
        }
    });
}

/// Case ST-02.
#[test]
fn three_hundred_at_once_leave_nothing() {
    behaviour("three_hundred_at_once_leave_nothing", |driver| {
        let begin = driver.now();
        let children: Vec<Spawned> = (0..300).map(|_| driver.spawn(command("/bin/true"))).collect();
        driver.drive_all_to_end(WATCHDOG);
        assert!(driver.now() - begin < bound(WATCHDOG));
        assert!(children.iter().all(|child| child.record.code() == 0));
        // `behaviour` checks that no descriptor and no zombie is left.
    });
}

/// Case ST-03.
#[test]
fn each_of_five_hundred_gets_its_own_code() {
    behaviour("each_of_five_hundred_gets_its_own_code", |driver| {
        let mut alive: VecDeque<(i32, Spawned)> = VecDeque::new();
        for index in 0..500 {
            while alive.len() == 100 {
                let (expected, child) = alive.pop_front().unwrap();
                driver.drive_to_end(&child.record);
                assert_eq!(child.record.code(), expected);
            }
            let code = index % 256;
            let exit = sh("exit $0").arg(code.to_string());
            alive.push_back((code, driver.spawn(exit)));
        }
        for (expected, child) in alive {
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), expected);
        }
    });
}

/// Starts the next child of the chain when it ends.
struct Link {
    left: u32,
    /// The lowest and the highest address of a local variable, over all links.
    stack: Rc<Cell<(usize, usize)>>,
}

impl ProcessProtocol for Link {
    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        assert!(reason.is_ok(), "{reason:?}");
        let local = 0_u8;
        let here = std::ptr::from_ref(&local).addr();
        let (low, high) = self.stack.get();
        self.stack.set((low.min(here), high.max(here)));
        let reactor = Handle::current();
        match self.left {
            0 => reactor.stop(),
            left => {
                let next = Self { left: left - 1, stack: self.stack.clone() };
                reactor.spawn_process(next, command("/bin/true")).expect("one more");
            }
        }
    }
}

/// Case ST-04.
#[test]
fn a_chain_of_two_thousand_needs_constant_stack_and_memory() {
    behaviour("a_chain_of_two_thousand_needs_constant_stack_and_memory", |driver| {
        let stack = Rc::new(Cell::new((usize::MAX, 0)));
        let mut before = 0;
        for links in [200, 2000] {
            let first = Link { left: links, stack: stack.clone() };
            driver.handle().spawn_process(first, command("/bin/true")).unwrap();
            assert_eq!(driver.reactor().run().unwrap(), Stopped::Called);
            let now = stress::resident_bytes();
            if links == 2000 {
                assert!(now < before + (4 << 20), "{before} bytes, then {now}");
            }
            before = now;
        }
        let (low, high) = stack.get();
        assert!(high - low < 4096, "the stack grew by {}", high - low);
    });
}

/// Case ST-05.
#[test]
fn rounds_of_batches_without_pipes_all_complete() {
    behaviour("rounds_of_batches_without_pipes_all_complete", |driver| {
        for _ in 0..10 {
            let batch: Vec<Spawned> = (0..100)
                .map(|_| {
                    let null = [(0, Fd::null()), (1, Fd::null()), (2, Fd::null())];
                    driver.spawn(command("/usr/bin/printf").arg("x").child_fds(null))
                })
                .collect();
            driver.drive_all_to_end(WATCHDOG);
            assert!(batch.iter().all(|child| child.record.code() == 0));
        }
    });
}

/// Case ST-10.
#[test]
fn a_hundred_killed_at_random_times_end_by_their_signal() {
    behaviour("a_hundred_killed_at_random_times_end_by_their_signal", |driver| {
        let mut numbers = Numbers::new(10);
        let mut expected = Vec::new();
        for _ in 0..100 {
            let child = driver.spawn(command("/bin/sleep").arg("100"));
            let signal = if numbers.below(2) == 0 { Signal::TERM } else { Signal::KILL };
            let process = child.process.clone();
            let after = ms(numbers.below(500));
            driver.handle().call_later(after, move |_| process.signal(signal).expect("it lives"));
            expected.push((signal, child));
        }
        driver.drive_all_to_end(WATCHDOG);
        for (signal, child) in expected {
            assert_eq!(child.record.signal(), signal.as_raw());
        }
    });
}

/// Case ST-11.
#[test]
fn fifty_megabytes_through_fifty_cats_are_exact() {
    behaviour("fifty_megabytes_through_fifty_cats_are_exact", |driver| {
        let begin = driver.now();
        let children: Vec<(Vec<u8>, Spawned)> = (0..50_u8)
            .map(|index| {
                let data: Vec<u8> = (0..1_u32 << 20)
                    .map(|at| at.to_le_bytes()[usize::from(index) % 3] ^ index)
                    .collect();
                let child = driver.spawn(command("/bin/cat"));
                child.process.write(data.clone());
                child.process.close_stdin();
                (data, child)
            })
            .collect();
        driver.drive_all_to_end(Duration::from_secs(20));
        assert!(driver.now() - begin < bound(Duration::from_secs(20)));
        for (data, child) in children {
            assert!(child.record.data(1) == data, "not what was written");
        }
    });
}

/// Every byte of two hundred children that write at the same time arrives once, in order.
#[test]
fn the_output_of_two_hundred_at_once_is_exact() {
    behaviour("the_output_of_two_hundred_at_once_is_exact", |driver| {
        const BYTES: usize = 100_000;
        let children: Vec<Spawned> = (0..200)
            .map(|index| {
                let writes =
                    format!("yes {index} | head -c {BYTES}; yes e{index} | head -c 9000 >&2");
                driver.spawn(sh(&writes))
            })
            .collect();
        driver.drive_all_to_end(Duration::from_secs(30));
        for (index, child) in children.iter().enumerate() {
            for (fd, line, bytes) in
                [(1, format!("{index}\n"), BYTES), (2, format!("e{index}\n"), 9000)]
            {
                let expected: Vec<u8> = line.bytes().cycle().take(bytes).collect();
                assert!(child.record.data(fd) == expected, "fd {fd} of child {index}");
            }
        }
    });
}

/// Case ST-13.
#[test]
fn a_large_parent_spawns_as_fast_as_a_small_one() {
    behaviour("a_large_parent_spawns_as_fast_as_a_small_one", |driver| {
        stress::sys::without_huge_pages();
        let mut heap = vec![0_u8; 1 << 30];
        for page in heap.chunks_mut(4096) {
            page[0] = 1;
        }
        let ours = median_spawn(driver, None);
        let forked = median_spawn(driver, Some(SpawnPath::Fork));
        drop(std::hint::black_box(heap));
        if forked < ms(20) {
            stress::skip("ST-13", &format!("a fork of 1 GiB takes only {forked:?} here"));
            return;
        }
        if stress::forced_path() == Some(SpawnPath::Fork) {
            return;
        }
        assert!(ours < bound(ms(20)), "{ours:?}, and {forked:?} by fork");
    });
}

/// Returns the median time of fifty spawns.
fn median_spawn(driver: &mut Driver, path: Option<SpawnPath>) -> Duration {
    let times = RefCell::new(Vec::new());
    for _ in 0..50 {
        let program = command("/bin/true");
        let program = match path {
            Some(path) => program.spawn_path(path),
            None => program,
        };
        let before = driver.now();
        let (recorder, record) = stress::Recorder::new();
        let process = driver.handle().spawn_process(recorder, program).expect("it starts");
        times.borrow_mut().push(driver.now() - before);
        driver.drive_to_end(&record);
        drop(process);
    }
    let mut times = times.into_inner();
    times.sort_unstable();
    times[25]
}
