//! What tells a run to stop from outside: SIGINT, SIGTERM and SIGHUP; and SIGTSTP, which halts the
//! program for a while.
//!
//! - INT and TERM stop the run once: the next of them acts as it would without it. An INT that is
//!   ignored, as in a background job of a script, is meant for somebody else and stays ignored. That
//!   holds also while the loop does not turn: one that comes 300 ms or more after the first acts in
//!   the signal handler, so that Ctrl-C ends a program whose callback never returns.
//! - HUP stops it where it would end the program: not where it is ignored (`nohup`), where somebody
//!   else handles it, or while the program watches it. It does not act by default while the run is
//!   stopping: when a terminal is closed, a shell and the kernel send one each, within a
//!   millisecond.
//!
//! They are the program's, and so its main thread's, unless a reactor of another thread asks for
//! them.
//!
//! - TSTP, where it would stop the program: what the program owns in other process groups, which the
//!   terminal does not reach, stops first, then the program, by the default action; the clocks stand
//!   still until it is continued. For the main thread's reactor alone: twice would be once too often.

use std::io;
use std::sync::Arc;

use procession_core::Signal;

use crate::clock::Still;
use crate::core::Running;
use crate::handle::Handle;
use crate::signals::{Precedence, SignalWatch, own_watches, unwatched_action};
use crate::stopped::Stopped;
use crate::sys::main_thread::{is_first_process, is_main_thread};
use crate::sys::signals::{self, Disposition, FirstSignal, Insistence};

/// Those that tell a run to stop once, and act by default then.
const ONCE: [Signal; 2] = [Signal::INT, Signal::TERM];

/// Where a reactor is told by signals to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClaimSignals {
    OnMainThread,
    Always,
    Never,
}

impl ClaimSignals {
    fn is_here(self) -> bool {
        match self {
            Self::OnMainThread => is_main_thread(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Has signals stop the run that begins.
pub(crate) fn claim(handle: &Handle, claims: ClaimSignals) -> io::Result<()> {
    if !claims.is_here() {
        return Ok(());
    }
    let first = Arc::default();
    // One that has come already is the first: the second is to act by default.
    if !is_stopped_by_signal(handle) {
        if unwatched_action(Signal::INT)? != Disposition::Ignore {
            claim_one(handle, Signal::INT, Precedence::Beside, Some(&first))?;
        }
        claim_one(handle, Signal::TERM, Precedence::Beside, Some(&first))?;
    }
    if unwatched_action(Signal::HUP)? == Disposition::Default {
        claim_one(handle, Signal::HUP, Precedence::YieldsToProgram, Some(&first))?;
    }
    let may_halt = is_main_thread() && !is_first_process(); // which nothing stops
    if may_halt && unwatched_action(Signal::TSTP)? == Disposition::Default {
        claim_one(handle, Signal::TSTP, Precedence::YieldsToProgram, None)?;
    }
    Ok(())
}

/// A claim of a signal, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    watch: SignalWatch,
    _insistence: Option<Insistence>,
}

fn claim_one(
    handle: &Handle,
    signal: Signal,
    precedence: Precedence,
    first: Option<&Arc<FirstSignal>>,
) -> io::Result<()> {
    let acts = ONCE.contains(&signal) && unwatched_action(signal)? == Disposition::Default;
    let watch = handle.watch_signal(signal, precedence, move |handle| match signal {
        Signal::TSTP => halt(handle),
        signal => stop(handle, signal),
    })?;
    let own = own_watches(signal.as_raw()).unwrap_or_default();
    let insist = |first| Insistence::begin(signal.as_raw(), Arc::clone(first), acts, own);
    let claim = Claim { watch, _insistence: first.map(insist).transpose()? };
    handle.core.claims.with(|claims| claims.push(claim));
    Ok(())
}

/// Stops the program as SIGTSTP does by default, with what it owns, until it is continued.
fn halt(handle: &Handle) {
    let still = Still::begin();
    signals::around_pause(|| {
        // One that has come meanwhile is done with this one, as in the kernel.
        handle.forget_signal(Signal::TSTP);
        signals::stop_by(Signal::TSTP.as_raw());
    });
    drop(still);
}

fn stop(handle: &Handle, signal: Signal) {
    if is_stopped_by_signal(handle) {
        return; // a hang-up after another signal, or another hang-up
    }
    handle.begin_stop(Stopped::Signal(signal));
    signals::run_was_stopped();
    // The next one acts as it would without us.
    let ended: Vec<_> = handle.core.claims.with(|claims| {
        claims.extract_if(.., |claim| ONCE.contains(&claim.watch.signal())).collect()
    });
    drop(ended);
}

fn is_stopped_by_signal(handle: &Handle) -> bool {
    let core = &handle.core;
    core.running.get() == Running::Stopping && matches!(core.stopped.get(), Stopped::Signal(_))
}

/// Ends what is left of the claims: a signal that no turn has told, because it came in the last of
/// the shutdown triggers or before a panic, is why the run ends.
pub(crate) fn end(handle: &Handle) {
    let claims = handle.core.claims.take();
    for claim in claims {
        let signal = claim.watch.signal();
        if !claim.watch.end() {
            continue;
        }
        if signal == Signal::TSTP {
            halt(handle);
            continue;
        }
        if !is_stopped_by_signal(handle) {
            handle.core.running.set(Running::Stopping);
            handle.core.stopped.set(Stopped::Signal(signal));
        }
        // Those that watch it too are told in the next turn; the next run claims it anew, and
        // is not to be stopped by this one.
        handle.queue_signals();
    }
}
