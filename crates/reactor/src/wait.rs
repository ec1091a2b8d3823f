//! The one difference between systems: how the loop waits.
//!
//! `Poller::wait` costs three system calls a turn, and five with a timeout. So on Linux the loop
//! waits on the poller's own epoll descriptor, with one; elsewhere it calls `Poller::wait`. Both
//! are compiled and tested on Linux.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use polling::{Event, Poller};

use crate::readiness::Readiness;

/// Waits, and holds what the last wait has found.
pub(crate) enum Wait {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Epoll {
        events: Vec<rustix::event::epoll::Event>,
        /// A signal ended the wait, which may not have looked for events.
        interrupted: bool,
    },
    Portable {
        events: polling::Events,
        found: Vec<Event>,
    },
}

/// The most that one wait hands over; what is left is found by the next.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BATCH: usize = 256;

impl Wait {
    /// The best that the system has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new() -> Self {
        Self::Epoll { events: Vec::with_capacity(BATCH), interrupted: false }
    }

    /// The best that the system has.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new() -> Self {
        Self::portable()
    }

    /// What every system has.
    pub(crate) fn portable() -> Self {
        Self::Portable { events: polling::Events::new(), found: Vec::new() }
    }

    /// Waits for events, at most for `timeout`; returns early without any after a signal.
    #[inline]
    pub(crate) fn wait(
        &mut self,
        poller: &Rc<Poller>,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { events, interrupted } => {
                *interrupted = epoll_wait(events, poller, timeout)?;
                Ok(())
            }
            Self::Portable { events, found } => {
                events.clear();
                found.clear();
                poller.wait(events, timeout)?;
                found.extend(events.iter());
                Ok(())
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { events, .. } => events.len(),
            Self::Portable { found, .. } => found.len(),
        }
    }

    /// Returns whether the last wait looked for events, and there was none.
    ///
    /// `Poller::wait` does not say whether a signal has ended it.
    pub(crate) fn found_nothing(&self) -> bool {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { events, interrupted } => events.is_empty() && !interrupted,
            Self::Portable { found, .. } => found.is_empty(),
        }
    }

    /// The key and the readiness of the event at `index`, which is below [`len`](Self::len).
    pub(crate) fn get(&self, index: usize) -> (usize, Readiness) {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { events, .. } => epoll_event(&events[index]),
            Self::Portable { found, .. } => {
                let event = &found[index];
                let readiness = Readiness {
                    readable: event.readable,
                    writable: event.writable,
                    hangup: event.is_interrupt(),
                    error: event.is_err() == Some(true),
                };
                (event.key, readiness)
            }
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
#[inline]
fn epoll_wait(
    events: &mut Vec<rustix::event::epoll::Event>,
    poller: &Rc<Poller>,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    use rustix::buffer::spare_capacity;
    use rustix::event::{Timespec, epoll};
    use rustix::io::Errno;

    // epoll_wait takes an int of milliseconds: longer waits are cut into pieces of 24 days.
    const LONGEST: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64 - 1000);

    events.clear();
    // The conversion to milliseconds rounds up: never early, and no spinning through the last one.
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout.min(LONGEST)).ok());
    match epoll::wait(&**poller, spare_capacity(events), timeout.as_ref()) {
        Ok(_) => Ok(false),
        Err(Errno::INTR) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn epoll_event(event: &rustix::event::epoll::Event) -> (usize, Readiness) {
    use rustix::event::epoll::EventFlags;

    let flags = event.flags;
    let gone = EventFlags::HUP | EventFlags::ERR;
    let readiness = Readiness {
        readable: flags.intersects(EventFlags::IN | EventFlags::PRI | gone),
        writable: flags.intersects(EventFlags::OUT | gone),
        hangup: flags.contains(EventFlags::HUP),
        error: flags.contains(EventFlags::ERR),
    };
    // Only `usize` keys are registered; no source has the key that stands for anything else.
    (usize::try_from(event.data.u64()).unwrap_or(usize::MAX), readiness)
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { .. } => "Epoll",
            Self::Portable { .. } => "Portable",
        })
    }
}
