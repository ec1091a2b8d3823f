//! [`FakeScript`]: says what fake children do.

use std::time::Duration;
use std::{fmt, io};

use procession_core::{IntoBytes, Signal};
use procession_protocol::ChildFd;

use super::script::{FakeStep, Refusal, Rule};
use super::state::SharedFakes;

/// What [`FakeChildren::when`](crate::FakeChildren::when) says about a child: what it does, in the order of the calls.
///
/// It ends with [`exit`](Self::exit), [`exit_by_signal`](Self::exit_by_signal) or
/// [`fails_to_start`](Self::fails_to_start). Without one of these the child lives until a signal ends it. A
/// signal that ends a process by its default action (`signal(7)`) ends it at any time, unless it
/// [ignores](Self::ignores) that.
pub struct FakeScript {
    fakes: SharedFakes,
    rule: usize,
}

impl FakeScript {
    pub(super) fn new(fakes: SharedFakes, rule: usize) -> Self {
        Self { fakes, rule }
    }

    /// Makes the script count for one child only.
    pub fn once(self) -> Self {
        self.change(|rule| rule.left = Some(1))
    }

    /// The child writes to its standard output.
    pub fn stdout(self, data: impl IntoBytes) -> Self {
        self.writes(ChildFd::STDOUT, data)
    }

    /// The child writes to its standard error.
    pub fn stderr(self, data: impl IntoBytes) -> Self {
        self.writes(ChildFd::STDERR, data)
    }

    /// The child writes to a descriptor. The data are dropped if it has none there to write to.
    pub fn writes(self, fd: impl Into<ChildFd>, data: impl IntoBytes) -> Self {
        self.step(FakeStep::Write(fd.into(), data.into_bytes()))
    }

    /// The child waits on the reactor's clock.
    #[doc(alias = "sleep")]
    pub fn after(self, time: Duration) -> Self {
        self.step(FakeStep::Pause(time))
    }

    /// The child reads its standard input to the end.
    pub fn reads_stdin(self) -> Self {
        self.step(FakeStep::AwaitInputEnd)
    }

    /// The child ignores a signal. It cannot ignore [`Signal::KILL`].
    pub fn ignores(self, signal: Signal) -> Self {
        self.change(|rule| rule.script.ignored.extend((signal != Signal::KILL).then_some(signal)))
    }

    /// The child exits with this status.
    pub fn exit(self, code: i32) {
        drop(self.step(FakeStep::Exit(code)));
    }

    /// A signal ends the child.
    pub fn exit_by_signal(self, signal: Signal) {
        drop(self.step(FakeStep::ExitBySignal(signal)));
    }

    /// The child does not start: its exec fails in this way.
    pub fn fails_to_start(self, kind: io::ErrorKind) {
        drop(self.change(|rule| rule.script.refusal = Some(Refusal::Kind(kind))));
    }

    fn step(self, step: FakeStep) -> Self {
        self.change(|rule| rule.script.steps.push_back(step))
    }

    fn change(self, change: impl FnOnce(&mut Rule)) -> Self {
        self.fakes.with(|state| state.rules.get_mut(self.rule).map(change));
        self
    }
}

impl fmt::Debug for FakeScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeScript").field("rule", &self.rule).finish_non_exhaustive()
    }
}
