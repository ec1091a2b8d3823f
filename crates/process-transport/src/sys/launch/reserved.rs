//! Mailboxes for threads that do not run yet, made while low numbers are free.

use std::io;
use std::sync::Mutex;

use super::{LAUNCHER, Launcher};

/// A launcher with a mailbox, for a thread that is started later.
pub(in crate::sys) struct Reserved(Launcher);

static RESERVED: Mutex<Vec<Reserved>> = Mutex::new(Vec::new());

/// Reserves so many launchers.
pub(in crate::sys) fn reserve_for_others(count: usize) -> io::Result<()> {
    // It is locked for a moment; in a forked copy perhaps for ever.
    let Ok(mut reserved) = RESERVED.try_lock() else { return Ok(()) };
    reserved.retain(|one| one.0.made_in.is_own());
    while reserved.len() < count {
        reserved.push(Reserved::make()?);
    }
    Ok(())
}

impl Reserved {
    fn make() -> io::Result<Self> {
        let mut launcher = Launcher::new()?;
        launcher.mailbox()?;
        Ok(Self(launcher))
    }

    /// Takes one that is reserved, or makes one.
    pub(in crate::sys) fn take_or_make() -> io::Result<Self> {
        let reserved = RESERVED.try_lock().ok().and_then(|mut reserved| reserved.pop());
        match reserved.filter(|one| one.0.made_in.is_own()) {
            Some(reserved) => Ok(reserved),
            None => Self::make(),
        }
    }

    /// Makes it this thread's, which has not launched yet.
    pub(in crate::sys) fn use_on_this_thread(self) {
        LAUNCHER.set(Some(self.0));
    }
}
