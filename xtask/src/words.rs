//! The task `words`: looks for misspelt words in all files, with typos. `typos.toml` has our words.

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::tool;

/// The version in use. A commit that raises it does nothing else.
const TYPOS: &str = "1.42.3";

/// Checks the spelling and changes nothing.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let typos = tool::installed(sh, "typos-cli", TYPOS)?.with_file_name("typos");
    Ok(cmd!(sh, "{typos} --config typos.toml").run()?)
}
