//! The files of the repository, read once, and the problems that tidy reports about their lines.

use std::cell::OnceCell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::TokenTree;

use crate::tokens::tokens;

/// A text file of the repository.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    /// Relative to the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
    /// Computed at the first use.
    tokens: OnceCell<Vec<TokenTree>>,
}

impl SourceFile {
    /// Makes a file from a path and its text.
    pub(crate) fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), tokens: OnceCell::new() }
    }

    /// Returns the tokens of the file, or none if it is not Rust.
    pub(crate) fn tokens(&self) -> &[TokenTree] {
        self.tokens.get_or_init(|| tokens(&self.text))
    }

    /// Makes a problem with a line, counted from 1.
    pub(crate) fn problem(&self, line: usize, message: impl Into<String>) -> Problem {
        Problem { path: self.path.clone(), line, message: message.into() }
    }
}

/// A line that breaks a rule, with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) path: PathBuf,
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// Reads every Rust file below `root`, in the order of their paths.
pub(crate) fn rust_files(root: &Path) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("the folder {} is not readable", folder.display()))?;
        for entry in entries {
            let entry = entry.context("a folder changed while it was read")?;
            let path = entry.path();
            let name = entry.file_name();
            if entry.file_type().context("a file has no type")?.is_dir() {
                // Build output and hidden folders have no source.
                if name != "target" && !name.to_string_lossy().starts_with('.') {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(read(root, &path)?);
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads one file of the repository.
pub(crate) fn file(root: &Path, path: &str) -> Result<SourceFile> {
    read(root, &root.join(path))
}

fn read(root: &Path, path: &Path) -> Result<SourceFile> {
    let text =
        fs::read_to_string(path).with_context(|| format!("{} is not readable", path.display()))?;
    Ok(SourceFile::new(path.strip_prefix(root).unwrap_or(path), text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_walk_finds_this_file_and_nothing_below_target() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let files = rust_files(root).unwrap();
        assert!(files.iter().any(|file| file.path == Path::new("xtask/src/tree.rs")));
        assert!(files.iter().all(|file| !file.path.starts_with("target")));
    }
}
