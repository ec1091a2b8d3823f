//! A connection's life, without its descriptor: what is decided, what is due.

mod demand;
mod event;
mod lifecycle;

pub use demand::Demand;
pub use event::{ConnectionDataNow, ConnectionEvent};
pub use lifecycle::{ConnectionKind, ConnectionLifecycle};
