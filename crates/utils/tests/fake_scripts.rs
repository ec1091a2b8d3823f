//! Code that starts programs by the helpers, tested without a process: scripts play the programs, and time
//! is the reactor's fake clock.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::{Failed, Signal};
use procession_process_transport::{
    ChildError, Command, FakeChildren, Pipeline, Pty, SpawnError, SpawnProcess, Step,
};
use procession_protocol::{ExitReasonExt, Process, ProcessProtocol};
use procession_reactor::{Handle, Reactor};
use procession_utils::{Monitor, MonitorChange, OutputError, Policy, Run, run_all};
use util::{WATCHDOG, children, isolated, ms, now, sh};

const HOUR: Duration = Duration::from_secs(3600);

/// Runs `body` with fakes on a reactor, and checks that it started no process and took no hour.
fn faked(name: &str, body: impl FnOnce(&mut Reactor, &FakeChildren)) {
    isolated(name, || {
        let start = now();
        let mut reactor = Reactor::new().expect("a reactor");
        let fakes = FakeChildren::install(&reactor);
        body(&mut reactor, &fakes);
        assert_eq!(children(), []);
        assert!(start.elapsed() < WATCHDOG, "{:?}", start.elapsed());
    });
}

/// The code under test, of a program that knows no fakes.
async fn version() -> Result<String, Box<dyn Error>> {
    let git = Run::new("/usr/bin/git").args(["rev-parse", "HEAD"]).timeout(HOUR).check();
    Ok(git.await?.stdout_utf8()?.trim().to_owned())
}

/// Case FC-01.
#[test]
fn scripts_answer_what_code_starts_by_its_words() {
    faked("scripts_answer_what_code_starts_by_its_words", |reactor, fakes| {
        fakes.when(["git", "rev-parse"]).once().stdout("abc123\n").exit(0);
        fakes.when(["git", "rev-parse", "HEAD"]).stderr("fatal: no").exit(128);
        fakes.when_program("docker").fails_to_start(ErrorKind::NotFound);
        assert_eq!(reactor.block_on(version()).unwrap(), "abc123");
        let error = reactor.block_on(version()).unwrap_err().to_string();
        assert!(error.contains("exited with status 128") && error.contains("fatal: no"), "{error}");
        let docker = reactor.block_on(Run::new("docker").arg("ps")).unwrap_err();
        let Failed::Error(OutputError::Spawn(error)) = docker else { panic!("{docker:?}") };
        assert_eq!((error.step(), error.kind()), (Step::Exec, ErrorKind::NotFound));
        // Nothing else starts.
        for other in [Run::new("git").arg("status"), Run::new("rev-parse"), Run::new("dockerd")] {
            let other = reactor.block_on(other).unwrap_err();
            let Failed::Error(OutputError::Spawn(error)) = other else { panic!("{other:?}") };
            assert_eq!(error.step(), Step::Validate);
            assert!(error.to_string().contains("no script of the fake children is for"), "{error}");
        }
        let programs: Vec<_> =
            fakes.commands().iter().map(|c| c.get_program().to_owned()).collect();
        assert_eq!(programs.len(), 6);
    });
}

/// Case FC-02.
#[test]
fn time_passes_only_on_the_reactors_clock() {
    faked("time_passes_only_on_the_reactors_clock", |reactor, fakes| {
        fakes.when_program("slow").stdout("a").after(HOUR).stdout("b").exit(0);
        let begun = reactor.now();
        let outcome = reactor.block_on(Run::new("slow")).unwrap();
        assert_eq!((outcome.stdout.as_ref(), reactor.now() - begun), (&b"ab"[..], HOUR));

        let late = reactor.block_on(Run::new("slow").timeout(ms(10))).unwrap_err();
        let Failed::Error(OutputError::TimedOut { outcome, .. }) = late else { panic!("{late:?}") };
        assert_eq!(outcome.stdout, "a");
    });
}

/// Case FC-03.
#[test]
fn a_signal_ends_a_fake_unless_it_ignores_it() {
    faked("a_signal_ends_a_fake_unless_it_ignores_it", |reactor, fakes| {
        fakes.when_program("mild");
        fakes.when_program("stubborn").ignores(Signal::TERM).ignores(Signal::KILL);
        let grace = ms(700);
        for (program, lasts) in [("mild", ms(0)), ("stubborn", grace)] {
            let begun = reactor.now();
            let run = Run::new(program).timeout(HOUR).kill_grace(grace);
            let late = reactor.block_on(run).unwrap_err();
            assert!(matches!(late, Failed::Error(OutputError::TimedOut { .. })), "{late:?}");
            let lasted = reactor.now() - begun - HOUR;
            assert!(lasted >= lasts && lasted < lasts + ms(500), "{program}: {lasted:?}");
        }
        let mut child = reactor.spawn_child("stubborn").unwrap();
        let ended = reactor.block_on(async {
            child.process().signal(Signal::TERM).unwrap();
            child.process().signal(Signal::WINCH).unwrap();
            Handle::current().sleep(HOUR).await;
            child.process().signal(Signal::KILL).unwrap();
            child.wait().await
        });
        let Err(ChildError::Terminated { reason, .. }) = ended else { panic!("{ended:?}") };
        assert_eq!(reason.signal(), Some(Signal::KILL));
    });
}

