//! The pure values below procession's event loop: results that arrive later, write queues, signals
//! and clocks.
//!
//! * [`Deferred`] and [`Promise`]: one result, at most once, as a chain of callbacks and as a
//!   [`Future`];
//! * [`WriteQueue`]: chunks in, [`IoSlice`](std::io::IoSlice)s out, water marks, close after flush;
//! * [`Clock`]: what a timeout needs of whoever keeps the time, with a [`FakeClock`] for tests;
//! * [`Signal`], [`IntoBytes`], [`WriteError`]: small values that every layer above shares;
//! * [`message`]: what the messages of errors are made of;
//! * [`WithCell`]: interior state that foreign code can never find borrowed.
//!
//! # What this crate does not do
//!
//! It makes no system call, starts no thread and owns no descriptor. It has no event loop and no
//! executor: those are `procession-reactor`'s, or yours. Nothing here is [`Send`] across a loop's
//! boundary: a `Deferred` lives and ends on one thread.
//!
//! # Examples
//!
//! ```
//! use procession_core::{Clock, Deferred, Failed, FakeClock};
//! use std::{cell::Cell, rc::Rc, time::Duration};
//!
//! let clock = FakeClock::new();
//! let (promise, answer) = Deferred::<i32, String>::new();
//! let answer = answer
//!     .map(|n| n + 1)
//!     .and_then(|n| if n > 9 { Ok(n) } else { Err(format!("{n} is too small")) })
//!     .timeout_on(Duration::from_secs(5), &clock);
//! promise.complete(Ok(41));
//! assert_eq!(answer.try_take(), Some(Ok(42)));
//!
//! // Nobody answers: the producer learns that nobody waits any more, and the result says why.
//! let (promise, answer) = Deferred::<i32, String>::new();
//! let told = Rc::new(Cell::new(false));
//! let tell = Rc::clone(&told);
//! promise.on_cancel(move || tell.set(true));
//! let answer = answer.timeout_on(Duration::from_secs(5), &clock);
//! clock.advance(Duration::from_secs(5));
//! assert_eq!(answer.try_take(), Some(Err(Failed::TimedOut)));
//! assert!(told.get());
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod cell;
mod clock;
mod deferred;
mod direction;
mod fake_clock;
mod into_bytes;
mod level;
mod mark;
pub mod message;
pub mod panics;
mod signal;
pub mod sigpipe;
mod spent;
mod utf8;
mod write_error;
mod write_queue;

pub use cell::WithCell;
pub use clock::{Clock, Timer, current_clock, set_current_clock};
pub use deferred::{
    AlreadyCompleted, Deferred, Failed, IntoDeferred, Promise, first_of, gather, gather_all,
    set_unhandled_error_hook,
};
pub use direction::Direction;
pub use fake_clock::FakeClock;
pub use into_bytes::IntoBytes;
pub use mark::Mark;
pub use signal::{ParseSignalError, Signal};
pub use spent::Spent;
pub use utf8::split_character;
pub use write_error::WriteError;
pub use write_queue::WriteQueue;
