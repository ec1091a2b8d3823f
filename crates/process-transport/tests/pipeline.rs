//! Pipelines: direct pipes between children, the status of every stage, and no leftovers if a stage
//! does not start.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Deferred, Failed, NoError, Signal};
use procession_process_transport::{Command, Fd, Pipeline, SpawnProcess, Step};
use procession_protocol::ExitReason;

use crate::util::{
    Driver, Event, Record, Recorder, WATCHDOG, behaviour, bound, children, code, command, open_fds,
    sh, signal,
};

/// The result of a pipeline: the reason of every stage.
type PipelineEnd = Deferred<Vec<ExitReason>, NoError>;

/// Drives the loop until every stage has ended.
fn ends(driver: &mut Driver, ended: PipelineEnd) -> Vec<ExitReason> {
    let slot: Rc<RefCell<Option<Vec<ExitReason>>>> = Rc::default();
    let result = Rc::clone(&slot);
    ended.done(move |reasons| *result.borrow_mut() = reasons.ok());
    driver.until("every stage has ended", WATCHDOG, || slot.borrow().is_some());
    slot.take().expect("it is there")
}

/// A recorder for a stage of a pipeline.
fn recorded() -> (Recorder, Record) {
    Recorder::new()
}

#[test]
fn the_bytes_go_from_stage_to_stage_and_every_status_is_returned() {
    behaviour("the_bytes_go_from_stage_to_stage_and_every_status_is_returned", |driver| {
        let (last, record) = recorded();
        let pipeline = Pipeline::new()
            .stage(sh("printf 'b\\na\\nc\\n'; exit 4"))
            .stage(command("/usr/bin/sort"))
            .stage_with(last, sh("cat; kill -TERM $$"));
        let running = driver.handle().spawn_pipeline(pipeline).unwrap();
        assert_eq!(running.processes().len(), 3);
        let reasons = ends(driver, running.ended());
        assert_eq!(record.text(1), "a\nb\nc\n");
        let codes: Vec<_> = reasons.iter().map(code).collect();
        assert_eq!(codes, [Some(4), Some(0), None]);
        assert_eq!(signal(&reasons[2]), Some(15));
    });
}

/// Case AC-10.
#[test]
fn the_output_of_the_last_stage_comes_whole_with_every_end() {
    behaviour("the_output_of_the_last_stage_comes_whole_with_every_end", |driver| {
        let ended = Rc::new(RefCell::new(Vec::new()));
        let mut whole = |pipeline| {
            let result = Rc::clone(&ended);
            let output = driver.handle().pipeline_output(pipeline).unwrap();
            output.done(move |output| result.borrow_mut().extend(output.ok()));
            driver.until("every stage has ended", WATCHDOG, || !ended.borrow().is_empty());
            ended.take().remove(0)
        };
        // A stage that ends after the last one is waited for too.
        let late = "exec 3>&1; sed 's/^/x/'; exec >&- 3>&-; sleep 0.1; exit 4";
        let numbers = Pipeline::new().stage(command("/usr/bin/seq").arg("300000"));
        let (output, ends) = whole(numbers.stage(sh(late)).stage(command("/bin/cat")));
        assert_eq!(output.len(), 1_988_895 + 300_000);
        assert_eq!(ends.iter().map(code).collect::<Vec<_>>(), [Some(0), Some(4), Some(0)]);
        // A protocol of the last stage sees all.
        let (last, record) = recorded();
        let said = Pipeline::new().stage_with(last, sh("echo out; echo err >&2; exit 3"));
        let (output, ends) = whole(said);
        assert_eq!((&*output, code(&ends[0])), (&b"out\n"[..], Some(3)));
        assert_eq!((record.text(1), record.text(2)), ("out\n".into(), "err\n".into()));
        // An output that goes elsewhere is not there.
        let (output, _) = whole(Pipeline::new().stage(sh("echo out").stdout(Fd::null())));
        assert!(output.is_empty());
        let error = driver.handle().pipeline_output(Pipeline::new()).unwrap_err();
        assert_eq!(error.step(), Step::Validate);
    });
}

#[test]
fn the_program_feeds_the_first_stage_and_has_no_descriptor_of_the_others() {
    let name = "the_program_feeds_the_first_stage_and_has_no_descriptor_of_the_others";
    behaviour(name, |driver| {
        let before = open_fds().len();
        let (last, record) = recorded();
        let quiet = |text: &str| sh(text).child_fd(2, Fd::null());
        let pipeline =
            Pipeline::new().stage(quiet("cat")).stage(quiet("cat")).stage_with(last, quiet("cat"));
        let running = driver.handle().spawn_pipeline(pipeline).unwrap();
        // Three pidfds, the input of the first stage, and the output of the last.
        assert_eq!(open_fds().len(), before + 5);
        for process in &running.processes()[1..] {
            assert!(process.write_to_child(0, "x").is_err(), "its input is the stage before it");
        }
        let first = running.first().clone();
        let text = "x".repeat(3_000_000);
        first.write(text.clone());
        first.close_stdin();
        let reasons = ends(driver, running.ended());
        assert!(reasons.iter().all(Result::is_ok), "{reasons:?}");
        assert!(record.text(1) == text);
    });
}

