//! The pure values below procession's event loop: results that arrive later, signals and clocks.
//!
//! * [`Deferred`] and [`Promise`]: one result, at most once, for a chain of callbacks or as a
//!   [`Future`];
//! * [`Clock`]: the interface of a clock that timeouts need, with a [`FakeClock`] for tests;
//! * [`Signal`], [`IntoBytes`], [`WriteError`]: small values that every layer above shares;
//! * [`driver`]: for authors of transports: write queues, a result that crosses threads, and more.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | hand a result on, at most once | [`Deferred::new`]: a [`Promise`] and a [`Deferred`] |
//! | go on with it | [`map`](Deferred::map), [`and_then`](Deferred::and_then), [`or_else`](Deferred::or_else), [`then`](Deferred::then), [`done`](Deferred::done), or `.await` |
//! | give it up | [`cancel`](Deferred::cancel), [`timeout`](Deferred::timeout), or its drop |
//! | let it go on unwatched | [`detach`](Deferred::detach) |
//! | wait for several | [`gather`], [`gather_all`], [`first_of`] |
//! | hear of a result that somebody gave up | [`Promise::on_cancel`] |
//! | move time in a test | [`FakeClock`] |
//!
//! # What this crate does not do
//!
//! It makes no system call, starts no thread and owns no descriptor. It has no event loop and no
//! executor: use `procession-reactor`, or your own. A `Deferred` is not [`Send`]: it lives and ends on
//! one thread.
//!
//! # Example
//!
//! ```
//! use procession::{Clock, Deferred, Failed, FakeClock};
//! use std::{cell::Cell, rc::Rc, time::Duration};
//!
//! fn main() {
//!     let clock = FakeClock::new();
//!     let (promise, answer) = Deferred::<i32, String>::new();
//!     let answer = answer
//!         .map(|n| n + 1)
//!         .and_then(|n| if n > 9 { Ok(n) } else { Err(format!("{n} is too small")) })
//!         .timeout_on(Duration::from_secs(5), &clock);
//!     promise.complete(Ok(41));
//!     assert_eq!(answer.try_take(), Some(Ok(42)));
//!
//!     // Nobody answers: the result is `TimedOut`, and `on_cancel` tells the producer.
//!     let (promise, answer) = Deferred::<i32, String>::new();
//!     let told = Rc::new(Cell::new(false));
//!     let tell = Rc::clone(&told);
//!     promise.on_cancel(move || tell.set(true));
//!     let answer = answer.timeout_on(Duration::from_secs(5), &clock);
//!     clock.advance(Duration::from_secs(5));
//!     assert_eq!(answer.try_take(), Some(Err(Failed::TimedOut)));
//!     assert!(told.get());
//! }
//! ```
//!
//! # Errors
//!
//! * [`Failed`] says why a [`Deferred`] has no value: an error of its producer, a cancellation, a timeout, or a
//!   promise that was dropped.
//! * [`AlreadyCompleted`] says that a promise had a result, and gives the second one back.
//! * [`WriteError`] says why data was not queued, [`ParseSignalError`] which text is no signal.
//!
//! An error that nobody takes is printed, or given to the hook of [`set_unhandled_error_hook`].
//!
//! # Panics
//!
//! [`Deferred::timeout`] panics in a thread without a clock. A panic of a callback unwinds out of the call
//! that completed the promise, after all other due callbacks; the links below it get
//! [`Failed::Abandoned`].
//!
//! # Platform
//!
//! Only the numbers of signals depend on the system: those of Linux and Android, or those of macOS and the
//! BSDs (`signal(7)`). Linux on MIPS or SPARC, which has others, is a compile error.
//!
//! # Costs
//!
//! A promise and its `Deferred` are one allocation. Each link of a chain is one more, and so is its
//! callback. The stack does not grow with the length of a chain. Nothing here locks, except the hook and
//! what [`driver`] has for several threads.

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod answer;
mod cell;
mod clock;
mod deferred;
mod direction;
mod fake_clock;
mod front_queue;
mod into_bytes;
mod level;
mod mark;
mod message;
mod no_error;
mod panics;
mod patience;
mod pipe_growth;
mod signal;
mod sigpipe;
mod spent;
mod sync;
mod utf8;
mod write_error;
mod write_queue;

pub use clock::{Clock, Timer};
pub use deferred::{
    AlreadyCompleted, Deferred, Failed, IntoDeferred, Promise, first_of, gather, gather_all,
    set_unhandled_error_hook,
};
pub use fake_clock::FakeClock;
pub use into_bytes::IntoBytes;
pub use mark::Mark;
pub use no_error::NoError;
pub use signal::{ParseSignalError, Signal};
pub use write_error::WriteError;

pub mod driver {
    //! For authors of transports and of event loops: what the other layers of procession are made of.
    //!
    //! It is not part of what the version number promises: any release may change it.

    pub use crate::answer::{Answer, Gone, Reply};
    pub use crate::cell::WithCell;
    #[doc(inline)]
    pub use crate::debug_by_message;
    pub use crate::direction::Direction;
    pub use crate::message::Reason;
    pub use crate::panics::FirstPanic;
    pub use crate::patience::Patience;
    pub use crate::pipe_growth::PipeGrowth;
    pub use crate::sigpipe::SIGPIPE_IS_BLOCKED_BY_LOOP;
    pub use crate::spent::Spent;
    pub use crate::utf8::split_character;
    pub use crate::write_queue::WriteQueue;
}
