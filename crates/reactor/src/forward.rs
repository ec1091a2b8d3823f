//! Moves bytes between descriptors without looking at them. [`Forward`] describes how.

mod fd_sink;
mod flow;
mod forwarding;
mod splice;
mod target;

pub use self::forwarding::{Forward, SinkPort, SourcePort};