/// Case FC-04.
#[test]
fn a_fake_reads_its_input_to_the_end() {
    faked("a_fake_reads_its_input_to_the_end", |reactor, fakes| {
        fakes.when_program("sort").reads_stdin().stdout("sorted").exit(0);
        let outcome = reactor.block_on(Run::new("sort").stdin("b\na\n")).unwrap();
        assert_eq!(outcome.stdout, "sorted");
        let mut child = reactor.spawn_child("sort").unwrap();
        let output = reactor.block_on(async {
            Handle::current().sleep(HOUR).await;
            assert!(child.process().pid().is_some(), "its input is open");
            child.process().close_stdin();
            child.stdout().collect().await
        });
        assert_eq!(output, b"sorted");
    });
}

/// Case FC-05.
#[test]
fn a_monitor_restarts_fakes_in_fake_time() {
    faked("a_monitor_restarts_fakes_in_fake_time", |reactor, fakes| {
        fakes.when_program("web").once().after(ms(10)).exit(1);
        fakes.when_program("web").once().after(ms(10)).exit_by_signal(Signal::SEGV);
        fakes.when_program("web").stdout("up\n");
        let backoff = Policy::always().backoff(HOUR, HOUR * 4);
        let running = Monitor::new().add("web", "web", backoff).start().unwrap();
        let mut starts = 0;
        let begun = reactor.now();
        reactor.block_on(async {
            let mut events = running.events();
            while starts < 3 {
                let event = events.next().await.unwrap();
                starts += usize::from(matches!(event.change, MonitorChange::Started { .. }));
            }
            running.shutdown().await.unwrap();
        });
        // Two pauses, with their jitter.
        assert!(reactor.now() - begun > HOUR, "{:?}", reactor.now() - begun);
        assert_eq!(fakes.commands().len(), 3);
    });
}

/// Case FC-06.
#[test]
fn pipelines_batches_and_later_launches_are_fakes_too() {
    faked("pipelines_batches_and_later_launches_are_fakes_too", |reactor, fakes| {
        fakes.when_program("one").exit(0);
        fakes.when_program("two").after(ms(5)).exit(3);
        let running = reactor.spawn_pipeline(Pipeline::new().stage("one").stage("two")).unwrap();
        let ends = reactor.block_on(running.ended()).unwrap();
        assert_eq!(
            ends.iter().map(ExitReasonExt::exit_code).collect::<Vec<_>>(),
            [Some(0), Some(3)]
        );

        let runs = ["one", "two", "one"].map(Run::from);
        let results = reactor.block_on(run_all(runs, 2).all_or_first_error()).unwrap();
        assert_eq!(results.len(), 3);

        let started = reactor.spawn_process_soon(Quiet, "two");
        assert!(started.try_take().is_none(), "it starts in a later turn");
        let started = reactor.spawn_process_soon(Quiet, "two");
        let ended = reactor.block_on(async { started.await.unwrap().ended().await });
        assert_eq!(ended.unwrap().exit_code(), Some(3));
    });
}

struct Quiet;

impl ProcessProtocol for Quiet {}

/// Case FC-10.
#[test]
fn stages_of_a_pipeline_are_joined_and_their_protocols_see_no_end_of_that() {
    faked(
        "stages_of_a_pipeline_are_joined_and_their_protocols_see_no_end_of_that",
        |reactor, fakes| {
            fakes.when_program("source").stdout("between").exit(0);
            fakes.when_program("sink").reads_stdin().stdout("out").exit(0);
            let (first, second) =
                (Rc::<RefCell<Vec<u8>>>::default(), Rc::<RefCell<Vec<u8>>>::default());
            let pipeline = Pipeline::new()
                .stage_with(Collects(Rc::clone(&first)), "source")
                .stage_with(Collects(Rc::clone(&second)), "sink");
            let running = reactor.spawn_pipeline(pipeline).unwrap();
            let ends = reactor.block_on(running.ended()).unwrap();
            assert!(ends.iter().all(Result::is_ok));
            assert_eq!((&first.borrow()[..], &second.borrow()[..]), (&b""[..], &b"out"[..]));
        },
    );
}

struct Collects(Rc<RefCell<Vec<u8>>>);

impl ProcessProtocol for Collects {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.0.borrow_mut().extend_from_slice(&data);
    }
}

