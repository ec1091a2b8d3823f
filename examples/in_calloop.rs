//! Runs the reactor inside calloop, with children and their protocols beside calloop's sources.
//!
//! The reactor is a descriptor and a deadline. [`Guest`] makes a calloop source of these two, and
//! runs one turn of the reactor, without waiting, when either is ready. The rest of the file is a
//! program. It runs a child, counts how often an idle reactor wakes the host, and measures how long
//! a byte takes from a calloop timer to a reactor callback.
//!
//! calloop decides when the program ends, so the reactor has no `run_main`. At the end of the
//! program the source shuts the reactor down.

use std::cell::RefCell;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use calloop::generic::Generic;
use calloop::timer::{TimeoutAction, Timer};
use calloop::{Dispatcher, EventLoop, EventSource, Mode, Poll, PostAction, Token, TokenFactory};
use procession::get_process_output;
use procession::prelude::*;
use procession_examples::idle::{APART, BYTES, Idle};

/// The reactor as a calloop source. It reports an event after each turn.
struct Guest {
    reactor: Reactor,
    /// A duplicate of the reactor's descriptor.
    readable: Generic<OwnedFd>,
    deadline: Timer,
}

impl Guest {
    fn new(reactor: Reactor) -> io::Result<Self> {
        let fd = reactor.as_fd().try_clone_to_owned()?;
        let readable = Generic::new(fd, calloop::Interest::READ, Mode::Level);
        let deadline = deadline(&reactor);
        Ok(Self { reactor, readable, deadline })
    }
}

/// Returns a timer for work that does not make the reactor's descriptor readable.
fn deadline(reactor: &Reactor) -> Timer {
    // `Duration::MAX` means never.
    let never = || Timer::from_duration(Duration::MAX);
    reactor.next_deadline().map_or_else(never, Timer::from_deadline)
}

impl EventSource for Guest {
    type Event = ();
    type Metadata = ();
    type Ret = ();
    type Error = io::Error;

    fn process_events<F>(
        &mut self,
        _: calloop::Readiness,
        _: Token,
        mut callback: F,
    ) -> io::Result<PostAction>
    where
        F: FnMut((), &mut ()),
    {
        self.reactor.turn(Some(Duration::ZERO))?;
        callback((), &mut ());
        // The deadline changes with each turn.
        Ok(PostAction::Reregister)
    }

    fn register(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.readable.register(poll, tokens)?;
        self.deadline.register(poll, tokens)
    }

    fn reregister(&mut self, poll: &mut Poll, tokens: &mut TokenFactory) -> calloop::Result<()> {
        self.readable.reregister(poll, tokens)?;
        self.deadline.unregister(poll)?;
        self.deadline = deadline(&self.reactor);
        self.deadline.register(poll, tokens)
    }

    fn unregister(&mut self, poll: &mut Poll) -> calloop::Result<()> {
        self.readable.unregister(poll)?;
        self.deadline.unregister(poll)
    }
}

/// The last byte ends the program. Without it the program ends after this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The data of calloop's event loop.
#[derive(Default)]
struct Program {
    turns: u32,
    departures: Vec<Duration>,
}

/// Runs calloop for this time, or until it is stopped.
fn run_for(host: &mut EventLoop<'_, Program>, program: &mut Program, time: Duration) -> Result<()> {
    let signal = host.get_signal();
    let stop = move |_, (): &mut (), _: &mut Program| {
        signal.stop();
        TimeoutAction::Drop
    };
    host.handle().insert_source(Timer::from_duration(time), stop).map_err(|error| error.error)?;
    Ok(host.run(None, program, |_| ())?)
}

fn run() -> Result<()> {
    let reactor = Reactor::new()?;
    let handle = reactor.handle();
    let mut host = EventLoop::<Program>::try_new()?;
    let mut program = Program::default();
    let guest = Dispatcher::new(Guest::new(reactor)?, |(), (), program: &mut Program| {
        program.turns += 1;
    });
    host.handle().register_dispatcher(guest.clone())?;

    let signal = host.get_signal();
    let said = Rc::new(RefCell::new(None));
    let output = Rc::clone(&said);
    get_process_output(Command::new("echo").arg("hello")).done(move |hello| {
        *output.borrow_mut() = Some(hello);
        signal.stop();
    });
    host.run(None, &mut program, |_| ())?;
    let hello = said.take().context("calloop stopped too early")??;
    print!("echo said {}", String::from_utf8_lossy(&hello));

    let all_there = host.get_signal();
    let (idle, mut outside) = Idle::new(&handle, move || all_there.stop())?;

    run_for(&mut host, &mut program, APART)?;
    program.turns = 0;
    run_for(&mut host, &mut program, Duration::from_secs(1))?;
    println!("woke the host {} times in an idle second", program.turns);

    let clock = handle.clone();
    let write = move |_, (): &mut (), program: &mut Program| {
        program.departures.push(clock.now());
        let is_last = outside.write_all(b"x").is_err() || program.departures.len() == BYTES;
        if is_last { TimeoutAction::Drop } else { TimeoutAction::ToDuration(APART) }
    };
    host.handle().insert_source(Timer::immediate(), write).map_err(|error| error.error)?;
    run_for(&mut host, &mut program, PATIENCE)?;
    idle.finish(&program.departures);
    Ok(guest.as_source_mut().reactor.shut_down()?)
}

fn main() -> ExitCode {
    procession_examples::end("in_calloop", run())
}
