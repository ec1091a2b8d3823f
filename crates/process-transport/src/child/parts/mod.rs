//! The parts of a child. Each is a type with its own invariant, and knows neither the state that
//! holds it nor the transport that drives it.

mod closing;
mod draining;
mod end;
mod ends;
mod exit_watch;
mod leftovers;
mod passed;
mod running;
pub(super) mod sigchld;
mod termination;

pub(super) use draining::DrainStep;
pub(super) use end::{AfterRead, End, EndReadiness};
pub(super) use ends::Ends;
pub(super) use exit_watch::ExitWatch;
pub(crate) use exit_watch::reactor_gone;
pub(crate) use leftovers::Leftovers;
pub(super) use running::is_alone;
pub(super) use termination::{ChildTermination, SettledCalls, TimerChange};
