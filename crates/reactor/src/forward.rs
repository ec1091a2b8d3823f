//! Moving bytes on without looking at them. [`Forward`] says how it is done.

mod fd_sink;
mod flow;
mod forwarding;
mod splice;
mod target;

pub use self::forwarding::{Forward, SinkPort, SourcePort};
