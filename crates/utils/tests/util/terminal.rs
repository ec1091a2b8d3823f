//! Runs one test on a terminal: the test binary runs itself again as the leader of a session with a
//! new controlling terminal.

use std::cell::RefCell;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use procession_core::Promise;
use procession_process_transport::{Command, Pty, SpawnProcess};
use procession_protocol::{ExitReason, Process, ProcessProtocol};
use procession_reactor::Reactor;
use procession_test_support::{VARIABLE, WATCHDOG, announce, bound, is_isolated};

use super::drive::{Driver, behaviour};

/// Runs `body` like [`behaviour`], on a terminal whose input is `typed`.
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
    let user = TerminalUser { typed, output: output.clone(), end: promise };
    reactor.spawn_process(user, command).expect("this test binary runs again");
    // The waits inside the test have this bound themselves, so this one is longer.
    let end = reactor.block_on(end.timeout(bound(WATCHDOG) * 3));
    let output = String::from_utf8_lossy(&output.borrow()).into_owned();
    let end = end.unwrap_or_else(|error| panic!("{name}: {error:?}\n{output}"));
    assert!(end.is_ok(), "{name}, on its terminal: {end:?}\n{output}");
    assert!(output.contains("1 passed"), "`{name}` is not the name of this test:\n{output}");
}

/// A protocol that types the input and collects the output of the terminal.
struct TerminalUser {
    typed: &'static str,
    output: Rc<RefCell<BytesMut>>,
    end: Promise<ExitReason, procession_core::NoError>,
}

impl ProcessProtocol for TerminalUser {
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
