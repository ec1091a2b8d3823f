//! What a forked copy of the program drops continues in the original, which gets its result.
#![cfg(feature = "reactor")]
#![cfg(target_os = "linux")]

mod util;

use std::cell::Cell;
use std::path::Path;
use std::rc::Rc;

use procession_core::Deferred;
use procession_reactor::Reactor;
use procession_utils::{Outcome, OutputError, OutputLine, Ready, Run, run_all};

use crate::util::{in_a_copy, isolated_without_leak_check, ms, sh};

/// Returns a run that reports its start, and ends by itself when the file exists.
fn until_there(file: &Path, begun: &Rc<Cell<u32>>) -> Run<impl FnMut(OutputLine) + use<>> {
    let script = "echo begun; until [ -e \"$FILE\" ]; do sleep 0.01; done; echo hi";
    let begun = begun.clone();
    Run::from(sh(script).env("FILE", file)).for_each_line(move |_| begun.set(begun.get() + 1))
}

fn turn_until(reactor: &mut Reactor, begun: &Cell<u32>, count: u32) {
    while begun.get() < count {
        reactor.turn(None).expect("a turn");
    }
}

fn assert_whole(outcome: Result<Outcome, impl std::fmt::Debug>) {
    let outcome = outcome.expect("nobody has signalled it");
    assert!(outcome.is_success(), "{outcome:?}");
    assert_eq!(outcome.stdout, "begun\nhi\n");
}

/// Case FD-34. Dropping the `Deferred` of a helper cancels it.
#[test]
fn a_run_that_a_copy_drops_goes_on() {
    isolated_without_leak_check("a_run_that_a_copy_drops_goes_on", || {
        let dir = tempfile::tempdir().unwrap();
        let grace = [ms(0), ms(10_000)];
        for (index, grace) in grace.into_iter().enumerate() {
            let file = dir.path().join(index.to_string());
            let mut reactor = Some(Reactor::new().unwrap());
            let begun = Rc::default();
            let run = until_there(&file, &begun).kill_grace(grace);
            let mut running: Option<Deferred<Outcome, OutputError>> = Some(run.start());
            turn_until(reactor.as_mut().unwrap(), &begun, 1);
            in_a_copy(|| drop(running.take()));
            in_a_copy(|| drop((running.take(), reactor.take())));
            in_a_copy(|| drop((reactor.take(), running.take())));
            std::fs::write(&file, "").unwrap();
            assert_whole(reactor.unwrap().block_on(running.unwrap()));
        }
    });
}

/// Case FD-34. Dropping a batch cancels all of its runs.
#[test]
fn a_batch_that_a_copy_drops_goes_on() {
    isolated_without_leak_check("a_batch_that_a_copy_drops_goes_on", || {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let mut reactor = Reactor::new().unwrap();
        let begun = Rc::default();
        let runs = (0..2).map(|_| until_there(&file, &begun));
        let mut running = Some(run_all(runs, 2).all());
        turn_until(&mut reactor, &begun, 2);
        in_a_copy(|| drop(running.take()));
        std::fs::write(&file, "").unwrap();
        let outcomes = reactor.block_on(running.unwrap()).unwrap();
        assert_eq!(outcomes.len(), 2);
        outcomes.into_iter().for_each(assert_whole);
    });
}

/// Case FD-34. Dropping a program that is ready, or the start of one, ends its group.
#[test]
fn a_program_that_a_copy_drops_goes_on() {
    isolated_without_leak_check("a_program_that_a_copy_drops_goes_on", || {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        let mut reactor = Reactor::new().unwrap();
        let script =
            "echo begun; until [ -e \"$FILE\" ]; do sleep 0.01; done; echo hi; exec sleep 600";
        let server = || sh(script).env("FILE", &file);
        let limit = ms(60_000);
        let mut ready =
            Some(reactor.block_on(Ready::line("begun").start(server(), limit)).unwrap());
        let mut starting = Some(Ready::line("hi").start(server(), limit));
        in_a_copy(|| drop(ready.take()));
        in_a_copy(|| drop(starting.take()));
        std::fs::write(&file, "").unwrap();
        let started = reactor.block_on(starting.unwrap()).unwrap();
        while !ready.as_ref().unwrap().output().ends_with(b"hi\n") {
            reactor.turn(Some(ms(10))).expect("a turn");
        }
        for program in [ready.unwrap(), started] {
            assert!(program.process().pid().is_some(), "it lives");
        }
    });
}
