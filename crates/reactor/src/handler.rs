//! What a transport implements.

use std::rc::Rc;

use crate::handle::Handle;
use crate::readiness::Readiness;
use crate::sources::Key;

/// What is told about sources; one handler may have several, told apart by their tokens.
///
/// The reactor holds it as long as one of its sources is open, so its state lives behind `&self`.
/// No method is called while anything of the reactor is borrowed: each may call whatever it likes.
///
/// # Examples
///
/// ```
/// use procession_reactor::{EventHandler, Ready};
/// use procession::{Handle, Interest, Reactor};
/// use std::cell::Cell;
/// use std::io::Write;
/// use std::os::fd::OwnedFd;
/// use std::os::unix::net::UnixStream;
/// use std::rc::Rc;
///
/// struct Seen(Cell<Option<u32>>);
///
/// impl EventHandler for Seen {
///     fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
///         self.0.set(Some(ready.token));
///         reactor.close(ready.key);
///     }
/// }
///
/// let mut reactor = Reactor::new()?;
/// let (here, mut there) = UnixStream::pair()?;
/// let seen = Rc::new(Seen(Cell::new(None)));
/// let key = reactor.add_source(OwnedFd::from(here), Interest::READABLE, seen.clone(), 7)?;
/// there.write_all(b"x")?;
/// reactor.turn(None)?;
/// assert_eq!(seen.0.get(), Some(7));
/// assert!(!reactor.is_open(key));
/// # std::io::Result::Ok(())
/// ```
pub trait EventHandler {
    /// Called when the poller has seen something of a source; never for one that is closed.
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready);

    /// Asked for with [`Handle::flush_later`]: called once, when the running callback returns to
    /// the loop, or before the next wait.
    fn flush(self: Rc<Self>, reactor: &Handle) {
        let _ = reactor;
    }

    /// Called once when the reactor is dropped while a source of this handler is open.
    ///
    /// Its descriptors are open still, and are closed when this returns. What is asked of the
    /// reactor from here on is dropped.
    fn reactor_dropped(self: Rc<Self>) {}
}

/// An event of a source.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Ready {
    /// The source.
    pub key: Key,
    /// The number that was given to [`Handle::add_source`].
    pub token: u32,
    /// What was seen.
    pub readiness: Readiness,
}
