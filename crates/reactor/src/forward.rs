//! Moving bytes on without looking at them. [`Forward`] says how it is done.

mod flow;
mod forwarding;
mod own_fd;
mod splice;

pub use self::forwarding::{Forward, SinkPort, SourcePort};
