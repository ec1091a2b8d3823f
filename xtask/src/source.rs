//! Reads the source of a crate: its modules, the paths in its code, the items that they lead to,
//! and so which file depends on which.
//!
//! `syn` parses the files; nothing is compiled. Code that is only for tests is left out.

pub(crate) mod cfg;
mod circles;
pub(crate) mod edges;
pub(crate) mod modules;
pub(crate) mod paths;
pub(crate) mod resolve;

use crate::tree::SourceFile;

/// The folders of the crates whose modules tidy reads.
pub(crate) const CRATES: [&str; 8] = [
    "crates/core",
    "crates/net-transport",
    "crates/process-transport",
    "crates/procession",
    "crates/protocol",
    "crates/reactor",
    "crates/tokio",
    "crates/utils",
];

/// Returns the folders of all library crates.
pub(crate) fn folders(files: &[SourceFile]) -> Vec<&str> {
    let roots = files.iter().filter_map(|file| file.path.to_str()?.strip_suffix("/src/lib.rs"));
    roots.filter(|folder| folder.starts_with("crates/")).collect()
}
