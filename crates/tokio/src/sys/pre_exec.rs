//! Closures that run in the child.
#![expect(unsafe_code, reason = "what a closure does is its caller's to answer for")]

use std::io;

use crate::command::Command;

impl Command {
    /// Runs `call` in the child, right before its exec. Takes the path that copies memory.
    ///
    /// # Safety
    ///
    /// `call` may use only what is async-signal-safe; see
    /// [`pre_exec`](procession_process_transport::Command::pre_exec) there.
    pub unsafe fn pre_exec(
        &mut self,
        call: impl Fn() -> io::Result<()> + Send + Sync + 'static,
    ) -> &mut Self {
        // SAFETY: the caller promises what the called function asks for.
        self.configure(|command| unsafe { command.pre_exec(call) })
    }
}
