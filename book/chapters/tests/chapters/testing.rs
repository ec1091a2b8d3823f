//! Tests without processes.

use std::error::Error;
use std::time::Duration;

use procession::FakeChildren;
use procession::prelude::*;

// ANCHOR: code
/// The code under test.
async fn version() -> Result<String, Box<dyn Error>> {
    let git = Run::new("git").args(["rev-parse", "HEAD"]).timeout(Duration::from_secs(60));
    Ok(git.check().await?.stdout_utf8()?.trim().to_owned())
}
// ANCHOR_END: code

// ANCHOR: scripts
#[test]
fn a_git_that_hangs_is_given_up_after_a_minute() {
    let mut reactor = Reactor::new().unwrap();
    let fakes = FakeChildren::install(&reactor);
    fakes.when(["git", "rev-parse"]).once().stdout("abc123\n").exit(0);
    fakes.when_program("git"); // the second time it hangs
    assert_eq!(reactor.block_on(version()).unwrap(), "abc123");
    let error = reactor.block_on(version()).unwrap_err();
    assert!(error.to_string().contains("timed out after 60"), "{error}");
}
// ANCHOR_END: scripts

// ANCHOR: refuse
#[test]
fn a_missing_git_is_reported() {
    let mut reactor = Reactor::new().unwrap();
    let fakes = FakeChildren::install(&reactor);
    fakes.when_program("git").fails_to_start(std::io::ErrorKind::NotFound);
    let error = reactor.block_on(version()).unwrap_err();
    assert!(error.to_string().starts_with("cannot execute \"git\""), "{error}");
}
// ANCHOR_END: refuse

// ANCHOR: handles
/// Code that starts children takes an `impl SpawnProcess`: a reactor, a handle, or fakes.
fn start(spawner: &impl SpawnProcess) -> Result<Process, procession::SpawnError> {
    spawner.spawn_process(Upper, Command::new("tr").args(["a-z", "A-Z"]))
}

struct Upper;

impl ProcessProtocol for Upper {
    fn connection_made(&mut self, process: &Process) {
        process.write("hello");
        process.close_stdin();
    }
}

#[test]
fn the_command_and_the_input_are_as_wanted() {
    let fakes = FakeChildren::new();
    start(&fakes).unwrap();
    let (command, child) = fakes.take().unwrap();
    assert_eq!(command.get_program(), "tr");
    assert_eq!(child.written(0), "hello");
    assert!(child.is_closed(0));
}
// ANCHOR_END: handles

// ANCHOR: pressure
#[test]
fn a_protocol_hears_of_a_full_queue() {
    struct Feeder(bool);
    impl ProcessProtocol for Feeder {
        fn connection_made(&mut self, process: &Process) {
            process.write(vec![0; 100_000]);
        }
        fn child_write_buffer_full(&mut self, process: &Process, _: ChildFd) {
            assert!(!self.0, "it is told once");
            self.0 = true;
            process.signal(Signal::USR1).unwrap();
        }
    }
    let mut fake = FakeProcess::new(Feeder(false));
    fake.turn();
    assert_eq!(fake.signals(), [Signal::USR1]);
    fake.exit_by_signal(Signal::KILL);
    assert!(fake.is_ended());
}
// ANCHOR_END: pressure

// ANCHOR: time
#[test]
fn an_hour_passes_at_once() {
    let mut reactor = Reactor::new().unwrap();
    reactor.use_fake_clock();
    let hour = Duration::from_secs(3600);
    let before = reactor.now();
    reactor.block_on(reactor.sleep(hour));
    assert_eq!(reactor.now() - before, hour);
}
// ANCHOR_END: time
