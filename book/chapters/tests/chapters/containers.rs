//! PID 1, and jobs of a CI runner.

// ANCHOR: pid1
use std::error::Error;

use procession::prelude::*;

fn main() -> Result<Stopped, Box<dyn Error>> {
    run_main(async {
        Handle::current().reap_orphans()?;
        // If this program is PID 1, it adopts the process that the shell leaves in the background.
        Run::new("sh").args(["-c", "sleep 0.1 &"]).check().await?;
        Ok(())
    })
}
// ANCHOR_END: pid1

mod job {
    // ANCHOR: job
    use std::time::Duration;

    use procession::prelude::*;
    use procession::{Failed, Keep, OutputError, Scope};

    /// A step of a CI job: a time limit, bounded output, the log as it comes, and nothing left behind.
    async fn step(
        script: &str,
        job: &Scope,
        limit: Duration,
        log: impl Fn(&[u8]) + 'static,
    ) -> Result<Outcome, Failed<OutputError>> {
        Run::new("sh")
            .args(["-c", script])
            .merge_stderr()
            .keep(Keep::tail(64 << 10)) // for the report of a failure
            .for_each_line(move |line| log(&line))
            .scope(job)
            .timeout(limit)
            .kill_grace(Duration::from_secs(5))
            .check()
            .await
    }
    // ANCHOR_END: job

    #[test]
    fn a_step_reports_its_lines_and_its_failure() {
        use std::cell::RefCell;
        use std::rc::Rc;

        let mut reactor = Reactor::new().unwrap();
        let scope = Scope::new("book-ci").unwrap();
        let lines = Rc::new(RefCell::new(Vec::new()));
        let log = Rc::clone(&lines);
        let step =
            step("echo one; echo two >&2; exit 3", &scope, Duration::from_secs(60), move |line| {
                log.borrow_mut().push(String::from_utf8_lossy(line).into_owned())
            });
        let error = reactor.block_on(step).unwrap_err();
        assert!(error.to_string().contains("exited with status 3"), "{error}");
        assert_eq!(*lines.borrow(), ["one", "two"]);
    }
}

#[test]
fn the_program_ends_when_its_work_is_done() {
    procession_test_support::isolated("containers::the_program_ends_when_its_work_is_done", || {
        assert_eq!(main().unwrap(), Stopped::Finished);
    });
}
