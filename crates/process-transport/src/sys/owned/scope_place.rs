//! How a scope gets its place in the table of scopes, and leaves it.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::AtomicI32;
use std::sync::atomic::Ordering::SeqCst;

use super::scopes;
use super::table::TablePage;

/// A scope's place in the table, until its drop. It must be dropped before the descriptor is closed;
/// the drop waits while an act is under way.
pub(crate) struct ScopePlace {
    cell: &'static AtomicI32,
    table: &'static TablePage,
}

/// Enters a scope by its `cgroup.kill`.
///
/// # Errors
///
/// No memory; or the owned children of this process were ended, because the process ends.
pub(super) fn enter(kill: BorrowedFd<'_>) -> io::Result<ScopePlace> {
    let table = TablePage::ensure()?;
    let cell = scopes::put(&table.scopes, kill.as_raw_fd())?;
    let place = ScopePlace { cell, table };
    if table.acts.dying.load(SeqCst) != 0 {
        return Err(io::Error::other("the owned children were ended, for the program ends"));
    }
    Ok(place)
}

impl fmt::Debug for ScopePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ScopePlace").field(&self.cell.load(SeqCst)).finish()
    }
}

impl Drop for ScopePlace {
    fn drop(&mut self) {
        // A forked copy has no place in the table.
        if self.table.is_own() {
            self.cell.store(0, SeqCst);
            self.table.acts.wait();
        }
    }
}
