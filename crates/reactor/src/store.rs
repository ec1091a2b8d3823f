//! What a reactor keeps: one table a subject. A table is generic over what is called, and knows neither
//! the handle nor anybody above that.

pub(crate) mod anticipation;
pub(crate) mod buffers;
pub(crate) mod ends;
pub(crate) mod shared;
pub(crate) mod signals;
pub(crate) mod sources;
pub(crate) mod tasks;
pub(crate) mod timers;
pub(crate) mod triggers;
