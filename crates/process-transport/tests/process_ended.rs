//! `Process::ended` and `on_event` with real children: a wrapper sees every event, and callers can wait for
//! the end.
#![cfg(feature = "reactor")]

use std::cell::RefCell;
use std::error::Error;
use std::rc::Rc;

use procession_core::Failed;
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::{Event, Process, ProcessProtocol};
use procession_reactor::Reactor;

struct Quiet;

impl ProcessProtocol for Quiet {}

/// Records the data, and passes every event on.
struct Recording<P>(P, Rc<RefCell<Vec<u8>>>);

impl<P: ProcessProtocol> ProcessProtocol for Recording<P> {
    fn on_event(&mut self, process: &Process, event: Event) {
        if let Event::Data(_, data) = &event {
            self.1.borrow_mut().extend_from_slice(data);
        }
        self.0.on_event(process, event);
    }
}

#[test]
fn a_wrapper_sees_data_that_skip_the_queue_and_the_end_can_be_awaited() -> Result<(), Box<dyn Error>>
{
    let mut reactor = Reactor::new()?;
    let seen = Rc::default();
    let recording = Recording(Quiet, Rc::clone(&seen));
    let process =
        reactor.spawn_process(recording, Command::new("sh").args(["-c", "echo hello; exit 3"]))?;
    let other = reactor.spawn_process(Quiet, Command::new("cat"))?;
    assert_eq!(process, process.clone());
    assert_ne!(process, other);
    let reason = reactor.block_on(process.ended())?;
    assert_eq!(reason.map_err(|terminated| terminated.exit_code()), Err(Some(3)));
    assert_eq!(*seen.borrow(), b"hello\n");
    assert!(process.ended().try_take().is_some(), "the reason is known by now");
    other.close_stdin();
    assert!(reactor.block_on(other.ended())?.is_ok());
    Ok(())
}

#[test]
fn a_wait_is_abandoned_if_the_reactor_is_dropped() -> Result<(), Box<dyn Error>> {
    let reactor = Reactor::new()?;
    let process = reactor.spawn_process(Quiet, Command::new("cat").kill_on_drop(true))?;
    let ended = process.ended();
    drop(reactor);
    assert_eq!(ended.try_take(), Some(Err(Failed::Abandoned)));
    assert_eq!(process.ended().try_take(), Some(Err(Failed::Abandoned)));
    Ok(())
}
