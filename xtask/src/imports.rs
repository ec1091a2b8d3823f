//! The task `imports`: prints which file of a crate depends on which, and the import circles. It
//! never fails because of them; `tidy` does.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use xshell::Shell;

use crate::arguments;
use crate::source::edges::{ImportCircles, Imports};
use crate::source::modules::Sources;
use crate::{source, tree};

/// Prints the dependencies of the crates that the command line names. Without a name, prints only
/// the counts of every crate.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let files = tree::rust_files(sh)?;
    let wanted = arguments();
    let mut folders = source::folders(&files);
    if let Some(name) = wanted.iter().find(|name| !folders.iter().any(|folder| names(name, folder)))
    {
        bail!("no crate at crates/{name}; there are {}", folders.join(", "));
    }
    folders.retain(|folder| wanted.is_empty() || wanted.iter().any(|name| names(name, folder)));
    for folder in folders {
        let sources = Sources::parse(&files, folder);
        let imports = Imports::find(&sources);
        let (all, circles) = (imports.all(), imports.circles());
        if !wanted.is_empty() {
            all.iter().for_each(|import| println!("{import}"));
            circles.iter().for_each(|circles| println!("\n{}", circles.problem()));
            sources.problems().iter().for_each(|problem| println!("\n{problem}"));
            println!();
        }
        let in_circles: BTreeSet<_> = circles.iter().flat_map(ImportCircles::files).collect();
        println!(
            "{folder}: {} files, {} dependencies, {} circles with {} files",
            sources.files.len(),
            all.len(),
            circles.len(),
            in_circles.len()
        );
    }
    Ok(())
}

/// Returns whether a word of the command line means the crate at `folder`.
fn names(word: &str, folder: &str) -> bool {
    folder.strip_prefix("crates/") == Some(word.trim_start_matches("crates/").trim_end_matches('/'))
}
