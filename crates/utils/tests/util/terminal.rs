//! A terminal for one test: the test binary runs itself again as the leader of a session whose
//! controlling terminal is a new one.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use procession_core::Promise;
use procession_process_transport::{Command, Pty, SpawnProcess};
use procession_protocol::{ExitReason, Process, ProcessProtocol};
use procession_reactor::Reactor;
use procession_test_support::{VARIABLE, WATCHDOG, announce, bound, is_isolated};

use super::drive::{Driver, behaviour};

/// Runs `body` on a terminal, into which somebody has typed; then checks what [`behaviour`] does.
pub(crate) fn on_terminal(name: &str, typed: &'static str, body: impl FnOnce(&mut Driver)) {
    if is_isolated(name) {
        return behaviour(name, body);
    }
    announce();
    let this = std::env::current_exe().expect("the path of this test binary");
    let arguments = [name, "--exact", "--nocapture", "--test-threads=1"];
    let command = Command::new(this).args(arguments).env(VARIABLE, name).pty(Pty::new());
    let mut reactor = Reactor::new().expect("a reactor");
    let output = Rc::<RefCell<BytesMut>>::default();
    let (promise, end) = procession_core::Deferred::new();
    let typist = Typist { typed, output: output.clone(), end: promise };
    reactor.spawn_process(typist, command).expect("this test binary runs again");
    // What it waits for itself has a bound as well.
    let end = reactor.block_on(end.timeout(bound(WATCHDOG) * 3));
    let output = String::from_utf8_lossy(&output.borrow()).into_owned();
    let end = end.unwrap_or_else(|error| panic!("{name}: {error:?}\n{output}"));
    assert!(end.is_ok(), "{name}, on its terminal: {end:?}\n{output}");
    assert!(output.contains("1 passed"), "`{name}` is not the name of this test:\n{output}");
}

/// Types, and keeps what is shown.
struct Typist {
    typed: &'static str,
    output: Rc<RefCell<BytesMut>>,
    end: Promise<ExitReason, std::convert::Infallible>,
}

impl ProcessProtocol for Typist {
    fn connection_made(&mut self, process: &Process) {
        process.write(self.typed);
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.output.borrow_mut().extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.end.complete(Ok(reason));
    }
}
