//! One result, at most once, for a chain of callbacks or as a [`Future`].
//!
//! [`Promise`] is the producing side and [`Deferred`] the consuming side. Each holds a reference to a
//! private shared state. This module has no event loop and no timers.

mod chain;
mod combinators;
mod failed;
mod gather;
mod promise;
mod report;
mod state;
mod timeout;
mod trampoline;

pub use chain::Deferred;
pub use combinators::IntoDeferred;
pub use failed::Failed;
pub use gather::{first_of, gather, gather_all};
pub use promise::{AlreadyCompleted, Promise};
pub use report::set_unhandled_error_hook;
