//! Area SC: owned children of a loop, whose scope ends under them.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Scope};
use util::scopes::{cgroup_or_skip, ends_without_a_trace, folder, until};
use util::{WATCHDOG, behaviour, bound, ms, sh};

/// An owned child that ignores TERM, with a member of its group and one of another session that do too.
fn deaf(scope: &Scope) -> Command {
    let script = "trap '' TERM; setsid sleep 30 & sleep 30 & wait; sleep 30";
    let command =
        sh(script).child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null());
    command.owned(true).scope(scope)
}

/// Case SC-28.
#[test]
fn the_end_of_a_scope_is_the_end_of_its_owned_children() {
    let name = "the_end_of_a_scope_is_the_end_of_its_owned_children";
    behaviour(name, |driver| {
        let Some(scope) = cgroup_or_skip(name) else { return };
        let [terminated, untouched] = [deaf(&scope), deaf(&scope)].map(|deaf| driver.spawn(deaf));
        until("all are there", || scope.members().unwrap().len() == 6);
        // One is being terminated already, with a grace that would never end.
        let results: Rc<RefCell<Vec<_>>> = Rc::default();
        let slot = results.clone();
        let termination = terminated.process.terminate(Signal::TERM, Duration::MAX);
        termination.done(move |result| slot.borrow_mut().push(result));
        driver.until("the signal is sent", WATCHDOG, || true);
        assert_eq!(scope.members().unwrap().len(), 6, "all ignore it");

        let ended = scope.terminate_on(&driver.handle(), Signal::TERM, ms(100));
        let ended = driver.reactor().block_on(ended).unwrap();
        assert!(ended.is_gone() && ended.escalated(), "{ended}");
        assert!(ended.after() < bound(ms(2000)), "{ended}");
        for child in [&terminated, &untouched] {
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.signal(), Signal::KILL.as_raw());
        }
        let ended = results.borrow_mut().pop().expect("the termination ends with them").unwrap();
        assert!(ended.is_gone() && !ended.escalated(), "{ended}");
        assert_eq!(results.borrow().len(), 0, "once");
        assert_eq!(ended.signal(), Some(Signal::KILL));

        // Their folders are gone with them, and the scope can be used again.
        let folders = || {
            let entries = fs::read_dir(folder(&scope)).unwrap().filter_map(Result::ok);
            entries.filter(|entry| entry.path().is_dir()).count()
        };
        drop((terminated, untouched));
        assert_eq!(folders(), 0);
        let again = driver.spawn(deaf(&scope));
        assert_eq!(folders(), 1);
        scope.kill().unwrap();
        driver.drive_to_end(&again.record);
        assert_eq!(again.record.signal(), Signal::KILL.as_raw());
        drop(again);
        ends_without_a_trace(scope);
    });
}
