//! The ways in which the program ends by itself, after SIGUSR1 has asked it to.

use std::mem;
use std::process::{self, ExitCode};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, SpawnProcess, end_children_with_program};
use procession_reactor::Reactor;

use crate::{POLITE, Result, SilentProtocol, child, dot, say, sys};

/// The exit status, if the program chooses it.
const STATUS: u8 = 3;

pub(crate) const MODES: [&str; 13] = [
    "return",
    "exit",
    "exit_politely",
    "exit_trapper",
    "exit_heavy",
    "exit_in_callback",
    "exit_in_thread",
    "exit_without_loop",
    "exit_without_asking",
    "exit_and_let_live",
    "exit_in_copy",
    "exit_at_once",
    "abort",
];

pub(crate) fn exit() -> ! {
    process::exit(STATUS.into())
}

/// Ends in the way that `how` names. It drops no value, so that only the exit can end the child.
pub(crate) fn end(how: &str, deaf: Command) -> Result<ExitCode> {
    sys::count_and_chain_at(libc::SIGUSR1);
    if how.starts_with("exit_without") {
        if how == "exit_without_loop" {
            end_children_with_program();
        }
        mem::forget(deaf.spawn()?);
        say("ready");
        sys::until_chained();
        exit();
    }
    let mut reactor = Reactor::new()?;
    let command = match how {
        "exit_politely" => child(POLITE),
        "exit_and_let_live" => deaf.kill_on_drop(false),
        _ => deaf,
    };
    reactor.spawn_process(SilentProtocol, command)?;
    if how == "exit_in_callback" {
        reactor.call_soon(|_| {
            say("ready");
            sys::until_chained();
            exit();
        });
        reactor.run()?;
    }
    say("ready");
    sys::until_chained();
    match how {
        "return" => mem::forget(reactor),
        "exit_at_once" => sys::exit_at_once(STATUS),
        "abort" => process::abort(),
        "exit_in_thread" => {
            std::thread::spawn(|| exit());
            reactor.run()?;
        }
        "exit_in_copy" => {
            say(&format!("copy={}", sys::fork_and_exit()));
            stand_still();
        }
        _ => exit(),
    }
    Ok(ExitCode::from(STATUS))
}

/// Exits in a thread while this thread and another one start and reap children.
pub(crate) fn end_in_a_storm() -> ! {
    sys::count_and_chain_at(libc::SIGUSR1);
    end_children_with_program();
    std::thread::spawn(|| {
        sys::until_chained();
        exit();
    });
    std::thread::spawn(|| {
        loop {
            let Ok(mut polite) = child("sleep 600 & sleep 600").spawn() else { stand_still() };
            dot();
            polite.signal_group(Signal::KILL).ok(); // the act may have been quicker
            drop(polite.wait().expect("our child"));
        }
    });
    let mut reactor = Reactor::new().expect("a reactor");
    loop {
        let deaf = child("trap '' TERM; sleep 600 & wait").kill_grace(Duration::ZERO);
        let Ok(mut running) = reactor.spawn_child(deaf) else { stand_still() };
        dot();
        running.process().signal_group(Signal::KILL).ok();
        reactor.block_on(running.ended()).ok();
    }
}

/// Waits for ever, because no child can be started any more, or nothing is left to do.
fn stand_still() -> ! {
    loop {
        sys::pause();
    }
}
