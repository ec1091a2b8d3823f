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
use std::rc::{Rc, Weak};
use std::sync::Arc;

use procession_core::Signal;
use procession_core::driver::WithCell;

use crate::clock::ClockPause;
use crate::handle::signals::{self as watches, SignalWatch};
use crate::handle::{Handle, Running};
use crate::stopped::Stopped;
use crate::store::signals::{Precedence, own_watches, unwatched_action};
use crate::sys::main_thread::{is_first_process, is_main_thread};
use crate::sys::signals::{self, Disposition, FirstSignal, FurtherSignal};

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

/// What a run has claimed, until it is over.
#[derive(Clone, Default)]
pub(crate) struct SignalClaims(Rc<WithCell<Vec<SignalClaim>>>);

/// A claim of a signal, until this is dropped.
#[derive(Debug)]
struct SignalClaim {
    watch: SignalWatch,
    _insistence: Option<FurtherSignal>,
}

impl SignalClaims {
    /// Has signals stop the run that begins.
    pub(crate) fn begin(&self, handle: &Handle, claims: ClaimSignals) -> io::Result<()> {
        if !claims.is_here() {
            return Ok(());
        }
        let first = Arc::default();
        // One that has come already is the first: the second is to act by default.
        if !is_stopped_by_signal(handle) {
            if unwatched_action(Signal::INT)? != Disposition::Ignore {
                self.claim(handle, Signal::INT, Precedence::Beside, Some(&first))?;
            }
            self.claim(handle, Signal::TERM, Precedence::Beside, Some(&first))?;
        }
        if unwatched_action(Signal::HUP)? == Disposition::Default {
            self.claim(handle, Signal::HUP, Precedence::YieldsToProgram, Some(&first))?;
        }
        let may_halt = is_main_thread() && !is_first_process(); // which nothing stops
        if may_halt && unwatched_action(Signal::TSTP)? == Disposition::Default {
            self.claim(handle, Signal::TSTP, Precedence::YieldsToProgram, None)?;
        }
        Ok(())
    }

    fn claim(
        &self,
        handle: &Handle,
        signal: Signal,
        precedence: Precedence,
        first: Option<&Arc<FirstSignal>>,
    ) -> io::Result<()> {
        let acts = ONCE.contains(&signal) && unwatched_action(signal)? == Disposition::Default;
        let claims = Rc::downgrade(&self.0);
        let watch = SignalWatch::begin(handle, signal, precedence, move |handle| match signal {
            Signal::TSTP => halt(handle),
            signal => stop(handle, signal, &claims),
        })?;
        let own = own_watches(signal.as_raw()).unwrap_or_default();
        let insist = |first| FurtherSignal::begin(signal.as_raw(), Arc::clone(first), acts, own);
        let claim = SignalClaim { watch, _insistence: first.map(insist).transpose()? };
        self.0.with(|claims| claims.push(claim));
        Ok(())
    }

    /// Ends what is left of the claims: a signal that no turn has told, because it came in the last of
    /// the shutdown triggers or before a panic, is why the run ends.
    pub(crate) fn end(&self, handle: &Handle) {
        for claim in self.0.take() {
            let signal = claim.watch.signal();
            if !claim.watch.end() {
                continue;
            }
            if signal == Signal::TSTP {
                halt(handle);
                continue;
            }
            if !is_stopped_by_signal(handle) {
                handle.core.state.running.set(Running::Stopping);
                handle.core.state.stopped.set(Stopped::Signal(signal));
            }
            // Those that watch it too are told in the next turn; the next run claims it anew, and
            // is not to be stopped by this one.
            watches::queue(handle);
        }
    }
}

/// Stops the program as SIGTSTP does by default, with what it owns, until it is continued.
fn halt(handle: &Handle) {
    let pause = ClockPause::begin();
    signals::around_pause(|| {
        // One that has come meanwhile is done with this one, as in the kernel.
        handle.core.signals.with(|signals| signals.forget(Signal::TSTP));
        signals::stop_by(Signal::TSTP.as_raw());
    });
    drop(pause);
}

fn stop(handle: &Handle, signal: Signal, claims: &Weak<WithCell<Vec<SignalClaim>>>) {
    if is_stopped_by_signal(handle) {
        return; // a hang-up after another signal, or another hang-up
    }
    handle.begin_stop(Stopped::Signal(signal));
    signals::run_was_stopped();
    // The next one acts as it would without us.
    let ended: Option<Vec<_>> = claims.upgrade().map(|claims| {
        claims.with(|claims| {
            claims.extract_if(.., |claim| ONCE.contains(&claim.watch.signal())).collect()
        })
    });
    drop(ended);
}

fn is_stopped_by_signal(handle: &Handle) -> bool {
    let state = &handle.core.state;
    state.running.get() == Running::Stopping && matches!(state.stopped.get(), Stopped::Signal(_))
}
