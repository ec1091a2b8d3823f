//! Runs in a scope.

mod util;

use procession_process_transport::{Command, Scope, ScopeMechanism};
use procession_test_support::skip;
use procession_utils::{OutputError, Run};
use util::{both, ms};

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
