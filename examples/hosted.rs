//! Runs the reactor inside tokio: a tokio program with children and their protocols.
//!
//! The reactor is a descriptor and a deadline. [`host`] uses tokio to wait for either, and then
//! runs one turn of the reactor, without waiting. The rest of the file is a program. It awaits a
//! child in a tokio task, counts how often an idle reactor wakes the host, and measures how long a
//! byte takes from a tokio task to a reactor callback.
//!
//! tokio decides when the program ends, so the reactor has no `run_main`. At the end of the program
//! the host shuts the reactor down.

use std::cell::Cell;
use std::io::{self, Write};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Result;
use procession::get_process_output;
use procession::prelude::*;
use procession_examples::idle::{APART, BYTES, Idle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::unix::AsyncFd;
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::{sleep, timeout_at};

/// Runs a turn of the reactor whenever it has something to do, until the program is over, and then
/// shuts it down. Counts the turns.
async fn host(reactor: Reactor, turns: Rc<Cell<u32>>, over: Rc<Cell<bool>>) -> io::Result<()> {
    #[expect(deprecated, reason = "its successor is unsafe; a Reactor keeps its one descriptor")]
    let mut guest = AsyncFd::with_interest(reactor, tokio::io::Interest::READABLE)?;
    while !over.get() {
        guest.get_mut().turn(Some(Duration::ZERO))?;
        turns.set(turns.get() + 1);
        if is_readable(guest.get_ref())? {
            // tokio reports only changes, and the descriptor has not changed.
            yield_now().await;
        } else {
            wait(&guest).await?;
        }
    }
    guest.get_mut().shut_down()
}

/// Waits until the reactor's descriptor is readable, or its deadline has come.
async fn wait(guest: &AsyncFd<Reactor>) -> io::Result<()> {
    let readable = guest.readable();
    let ready = match guest.get_ref().next_deadline() {
        Some(deadline) => timeout_at(deadline.into(), readable).await.ok().transpose()?,
        None => Some(readable.await?),
    };
    if let Some(mut ready) = ready {
        ready.clear_ready();
    }
    Ok(())
}

fn is_readable(reactor: &Reactor) -> io::Result<bool> {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    Ok(poll(&mut [PollFd::new(reactor, PollFlags::IN)], Some(&now))? > 0)
}

/// Tasks of tokio and callbacks of the reactor run on one thread, so they can share values.
async fn program(handle: Handle, turns: Rc<Cell<u32>>) -> Result<()> {
    let hello = get_process_output(Command::new("echo").arg("hello")).await?;
    print!("echo said {}", String::from_utf8_lossy(&hello));

    let (idle, mut outside) = Idle::new(&handle, || ())?;
    sleep(APART).await;
    turns.set(0);
    sleep(Duration::from_secs(1)).await;
    println!("woke the host {} times in an idle second", turns.get());

    let mut departures = Vec::new();
    for _ in 0..BYTES {
        departures.push(handle.now());
        outside.write_all(b"x")?;
        sleep(APART).await;
    }
    idle.finish(&departures);
    Ok(())
}

fn run() -> Result<()> {
    let reactor = Reactor::new()?;
    let (handle, turns, over) = (reactor.handle(), Rc::default(), Rc::default());
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&tokio, async {
        let host = spawn_local(host(reactor, Rc::clone(&turns), Rc::clone(&over)));
        let outcome = program(handle.clone(), turns).await;
        over.set(true);
        handle.call_soon(|_| ()); // this wakes the host, which checks `over`
        host.await??;
        outcome
    })
}

fn main() -> ExitCode {
    procession_examples::end("hosted", run())
}
