//! Programs that launch owned children off the loop all the time.

use std::future::pending;
use std::process::ExitCode;
use std::time::Duration;

use procession_core::{Deferred, Promise, Signal};
use procession_process_transport::{SpawnProcess, end_children_with_program};
use procession_protocol::{ExitReason, Process, ProcessProtocol};
use procession_reactor::{Handle, Reactor};

use crate::{Result, child, dot, exits, sys};

/// How many launches are asked for at a time: more than there are launch threads.
const AT_A_TIME: u32 = 6;

/// Completed when the child has ended.
struct EndingProtocol(Promise<(), ()>);

impl ProcessProtocol for EndingProtocol {
    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.0.complete(Ok(()));
    }
}

/// Starts children until a signal ends the program.
pub(crate) fn storm() -> Result<ExitCode> {
    end_children_with_program();
    let mut reactor = Reactor::new()?;
    for number in 0..AT_A_TIME {
        let handle = reactor.handle();
        // Dropped, it goes on.
        drop(reactor.spawn_local(start_and_end(handle, number)));
    }
    reactor.block_on(pending::<()>());
    Ok(ExitCode::FAILURE)
}

/// Does the same until SIGUSR1 makes another thread exit.
pub(crate) fn end_in_a_storm() -> Result<ExitCode> {
    sys::count_and_chain_at(libc::SIGUSR1);
    std::thread::spawn(|| {
        sys::until_chained();
        exits::exit();
    });
    storm()
}

/// Starts children one after the other, and ends each when it arrives. Every fourth result is
/// dropped at once.
async fn start_and_end(reactor: Handle, first: u32) {
    for number in first.. {
        let (promise, ended) = Deferred::new();
        let polite = child("sleep 600 & sleep 600").kill_grace(Duration::from_millis(20));
        let started = reactor.spawn_process_soon(EndingProtocol(promise), polite);
        if number % 4 == 0 {
            drop(started);
            continue;
        }
        // While the program ends, nothing starts any more.
        let Ok(process) = started.await else { return };
        dot();
        process.signal_group(Signal::KILL).ok();
        ended.await.ok(); // it has ended
    }
}
