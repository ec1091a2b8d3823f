//! The tables that a reactor keeps, one for each subject. A table is generic over the callbacks
//! that it holds. It knows neither the handle nor any layer above it.

pub(crate) mod anticipation;
pub(crate) mod buffers;
pub(crate) mod ends;
pub(crate) mod shared;
pub(crate) mod signals;
pub(crate) mod sources;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod triggers;
