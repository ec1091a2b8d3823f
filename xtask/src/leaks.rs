//! The task `leaks`: the suite with LeakSanitizer alone, which costs far less than the whole of
//! AddressSanitizer.

use anyhow::Result;
use xshell::Shell;

use crate::asan;

/// Runs the suite with LeakSanitizer.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    asan::sanitized(sh, "leak")
}
