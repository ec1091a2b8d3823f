//! [`Dialogue`]: a program that is talked to, by what it prints and what it is sent.
//!
//! # Model
//!
//! The conversation (`conversation`) is a pure core: bytes, the end and the time go in, and one answer
//! for each wait comes out. A search (`search`) looks at each byte once, whatever the borders of the
//! chunks. The transcript is a value too. A [`Dialogue`] moves bytes between a child and the two.

mod alarm;
mod conversation;
mod error;
mod expect;
mod found;
mod hit;
mod pattern;
#[cfg(feature = "regex")]
mod regex;
mod scrub;
mod search;
mod session;
mod start;
mod talk;
mod transcript;

pub use self::error::DialogueError;
pub use self::expect::Expect;
pub use self::found::Found;
pub use self::pattern::Pattern;
#[cfg(feature = "regex")]
pub use self::pattern::line;
pub use self::start::StartDialogue;
pub use self::talk::Dialogue;
