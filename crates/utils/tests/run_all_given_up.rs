//! Programs that are given up while one of their callbacks runs: no program starts after that.

mod util;

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicU32};

use procession_core::{Deferred, Failed, first_of, gather};
use procession_process_transport::Fd;
use procession_utils::{Run, RunAll, RunResult, Stdin, run_all};
use util::{Driver, behaviour, children, ms, sh};

/// A standard input that counts how many programs start: a start borrows its descriptor.
struct Starts {
    null: File,
    is_counted: AtomicBool,
    count: Arc<AtomicU32>,
}

impl AsFd for Starts {
    fn as_fd(&self) -> BorrowedFd<'_> {
        if !self.is_counted.swap(true, SeqCst) {
            self.count.fetch_add(1, SeqCst);
        }
        self.null.as_fd()
    }
}

impl Starts {
    fn stdin(count: &Arc<AtomicU32>) -> Stdin {
        let null = File::open("/dev/null").expect("it is always there");
        let count = Arc::clone(count);
        Stdin::fd(Fd::inherit(Self { null, is_counted: AtomicBool::new(false), count }))
    }
}

/// How many programs have started, and how many had started when they were given up.
#[derive(Default)]
struct Count {
    started: Arc<AtomicU32>,
    at_the_end: Cell<Option<u32>>,
}

impl Count {
    /// Returns six programs. If `one_fails`, the second one cannot be started.
    fn programs(&self, one_fails: bool) -> [Run; 6] {
        let second = if one_fails { "/no/such" } else { "true" };
        ["true", second, "true", "true", "true", "true"]
            .map(|program| Run::new(program).stdin(Starts::stdin(&self.started)))
    }

    fn note(&self) {
        self.at_the_end.set(Some(self.started.load(SeqCst)));
    }
}

/// The closure that gives the programs up. `None` until it is set.
type GiveUp = Rc<RefCell<Option<Box<dyn FnOnce()>>>>;

fn holding<T: 'static>(held: T, end: impl FnOnce(T) + 'static) -> Option<Box<dyn FnOnce()>> {
    Some(Box::new(move || end(held)))
}

/// A callback, and the number of the call that gives up.
#[derive(Debug, Clone, Copy)]
enum GiveUpAt {
    Result(u32),
    Progress(u32),
}

/// The holders of the result, and the ways to give it up.
const WAYS: [&str; 10] = [
    "dropped",
    "cancelled",
    "chain dropped",
    "bounded",
    "gathered",
    "raced",
    "first error",
    "inner",
    "caught in another chain",
    "task",
];

/// Starts the programs in such a way that `give_up` ends them.
fn begin(driver: &Driver, way: &str, all: RunAll, give_up: &GiveUp) {
    let ends = match way {
        "dropped" => holding(all.all(), drop),
        "cancelled" => holding(all.all(), |all| all.cancel()),
        "chain dropped" => holding(all.all().map(|results| results.len()), drop),
        "bounded" => holding(all.all().timeout(ms(60_000)), drop),
        "gathered" => holding(gather([all.all()]), drop),
        "raced" => holding(first_of([all.all()]), drop),
        "first error" => holding(all.all_or_first_error(), drop),
        "inner" => {
            let before = Deferred::<(), Infallible>::ready(Ok(()));
            holding(before.and_then(move |()| all.all()), drop)
        }
        "caught in another chain" => {
            let (promise, other) = Deferred::<(), Infallible>::new();
            let all = all.all();
            let other = other.map(move |()| drop(all));
            holding((promise, other), |(promise, other)| {
                other.cancel();
                drop(promise);
            })
        }
        "task" => {
            let task = driver.reactor.spawn_local(async move { all.await.map(drop) });
            holding(task, |task| task.cancel())
        }
        other => unreachable!("{other}"),
    };
    *give_up.borrow_mut() = ends;
}

/// Gives up in the callback, then turns until nothing happens any more.
fn given_up(driver: &mut Driver, way: &str, parallelism: usize, when: GiveUpAt) {
    let count = Rc::new(Count::default());
    let give_up = GiveUp::default();
    let (own, noted, mut calls) = (Rc::clone(&give_up), Rc::clone(&count), 0);
    let mut called = move |at: u32| {
        calls += 1;
        if calls < at {
            return;
        }
        let Some(end) = own.borrow_mut().take() else { return };
        noted.note();
        end();
    };
    let all = run_all(count.programs(way != "first error"), parallelism);
    let all = match when {
        GiveUpAt::Result(at) => all.on_result(move |_, _: &RunResult| called(at)),
        GiveUpAt::Progress(at) => all.on_progress(move |_| called(at)),
    };
    begin(driver, way, all, &give_up);
    driver.until("it was given up", util::WATCHDOG, |_| count.at_the_end.get().is_some());
    quiet(driver);
    let (started, before) = (count.started.load(SeqCst), count.at_the_end.get());
    assert_eq!(Some(started), before, "{way}, {parallelism} at a time, {when:?}");
}

/// Turns until no child is left and nothing is queued.
fn quiet(driver: &mut Driver) {
    driver.until_no_children(util::WATCHDOG);
    for _ in 0..10 {
        driver.reactor.turn(Some(ms(0))).expect("a turn");
    }
}

#[test]
fn nothing_is_started_after_on_result_gave_up() {
    behaviour("nothing_is_started_after_on_result_gave_up", |driver| {
        for way in WAYS {
            for parallelism in 1..=3 {
                for at in 1..=3 {
                    given_up(driver, way, parallelism, GiveUpAt::Result(at));
                }
            }
        }
    });
}

