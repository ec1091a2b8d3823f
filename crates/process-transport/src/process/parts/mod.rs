//! What a child is made of. Each part is a type with an invariant of its own, and knows neither the
//! state that holds it nor the transport that drives it.

mod exit_watch;
mod termination;

pub(super) use exit_watch::ExitWatch;
pub(super) use termination::{Alarm, ChildTermination, SettledCalls};
