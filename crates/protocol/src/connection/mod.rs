//! A connection's life, without its descriptor: what is decided, what is due, who is called.

mod demand;
mod event;
mod lifecycle;
mod slot;

pub use demand::Demand;
pub use event::ConnectionEvent;
pub use lifecycle::ConnectionLifecycle;
pub use slot::ConnectionSlot;
