//! [`Ready`]: how a program shows that it is ready, and what watches for it.

mod error;
mod how;
mod mark;
mod notify;
mod probe;
mod program;
mod watch;

pub use self::error::ReadyError;
pub use self::how::Ready;
pub use self::program::ReadyProgram;
pub(crate) use self::watch::{News, Watch, WatchGuard};
