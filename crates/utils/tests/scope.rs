//! Runs in a scope.

mod util;

use procession_core::Signal;
use procession_process_transport::{Command, Scope, ScopeMechanism};
use procession_test_support::skip;
use procession_utils::{OutputError, Run};
use util::{WATCHDOG, both, ms, until};

/// Case SC-19. What has left the group of the program by `setsid` is reached too, and another child in
/// the same scope is not.
#[test]
fn a_timeout_ends_the_whole_tree_of_a_run_and_nothing_else() {
    const NAME: &str = "a_timeout_ends_the_whole_tree_of_a_run_and_nothing_else";
    both(NAME, |runner| {
        let scope = Scope::new("timeout").unwrap();
        if scope.mechanism() != ScopeMechanism::Cgroup {
            return skip(NAME, "the program can make no cgroup");
        }
        let sleep = Command::new("sleep").arg("600").scope(&scope).kill_on_drop(true);
        let other = sleep.spawn().unwrap();
        let run = Run::new("sh").args(["-c", "setsid sleep 600 & sleep 600"]).scope(&scope);
        let (result, _) = runner.timed(run.timeout(ms(300)).kill_grace(ms(200)));
        assert!(matches!(result, Err(OutputError::TimedOut { .. })), "{result:?}");
        assert_eq!(scope.members().unwrap(), [other.pid()]);
    });
}

/// Case SC-28. On a loop and blocking.
#[test]
fn a_run_ends_when_its_scope_is_killed() {
    const NAME: &str = "a_run_ends_when_its_scope_is_killed";
    both(NAME, |runner| {
        let scope = Scope::new("killed").unwrap();
        if scope.mechanism() != ScopeMechanism::Cgroup {
            return skip(NAME, "the program can make no cgroup");
        }
        std::thread::scope(|threads| {
            let killer = threads.spawn(|| {
                until("both are there", WATCHDOG, || scope.members().unwrap().len() == 2);
                scope.kill().unwrap();
            });
            let script = "setsid sleep 600 & exec sleep 600";
            let run = Run::new("sh").args(["-c", script]).scope(&scope).timeout(WATCHDOG * 30);
            let outcome = runner.get(run).unwrap();
            assert_eq!(outcome.reason.unwrap_err().signal(), Some(Signal::KILL));
            killer.join().unwrap();
        });
        // The kill does not wait for the member of the other session.
        until("none is left", WATCHDOG, || scope.members().unwrap().is_empty());
    });
}
