//! Processes that a helper's program leaves behind, and that this program adopts.
#![cfg(feature = "reactor")]
#![cfg(target_os = "linux")]

mod util;

use procession_process_transport::ReapOrphans;
use procession_utils::Run;
use rustix::process::{getpid, set_child_subreaper};
use util::{WATCHDOG, behaviour, children, sh};

/// Case OR-02, with helpers.
#[test]
fn adopted_background_processes_are_reaped_on_request() {
    behaviour("adopted_background_processes_are_reaped_on_request", |driver| {
        set_child_subreaper(Some(getpid())).expect("it only takes a number");
        driver.reactor.reap_orphans().unwrap();
        for _ in 0..8 {
            let run = Run::from(sh("sleep 0.1 >/dev/null 2>&1 &"));
            assert!(driver.get(run.start()).unwrap().is_success());
        }
        driver.until_no_children(WATCHDOG);
        assert_eq!(children(), []);
    });
}
