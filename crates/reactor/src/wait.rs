//! How the loop waits. This is the only difference between systems.
//!
//! `Poller::wait` costs three system calls a turn, and five with a timeout. So on Linux the loop
//! waits on the poller's own epoll descriptor, with one system call. Elsewhere it calls
//! `Poller::wait`. Both variants are compiled and tested on Linux.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use polling::{Event, Poller};

use crate::readiness::Readiness;

/// Waits, and holds the events of the last wait.
pub(crate) enum Wait {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    Epoll {
        events: Vec<rustix::event::epoll::Event>,
        /// A signal ended the wait, so the wait may not have looked for events.
        interrupted: bool,
    },
    Portable {
        events: polling::Events,
        found: Vec<Event>,
    },
}

/// The most events that one wait returns. The next wait finds the rest.
#[cfg(any(target_os = "linux", target_os = "android"))]
const BATCH: usize = 256;

impl Wait {
    /// Uses the best mechanism that the system has.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(crate) fn new() -> Self {
        Self::Epoll { events: Vec::with_capacity(BATCH), interrupted: false }
    }

    /// Uses the best mechanism that the system has.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(crate) fn new() -> Self {
        Self::portable()
    }

    /// Uses the mechanism that every system has.
    pub(crate) fn portable() -> Self {
        Self::Portable { events: polling::Events::new(), found: Vec::new() }
    }

    /// Waits for events, at most for `timeout`. A signal ends the wait early, without events.
    ///
    /// Always inlined, as all code is that makes a system call for each event. On some processors the
    /// first return after a system call takes up to 100 ns, likely because the kernel protects its own
    /// returns.
    #[inline(always)]
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

    /// Returns whether the last wait looked for events and found none.
    ///
    /// `Poller::wait` does not say whether a signal ended it.
    pub(crate) fn found_nothing(&self) -> bool {
        match self {
            #[cfg(any(target_os = "linux", target_os = "android"))]
            Self::Epoll { events, interrupted } => events.is_empty() && !interrupted,
            Self::Portable { found, .. } => found.is_empty(),
        }
    }

    /// Returns the key and the readiness of the event at `index`, which is below
    /// [`len`](Self::len).
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
#[inline(always)]
fn epoll_wait(
    events: &mut Vec<rustix::event::epoll::Event>,
    poller: &Rc<Poller>,
    timeout: Option<Duration>,
) -> io::Result<bool> {
    use rustix::buffer::spare_capacity;
    use rustix::event::{Timespec, epoll};
    use rustix::io::Errno;

    // epoll_wait takes an int of milliseconds, so longer waits are cut into pieces of 24 days.
    const LONGEST: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64 - 1000);

    events.clear();
    // The conversion to milliseconds rounds up. So the wait never ends early, and the loop does not
    // spin through the last millisecond.
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
    // All registered keys are `usize`. `usize::MAX` is the key of no source.
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
