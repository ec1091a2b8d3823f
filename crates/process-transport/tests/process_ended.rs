//! `Process::ended` and `on_event` with real children: what a wrapper sees, and who hears of the end.
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

/// Passes everything on, and notes the data.
struct Noting<P>(P, Rc<RefCell<Vec<u8>>>);

impl<P: ProcessProtocol> ProcessProtocol for Noting<P> {
    fn on_event(&mut self, process: &Process, event: Event) {
        if let Event::Data(_, data) = &event {
            self.1.borrow_mut().extend_from_slice(data);
        }
        self.0.on_event(process, event);
    }
}

#[test]
fn a_wrapper_sees_the_data_that_take_no_queue_and_the_end_is_awaited() -> Result<(), Box<dyn Error>>
{
    let mut reactor = Reactor::new()?;
    let seen = Rc::default();
    let noting = Noting(Quiet, Rc::clone(&seen));
    let process =
        reactor.spawn_process(noting, Command::new("sh").args(["-c", "echo hello; exit 3"]))?;
    let other = reactor.spawn_process(Quiet, Command::new("cat"))?;
    assert_eq!(process, process.clone());
    assert_ne!(process, other);
    let reason = reactor.block_on(process.ended())?;
    assert_eq!(reason.map_err(|terminated| terminated.exit_code()), Err(Some(3)));
    assert_eq!(*seen.borrow(), b"hello\n");
    assert!(process.ended().try_take().is_some(), "it is known by now");
    other.close_stdin();
    assert!(reactor.block_on(other.ended())?.is_ok());
    Ok(())
}

#[test]
fn whoever_waits_when_the_reactor_goes_hears_of_it() -> Result<(), Box<dyn Error>> {
    let reactor = Reactor::new()?;
    let process = reactor.spawn_process(Quiet, Command::new("cat").kill_on_drop(true))?;
    let ended = process.ended();
    drop(reactor);
    assert_eq!(ended.try_take(), Some(Err(Failed::Abandoned)));
    assert_eq!(process.ended().try_take(), Some(Err(Failed::Abandoned)));
    Ok(())
}
