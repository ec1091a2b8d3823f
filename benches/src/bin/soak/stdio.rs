//! The acts of a program whose own standard descriptors are on a loop. It is this program, started
//! again with pipes, a socketpair or a terminal for them. It sends back everything, or some bytes.

use std::cell::Cell;
use std::error::Error;
use std::io;
use std::rc::Rc;

use procession::prelude::*;
use procession::{Phase, SystemEvent};

use super::World;
use super::acts::{self, plain};
use super::model::Expected;

/// The exit status of such a program.
const STATUS: i32 = 7;

/// Sends standard input back, on its own loop, to the end or for this many bytes. Its last trigger
/// sets the exit status.
#[cfg_attr(test, expect(dead_code, reason = "a test is no program that could do this"))]
pub(crate) fn echo(most: Option<usize>) -> Result<i32, Box<dyn Error>> {
    struct Back(usize);
    impl Protocol for Back {
        fn data_received(&mut self, transport: &Transport, data: Bytes) {
            let data = data.slice(..data.len().min(self.0));
            self.0 -= data.len();
            transport.write(data);
            if self.0 == 0 {
                transport.lose_connection();
            }
        }
        fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
            Handle::current().stop();
        }
    }
    let mut reactor = Reactor::new()?;
    let status = Rc::new(Cell::new(0));
    let last = status.clone();
    reactor.add_system_event_trigger(Phase::After, SystemEvent::Shutdown, move |_| {
        last.set(STATUS);
    });
    reactor.stdio(Back(most.unwrap_or(usize::MAX)))?;
    reactor.run()?;
    Ok(status.get())
}

/// Starts such a program, and writes to it.
pub(super) fn program(world: &Rc<World>, reactor: &Handle) {
    let Some(command) = world.echo.clone() else { return };
    match world.numbers.below(4) {
        0 => with_socketpair(world, reactor, command),
        1 => with_terminal(world, reactor, command),
        2 => for_some_bytes(world, reactor, command),
        _ => with_pipes(world, reactor, command),
    }
}

fn with_pipes(world: &Rc<World>, reactor: &Handle, command: Command) {
    let data = world.numbers.bytes(150_000);
    let expected = Expected { output: Some(data.clone()), ..plain(Some(STATUS)) };
    if let Some(process) = acts::child(world, reactor, command, expected) {
        process.write(data);
        process.close_stdin();
        world.count("echoes by pipes");
    }
}

/// Starts a program that ends before its input does, after it has sent all its bytes.
fn for_some_bytes(world: &Rc<World>, reactor: &Handle, command: Command) {
    let most = world.numbers.index(100_000) + 1;
    let data = vec![7; most + world.numbers.index(100_000)];
    let expected = Expected { output: Some(data[..most].to_vec()), ..plain(Some(STATUS)) };
    if let Some(process) = acts::child(world, reactor, command.arg(most.to_string()), expected) {
        process.write(data);
        world.count("echoes that end early");
    }
}

/// Uses one socket as both its input and its output.
fn with_socketpair(world: &Rc<World>, reactor: &Handle, command: Command) {
    let data = world.numbers.bytes(150_000);
    let command = command.child_fd(0, Fd::socketpair()).child_fd(1, Fd::same_as(0));
    let expected = Expected {
        pipes: vec![0, 2],
        readable: vec![0, 2],
        code: Some(STATUS),
        output: Some(data.clone()),
        ..Expected::default()
    };
    if let Some(process) = acts::child(world, reactor, command, expected) {
        process.write(data);
        process.shutdown_write(0);
        world.count("echoes by socketpairs");
    }
}

/// Uses a terminal in raw mode, which has no end of input: the program ends after some bytes.
fn with_terminal(world: &Rc<World>, reactor: &Handle, command: Command) {
    let data = vec![b'x'; world.numbers.index(20_000) + 1];
    let expected = Expected {
        pipes: vec![1],
        readable: vec![1],
        code: Some(STATUS),
        output: Some(data.clone()),
        ..Expected::default()
    };
    let command = command.arg(data.len().to_string()).pty(Pty::new());
    let Some(process) = acts::child(world, reactor, command, expected) else { return };
    // Write nothing before this.
    let raw = process.termios().and_then(|mut settings| {
        settings.set_raw();
        process.set_termios(&settings)
    });
    if let Err(error) = raw {
        // A callback may have closed it.
        return world.count(if error.raw_os_error().is_some() {
            "terminals"
        } else {
            "no terminal"
        });
    }
    process.write(data);
    world.count("echoes by terminals");
}