#[test]
fn a_stage_whose_successor_ends_early_gets_sigpipe() {
    behaviour("a_stage_whose_successor_ends_early_gets_sigpipe", |driver| {
        let (last, record) = recorded();
        let pipeline = Pipeline::new()
            .stage(command("/usr/bin/yes"))
            .stage_with(last, command("/usr/bin/head").args(["-n", "1"]));
        let running = driver.handle().spawn_pipeline(pipeline).unwrap();
        assert!(running.last().pid().is_some());
        let reasons = ends(driver, running.ended());
        assert_eq!((signal(&reasons[0]), code(&reasons[1])), (Some(13), Some(0)));
        assert_eq!(record.text(1), "y\n");
    });
}

#[test]
fn a_stage_that_does_not_start_takes_the_others_with_it() {
    behaviour("a_stage_that_does_not_start_takes_the_others_with_it", |driver| {
        let bad: [(Command, Step); 3] = [
            (command("/no/such/program"), Step::Exec),
            (command("/bin/cat").current_dir("/no/such/directory"), Step::Chdir),
            (command(""), Step::Validate),
        ];
        for (bad, step) in bad {
            let before = open_fds();
            let (first, record) = recorded();
            let (third, third_record) = recorded();
            let pipeline = Pipeline::new()
                .stage_with(first, sh("trap '' TERM HUP; sleep 100").process_group(0))
                .stage(command("/bin/cat").without_pidfd())
                .stage_with(third, bad)
                .stage(command("/bin/cat"));
            let error = driver.handle().spawn_pipeline(pipeline).unwrap_err();
            assert_eq!(error.step(), step);
            assert_eq!(children(), [], "they are killed and reaped");
            driver.turn();
            assert_eq!((record.events().len(), third_record.events().len()), (0, 0));
            assert_eq!(open_fds(), before);
        }
        let empty = driver.handle().spawn_pipeline(Pipeline::new()).unwrap_err();
        assert_eq!(empty.step(), Step::Validate);
    });
}

#[test]
fn a_panic_of_one_stage_in_made_does_not_keep_events_from_the_others() {
    let name = "a_panic_of_one_stage_in_made_does_not_keep_events_from_the_others";
    behaviour(name, |driver| {
        let (first, _) = Recorder::with(|_, _| panic!("the panic that the test wants"));
        let (last, record) = recorded();
        let pipeline =
            Pipeline::new().stage_with(first, sh("echo x")).stage_with(last, command("/bin/cat"));
        let handle = driver.handle();
        let spawned = catch_unwind(AssertUnwindSafe(|| handle.spawn_pipeline(pipeline)));
        assert!(spawned.is_err());
        assert_eq!(record.events(), [Event::Made]);
        driver.drive_to_end(&record);
        assert_eq!(record.text(1), "x\n");
        driver.until("both are reaped", WATCHDOG, || children().is_empty());
        driver.turn();
    });
}

#[test]
fn the_end_of_a_pipeline_whose_protocol_panicked_is_abandoned() {
    behaviour("the_end_of_a_pipeline_whose_protocol_panicked_is_abandoned", |driver| {
        let (last, _) = Recorder::with(|_, event| {
            assert!(!matches!(event, Event::Exited(_)), "the panic that the test wants");
        });
        let pipeline = Pipeline::new().stage(sh("echo x")).stage_with(last, command("/bin/cat"));
        let ended = driver.handle().spawn_pipeline(pipeline).unwrap().ended();
        let turns = AssertUnwindSafe(|| driver.until("never", WATCHDOG, || false));
        assert!(catch_unwind(turns).is_err());
        driver.until("both are reaped", WATCHDOG, || children().is_empty());
        driver.turn();
        assert_eq!(ended.try_take(), Some(Err(Failed::Abandoned)));
    });
}

#[test]
fn the_stages_are_signalled_like_any_child() {
    behaviour("the_stages_are_signalled_like_any_child", |driver| {
        let pipeline = Pipeline::new()
            .stage(command("/bin/sleep").arg("100"))
            .stage(command("/bin/sleep").arg("100"));
        let running = driver.handle().spawn_pipeline(pipeline).unwrap();
        for process in running.processes() {
            process.signal(Signal::KILL).unwrap();
        }
        let begun = driver.now();
        let reasons = ends(driver, running.ended());
        assert!(reasons.iter().all(|reason| signal(reason) == Some(9)), "{reasons:?}");
        assert!(driver.now() - begun < bound(Duration::from_secs(5)));
    });
}
