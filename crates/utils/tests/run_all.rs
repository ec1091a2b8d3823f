//! Many programs, with a limit on how many run at once.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;

use procession_core::Failed;
use procession_process_transport::{Command, Fd};
use procession_utils::{Outcome, OutputError, Progress, Run, Stdin, run_all};
use util::{behaviour, children, ms, sh};

fn stdout(result: &Result<Outcome, Failed<OutputError>>) -> String {
    let outcome = result.as_ref().expect("an outcome");
    String::from_utf8_lossy(&outcome.stdout).into_owned()
}

#[test]
fn results_are_in_order_and_come_as_they_come() {
    behaviour("results_are_in_order_and_come_as_they_come", |driver| {
        // The third program ends first; then the second, and then the first.
        let waits = |number: &str| sh("read line; echo $0").arg(number);
        let (first, hold_first) = io::pipe().unwrap();
        let (third, hold_third) = io::pipe().unwrap();
        let programs = [
            Run::from(waits("1")).stdin(Stdin::fd(Fd::inherit(first))),
            Run::from(sh("echo 2")),
            Run::from(waits("3")).stdin(Stdin::fd(Fd::inherit(third))),
        ];
        let mut holds = vec![hold_first, hold_third];
        let order = Rc::new(RefCell::new(Vec::new()));
        let came = Rc::clone(&order);
        let all = run_all(programs, 3).on_result(move |index, _| {
            came.borrow_mut().push(index);
            drop(holds.pop());
        });
        let results = driver.get(all.all()).unwrap();
        let outputs: Vec<String> = results.iter().map(stdout).collect();
        assert_eq!(outputs, ["1\n", "2\n", "3\n"]);
        assert_eq!(*order.borrow(), [1, 2, 0]);
    });
}

#[test]
fn no_more_run_than_allowed_and_the_numbers_add_up() {
    behaviour("no_more_run_than_allowed_and_the_numbers_add_up", |driver| {
        let seen: Rc<RefCell<Vec<Progress>>> = Rc::default();
        let log = Rc::clone(&seen);
        let programs = (0..20).map(|n| {
            let name = if n % 5 == 4 { "/no/such" } else { "true" };
            Command::new(name)
        });
        let all = run_all(programs, 3).on_progress(move |now| {
            assert!(children().len() <= 3);
            log.borrow_mut().push(now);
        });
        let results = driver.get(all.all()).unwrap();
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 4);
        let seen = seen.borrow();
        assert_eq!(seen.len(), 40, "one for each start and each end");
        for now in seen.iter() {
            assert_eq!(now.done + now.running + now.failed + now.waiting, 20, "{now:?}");
            assert!(now.total == 20 && now.running <= 3, "{now:?}");
        }
        let last = seen.last().unwrap();
        assert_eq!((last.done, last.failed, last.running, last.waiting), (16, 4, 0, 0));
    });
}

#[test]
fn the_first_error_in_time_ends_the_rest() {
    behaviour("the_first_error_in_time_ends_the_rest", |driver| {
        let programs = ["sleep 100", "sleep 0.1; exit 7", "sleep 100", "echo never"];
        let runs = programs.map(|script| Run::from(sh(script)).check());
        let started = Rc::new(Cell::new(0));
        let count = Rc::clone(&started);
        let all = run_all(runs, 3).on_progress(move |now| count.set(now.total - now.waiting));
        let error = driver.get(all.all_or_first_error()).unwrap_err().error().unwrap();
        assert_eq!((error.index, started.get()), (1, 3));
        assert!(error.to_string().contains("exited with status 7"), "{error}");
        driver.until_no_children(ms(500));
    });
}

#[test]
fn without_an_error_there_are_all_outcomes() {
    behaviour("without_an_error_there_are_all_outcomes", |driver| {
        let commands = (0..4).map(|n| Command::new("echo").arg(n.to_string()));
        let outcomes: Vec<Outcome> = driver.get(run_all(commands, 0).all_or_first_error()).unwrap();
        assert_eq!(outcomes.len(), 4);
        assert_eq!(outcomes[3].stdout, "3\n");
        let none: [Command; 0] = [];
        assert!(driver.get(run_all(none, 4).all()).unwrap().is_empty());
    });
}

#[test]
fn dropping_the_result_ends_those_that_run_and_starts_no_more() {
    behaviour("dropping_the_result_ends_those_that_run_and_starts_no_more", |driver| {
        let calls = Rc::new(Cell::new(0));
        let count = Rc::clone(&calls);
        let commands = (0..10).map(|_| Command::new("sleep").arg("100"));
        let all = run_all(commands, 2).on_progress(move |_| count.set(count.get() + 1)).all();
        driver.run_for(ms(50));
        assert_eq!((children().len(), calls.get()), (2, 2));
        drop(all);
        driver.until_no_children(ms(500));
        driver.run_for(ms(50));
        assert_eq!(calls.get(), 2, "nothing is called late");
    });
}

#[test]
fn a_callback_may_drop_the_result() {
    behaviour("a_callback_may_drop_the_result", |driver| {
        let own = Rc::new(RefCell::new(None));
        let (mine, calls) = (Rc::clone(&own), Rc::new(Cell::new(0)));
        let count = Rc::clone(&calls);
        let programs = ["true", "true", "true", "true"];
        let all = run_all(programs, 1).on_result(move |_, _| {
            count.set(count.get() + 1);
            let all = mine.borrow_mut().take();
            drop(all);
        });
        *own.borrow_mut() = Some(all.all());
        driver.run_for(ms(300));
        assert_eq!(calls.get(), 1);
    });
}

#[test]
fn programs_that_cannot_be_started_need_no_stack() {
    behaviour("programs_that_cannot_be_started_need_no_stack", |driver| {
        let commands = (0..2000).map(|_| Command::new(""));
        let results = driver.get(run_all(commands, 2).all()).unwrap();
        assert_eq!(results.len(), 2000);
        assert!(results.iter().all(|result| matches!(result, Err(Failed::Error(_)))));
    });
}
