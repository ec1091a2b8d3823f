//! The signals that a run claims: SIGINT, SIGTERM and SIGHUP stop the run, and SIGTSTP stops the
//! program until it is continued.
//!
//! - INT and TERM stop the run once. The next one acts as it would without the run. A run does not
//!   claim an INT that is ignored, as in a background job of a script, because such an INT is meant
//!   for another program. The second signal also acts while the loop does not turn: if it arrives
//!   300 ms or more after the first, it acts in the signal handler. So Ctrl-C ends a program whose
//!   callback never returns.
//! - HUP stops the run if it would end the program: not if it is ignored (`nohup`), if other code
//!   handles it, or while the program watches it. A second HUP does not have its default action
//!   while the run is stopping: when a terminal closes, a shell and the kernel send one each,
//!   within a millisecond.
//!
//! These signals belong to the program, and so to the main thread, unless a reactor of another
//! thread asks for them.
//!
//! - TSTP is claimed if it would stop the program. First the process groups that the program owns
//!   stop, because the terminal does not reach them. Then the program stops, by the default action.
//!   The clocks stand still until it is continued. Only the main thread's reactor claims TSTP,
//!   because two claims would stop the program twice.

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

/// The signals that stop a run once. The next one has its default action.
const STOP_ONCE: [Signal; 2] = [Signal::INT, Signal::TERM];

/// Whether signals stop a reactor's run.
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

/// The claims of a run, until it is over.
#[derive(Clone, Default)]
pub(crate) struct SignalClaims(Rc<WithCell<Vec<SignalClaim>>>);

/// A claim of a signal, released on drop.
#[derive(Debug)]
struct SignalClaim {
    watch: SignalWatch,
    _further: Option<FurtherSignal>,
}

impl SignalClaims {
    /// Claims the signals that stop the run that begins.
    pub(crate) fn begin(&self, handle: &Handle, claims: ClaimSignals) -> io::Result<()> {
        if !claims.is_here() {
            return Ok(());
        }
        let first = Arc::default();
        // If a signal already stopped this run, it counts as the first. The second must have its
        // default action.
        if !is_stopped_by_signal(handle) {
            if unwatched_action(Signal::INT)? != Disposition::Ignore {
                self.claim(handle, Signal::INT, Precedence::Beside, Some(&first))?;
            }
            self.claim(handle, Signal::TERM, Precedence::Beside, Some(&first))?;
        }
        if unwatched_action(Signal::HUP)? == Disposition::Default {
            self.claim(handle, Signal::HUP, Precedence::YieldsToProgram, Some(&first))?;
        }
        // Nothing stops the first process of a PID namespace.
        let may_halt = is_main_thread() && !is_first_process();
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
        let acts = STOP_ONCE.contains(&signal) && unwatched_action(signal)? == Disposition::Default;
        let claims = Rc::downgrade(&self.0);
        let watch = SignalWatch::begin(handle, signal, precedence, move |handle| match signal {
            Signal::TSTP => halt(handle),
            signal => stop(handle, signal, &claims),
        })?;
        let own = own_watches(signal.as_raw()).unwrap_or_default();
        let further = |first| FurtherSignal::begin(signal.as_raw(), Arc::clone(first), acts, own);
        let claim = SignalClaim { watch, _further: first.map(further).transpose()? };
        self.0.with(|claims| claims.push(claim));
        Ok(())
    }

    /// Releases the remaining claims. If a claimed signal arrived that no turn has reported (during
    /// the last shutdown triggers, or before a panic), that signal is why the run ends.
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
            // Report the signal to its other watchers in the next turn. It must not stop the next
            // run, which claims the signal anew.
            watches::queue(handle);
        }
    }
}

/// Stops the program and what it owns, as SIGTSTP does by default, until the program is continued.
fn halt(handle: &Handle) {
    let pause = ClockPause::begin();
    signals::around_pause(|| {
        // A SIGTSTP that arrived meanwhile is merged into this one, as in the kernel.
        handle.core.signals.with(|signals| signals.forget(Signal::TSTP));
        signals::stop_by(Signal::TSTP.as_raw());
    });
    drop(pause);
}

fn stop(handle: &Handle, signal: Signal, claims: &Weak<WithCell<Vec<SignalClaim>>>) {
    if is_stopped_by_signal(handle) {
        return; // a SIGHUP after another signal, or a second SIGHUP
    }
    handle.begin_stop(Stopped::Signal(signal));
    signals::run_was_stopped();
    // The next one acts as it would without the claim.
    let ended: Option<Vec<_>> = claims.upgrade().map(|claims| {
        claims.with(|claims| {
            claims.extract_if(.., |claim| STOP_ONCE.contains(&claim.watch.signal())).collect()
        })
    });
    drop(ended);
}

fn is_stopped_by_signal(handle: &Handle) -> bool {
    let state = &handle.core.state;
    state.running.get() == Running::Stopping && matches!(state.stopped.get(), Stopped::Signal(_))
}