#[test]
fn nothing_is_started_after_on_progress_gave_up() {
    behaviour("nothing_is_started_after_on_progress_gave_up", |driver| {
        for way in WAYS {
            for parallelism in 1..=3 {
                for at in 1..=6 {
                    given_up(driver, way, parallelism, GiveUpAt::Progress(at));
                }
            }
        }
    });
}

#[test]
fn nothing_is_called_after_on_result_gave_up() {
    behaviour("nothing_is_called_after_on_result_gave_up", |driver| {
        let give_up = GiveUp::default();
        let (own, calls) = (Rc::clone(&give_up), Rc::new(Cell::new(None)));
        let (given_up, count) = (Rc::clone(&calls), Rc::clone(&calls));
        let all = run_all(["true"; 3], 1)
            .on_result(move |_, _| {
                let end = own.borrow_mut().take();
                if let Some(end) = end {
                    end();
                    given_up.set(Some(0));
                }
            })
            .on_progress(move |_| count.set(count.get().map(|calls| calls + 1)));
        *give_up.borrow_mut() = holding(all.all(), drop);
        driver.until("it was given up", util::WATCHDOG, |_| calls.get().is_some());
        quiet(driver);
        assert_eq!(calls.get(), Some(0));
    });
}

/// The last line of the first program and its end come in one turn.
#[test]
fn nothing_is_started_after_a_line_gave_up() {
    behaviour("nothing_is_started_after_a_line_gave_up", |driver| {
        for way in WAYS {
            let count = Rc::new(Count::default());
            let give_up = GiveUp::default();
            let (own, noted) = (Rc::clone(&give_up), Rc::clone(&count));
            let first = Run::from(sh("echo line")).for_each_line(move |_| {
                let end = own.borrow_mut().take().expect("one line");
                noted.note();
                end();
            });
            let programs = [first.boxed()].into_iter().chain(count.programs(false).map(Run::boxed));
            begin(driver, way, run_all(programs, 1), &give_up);
            driver.until("it was given up", util::WATCHDOG, |_| count.at_the_end.get().is_some());
            quiet(driver);
            assert_eq!(count.started.load(SeqCst), 0, "{way}");
        }
    });
}

/// Turns on after panics, until the result is `Abandoned` and nothing happens any more. Returns how
/// many panics there were.
fn abandoned(driver: &mut Driver, all: Deferred<Vec<RunResult>, Infallible>) -> u32 {
    let mut panics = 0;
    let mut result = None;
    let mut turn = || {
        driver.until("there is a result", util::WATCHDOG, |_| {
            result = result.take().or_else(|| all.try_take());
            result.is_some()
        });
        quiet(driver);
    };
    while catch_unwind(AssertUnwindSafe(&mut turn)).is_err() {
        panics += 1;
    }
    assert!(matches!(result, Some(Err(Failed::Abandoned))), "{result:?}");
    panics
}

#[test]
fn a_panic_in_a_callback_ends_the_programs_and_starts_no_more() {
    behaviour("a_panic_in_a_callback_ends_the_programs_and_starts_no_more", |driver| {
        for in_progress in [false, true] {
            for parallelism in 1..=3 {
                let count = Rc::new(Count::default());
                let sleeper = Run::new("sleep").arg("100");
                // One program ends. If more than one may run, others run at the panic.
                let programs = [Run::new("true"), sleeper].into_iter().chain(count.programs(false));
                let all = run_all(programs, parallelism);
                let noted = Rc::clone(&count);
                let all = match in_progress {
                    true => all.on_progress(move |now| {
                        noted.note();
                        assert_eq!(now.done, 0, "expected");
                    }),
                    false => all.on_result(move |_, _| {
                        noted.note();
                        panic!("expected");
                    }),
                };
                let all = all.all();
                assert_eq!(abandoned(driver, all), 1, "{in_progress} {parallelism}");
                assert_eq!(Some(count.started.load(SeqCst)), count.at_the_end.get());
            }
        }
    });
}

/// The second program ends when the third is reported but not started.
#[test]
fn a_program_that_is_ready_is_not_started_after_the_next_callback_gave_up() {
    behaviour("a_program_that_is_ready_is_not_started_after_the_next_callback_gave_up", |driver| {
        for way in WAYS {
            let count = Rc::new(Count::default());
            let give_up = GiveUp::default();
            let (own, noted) = (Rc::clone(&give_up), Rc::clone(&count));
            let (second, hold) = io::pipe().unwrap();
            let second = Run::from(sh("read line")).stdin(Stdin::fd(Fd::inherit(second)));
            let programs = [Run::new("true"), second].into_iter().chain(count.programs(false));
            let (mut hold, mut calls) = (Some(hold), 0);
            let all = run_all(programs, 2).on_progress(move |now| {
                calls += 1;
                match calls {
                    4 => {
                        assert_eq!((now.done, now.running, now.waiting), (1, 2, 5));
                        drop(hold.take());
                        while !children().iter().any(|(_, _, state)| *state == 'Z') {}
                    }
                    5 => {
                        let end = own.borrow_mut().take().expect("once");
                        noted.note();
                        end();
                    }
                    _ => {}
                }
            });
            begin(driver, way, all, &give_up);
            driver.until("it was given up", util::WATCHDOG, |_| count.at_the_end.get().is_some());
            quiet(driver);
            assert_eq!(count.started.load(SeqCst), 0, "{way}");
        }
    });
}
