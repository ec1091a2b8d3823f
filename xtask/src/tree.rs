//! The files of the repository, read once, and the problems that tidy reports about their lines.

use std::cell::OnceCell;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proc_macro2::TokenTree;
use xshell::{Shell, cmd};

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

    /// Returns whether the path is `crates/*/src/…`.
    pub(crate) fn is_library(&self) -> bool {
        let mut parts = self.path.iter();
        parts.next().is_some_and(|part| part == "crates")
            && parts.nth(1).is_some_and(|p| p == "src")
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
pub(crate) fn rust_files(sh: &Shell) -> Result<Vec<SourceFile>> {
    let mut paths = listed(sh)?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.iter().map(|path| file(&sh.current_dir(), path)).collect()
}

/// Returns the tracked and the new files, without build output, in the order of their paths.
pub(crate) fn listed(sh: &Shell) -> Result<Vec<PathBuf>> {
    let list = cmd!(sh, "git ls-files --cached --others --exclude-standard").quiet().read()?;
    let paths = list.lines().map(PathBuf::from);
    // A deleted file may still be in the index.
    let mut paths: Vec<_> = paths.filter(|path| sh.current_dir().join(path).is_file()).collect();
    paths.sort();
    Ok(paths)
}

/// Reads one file of the repository.
pub(crate) fn file(root: &Path, path: impl AsRef<Path>) -> Result<SourceFile> {
    let path = path.as_ref();
    let text = fs::read_to_string(root.join(path))
        .with_context(|| format!("{} is not readable", path.display()))?;
    Ok(SourceFile::new(path, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_file_is_found_and_nothing_below_target() {
        let files = rust_files(&crate::shell_at_root().unwrap()).unwrap();
        assert!(files.iter().any(|file| file.path == Path::new("xtask/src/tree.rs")));
        assert!(files.iter().all(|file| !file.path.starts_with("target")));
    }
}