/// Case FC-11.
#[test]
fn a_fake_has_the_signals_and_the_end_of_input_that_a_child_has() {
    faked("a_fake_has_the_signals_and_the_end_of_input_that_a_child_has", |reactor, fakes| {
        fakes.when_program("cat").reads_stdin().exit(0);
        let process = reactor.spawn_process(Quiet, "cat").unwrap();
        process.signal(Signal::from_raw(0)).unwrap();
        for none in [65, 77, -3] {
            assert!(process.signal(Signal::from_raw(none)).is_err(), "{none}");
        }
        reactor.block_on(reactor.sleep(HOUR));
        assert!(process.pid().is_some(), "none of them ends it");
        let on_terminal = Command::new("cat").pty(Pty::new());
        let process = reactor.spawn_process(Quiet, on_terminal).unwrap();
        process.send_eof().unwrap();
        assert!(reactor.block_on(process.ended()).unwrap().is_ok());
    });
}

/// Case FC-07.
#[test]
fn without_scripts_the_test_takes_each_child_and_a_reactor_drops_those_that_scripts_play() {
    isolated(
        "without_scripts_the_test_takes_each_child_and_a_reactor_drops_those_that_scripts_play",
        || {
            let mut reactor = Reactor::new().unwrap();
            let fakes = FakeChildren::install(&reactor);
            let run = Run::new("manual").start_on(&reactor);
            let (command, mut child) = fakes.take().unwrap();
            assert_eq!(command.get_program(), "manual");
            child.child_writes(1, "by hand");
            child.exit(0);
            assert_eq!(reactor.block_on(run).unwrap().stdout, "by hand");

            fakes.when_program("long");
            let run = Run::new("long").start_on(&reactor);
            reactor.turn(Some(ms(0))).unwrap();
            drop(reactor);
            assert!(matches!(run.try_take(), Some(Err(Failed::Abandoned))));
            // The next reactor of the thread starts real children.
            let mut reactor = Reactor::new().unwrap();
            assert_eq!(reactor.block_on(Run::from(sh("echo real"))).unwrap().stdout, "real\n");
        },
    );
}

/// Case FC-08.
#[test]
fn what_was_recorded_is_played_back() {
    isolated("what_was_recorded_is_played_back", || {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("records");
        let all = || {
            [
                Run::from(sh("printf 'a\\000\\377\"\\\\\\n'; echo e >&2; exit 3")),
                Run::from(sh("kill -9 $$")),
                Run::from(sh("echo $$")),
                Run::from(sh("echo $$")),
            ]
        };
        let mut reactor = Reactor::new().unwrap();
        FakeChildren::record(&reactor, &file).unwrap();
        let play = |reactor: &mut Reactor| {
            let mut found = Vec::new();
            for run in all() {
                let outcome = reactor.block_on(run).unwrap();
                let end = (outcome.exit_code(), outcome.signal());
                found.push((outcome.stdout.clone(), outcome.stderr.clone(), end));
            }
            found
        };
        let recorded = play(&mut reactor);
        assert_eq!(recorded[0].0, &b"a\0\xff\"\\\n"[..]);
        assert_ne!(recorded[2].0, recorded[3].0);
        let fakes = FakeChildren::play(&reactor, &file).unwrap();
        assert_eq!(play(&mut reactor), recorded);
        // Each record is for one child.
        let error: SpawnError = fakes.spawn_child(sh("echo $$")).unwrap_err();
        assert_eq!(error.step(), Step::Validate);

        drop(reactor);
        let mut reactor = Reactor::new().unwrap();
        // Records are in the order of the starts, and a program that is missing has one.
        FakeChildren::record(&reactor, &file).unwrap();
        let later = Run::from(sh("sleep $T; echo $T")).env("T", "0.1").start_on(&reactor);
        let soon = Run::from(sh("sleep $T; echo $T")).env("T", "0").start_on(&reactor);
        assert!(reactor.block_on(Run::new("/no/such")).is_err());
        assert_eq!(reactor.block_on(soon).unwrap().stdout, "0\n");
        assert_eq!(reactor.block_on(later).unwrap().stdout, "0.1\n");
        FakeChildren::play(&reactor, &file).unwrap();
        let missing = reactor.block_on(Run::new("/no/such")).unwrap_err().to_string();
        assert_eq!(missing, r#"cannot execute "/no/such": No such file or directory"#);
        for expected in ["0.1\n", "0\n"] {
            let run = Run::from(sh("sleep $T; echo $T"));
            assert_eq!(reactor.block_on(run).unwrap().stdout, expected);
        }
        let used_up = reactor.block_on(Run::new("/no/such")).unwrap_err().to_string();
        assert!(used_up.contains("no script of the fake children is left for"), "{used_up}");

        for bad in ["5 exit 0\n", "run x\n", "run \"x\"\n1 exit\n", "run \"x\"\n1 leaps 3\n", "\n"]
        {
            fs::write(&file, bad).unwrap();
            let error = FakeChildren::play(&reactor, &file).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData, "{bad:?}");
            assert!(error.to_string().contains("is no record"), "{error}");
        }
        let missing = FakeChildren::play(&reactor, directory.path().join("none")).unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound);
        assert!(missing.to_string().contains("/none: No such file"), "{missing}");
    });
}
