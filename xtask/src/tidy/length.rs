//! No Rust file grows past a length at which it surely has two responsibilities.

use crate::tree::{Problem, SourceFile};

const MOST_LINES: usize = 600;

/// Files that may be longer, each with its reason in a comment here. There is none.
const ALLOWED: [&str; 0] = [];

/// Finds the files that are too long.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    let long = files.iter().filter_map(|file| {
        let lines = file.text.lines().count();
        let is_allowed = ALLOWED.iter().any(|path: &&str| file.path.ends_with(path));
        let message = format!("{lines} lines, and {MOST_LINES} are the most");
        (lines > MOST_LINES && !is_allowed).then(|| file.problem(MOST_LINES + 1, message))
    });
    long.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_more_than_allowed_is_found() {
        let file = |lines| SourceFile::new("a.rs", "x\n".repeat(lines));
        assert_eq!(check(&[file(MOST_LINES)]), []);
        assert_eq!(check(&[file(MOST_LINES + 1)]).len(), 1);
    }
}
