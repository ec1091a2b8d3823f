//! The one unsafe function of the public interface.
#![expect(
    unsafe_code,
    reason = "what a closure does between fork and exec is its caller's to answer for"
)]

use super::Command;
use crate::sys::PreExec;
use std::io;

impl Command {
    /// Runs `call` in the child, right before its exec. Takes the path that copies memory.
    ///
    /// It finds everything else done, its signal mask and dispositions among them: what it changes of
    /// these the program starts with. Its stack has 64 KiB.
    ///
    /// # Safety
    ///
    /// The child of a program with threads has only the thread that spawned it: locks that others
    /// held stay locked for good, that of the allocator included. `call` may use only what is
    /// async-signal-safe (`signal-safety(7)`), and must not panic.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_process_transport::Command;
    ///
    /// // A closure that does nothing is always safe.
    /// # #[expect(unsafe_code, reason = "shows pre_exec")]
    /// let command = unsafe { Command::new("true").pre_exec(|| Ok(())) };
    /// # drop(command);
    /// ```
    pub unsafe fn pre_exec(
        mut self,
        call: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        self.push_pre_exec(PreExec(std::sync::Arc::new(call)));
        self
    }
}
