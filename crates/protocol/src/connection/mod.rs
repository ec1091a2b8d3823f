//! A connection without its descriptors: the lifecycle, the callbacks that are due, and the protocol.

mod demand;
mod directions;
mod due;
mod event;
mod lifecycle;
mod slot;

pub use demand::Demand;
pub use event::ConnectionEvent;
pub use lifecycle::ConnectionLifecycle;
pub use slot::ConnectionSlot;
