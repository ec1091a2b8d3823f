//! The source of a crate as a program reads it: its modules, the paths in its code and what they
//! lead to, and which file so depends on which.
//!
//! Files are parsed with `syn`; nothing is compiled. Code for tests alone is left out.

pub(crate) mod cfg;
mod circles;
pub(crate) mod edges;
pub(crate) mod modules;
pub(crate) mod paths;
pub(crate) mod resolve;

use crate::tree::SourceFile;

/// The crates whose modules tidy reads, by folder.
pub(crate) const CRATES: [&str; 7] = [
    "crates/core",
    "crates/net-transport",
    "crates/process-transport",
    "crates/procession",
    "crates/protocol",
    "crates/reactor",
    "crates/utils",
];

/// The folders of all library crates.
pub(crate) fn folders(files: &[SourceFile]) -> Vec<&str> {
    let roots = files.iter().filter_map(|file| file.path.to_str()?.strip_suffix("/src/lib.rs"));
    roots.filter(|folder| folder.starts_with("crates/")).collect()
}
