//! Checks the form of each Rust file. It opens with `//!` and its purpose, after a shebang if there
//! is one. It imports from std first, then from other crates, then from its own. It is not so long
//! that it surely has two responsibilities.
//!
//! A file of a library has at most 400 lines, tests included. It may have more if one of its first
//! 40 lines is `//! Length: ` with the reason why it has only one responsibility. No file has more
//! than 600 lines.

use crate::tree::{Problem, SourceFile};

const MOST_LINES: usize = 600;
const MOST_LIBRARY_LINES: usize = 400;

/// The mark of a reason, and the number of lines at the top that are searched for it.
const REASON: &str = "//! Length:";
const REASON_WITHIN: usize = 40;

/// Finds the files that do not open with `//!`.
pub(super) fn openings(files: &[SourceFile]) -> Vec<Problem> {
    let without = files.iter().filter(|file| !opens_with_a_page(&file.text));
    without.map(|file| file.problem(1, "the file does not open with //!")).collect()
}

fn opens_with_a_page(text: &str) -> bool {
    let has_shebang = text.starts_with("#!") && !text.starts_with("#![");
    let first = text.lines().nth(usize::from(has_shebang)).unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|page| !page.trim().is_empty())
}

/// Finds the files whose imports are not in the order std, other crates, own crate.
pub(super) fn import_order(files: &[SourceFile]) -> Vec<Problem> {
    let first_wrong = |file: &SourceFile| {
        let imports = file
            .text
            .lines()
            .enumerate()
            .filter_map(|(number, line)| Some((number + 1, group(line.strip_prefix("use ")?))));
        let imports: Vec<_> = imports.collect();
        let wrong = imports.windows(2).find(|pair| pair[0].1 > pair[1].1)?;
        Some(file.problem(wrong[1].0, "imports: std first, then other crates, then the own"))
    };
    files.iter().filter_map(first_wrong).collect()
}

/// Returns the number of an import's group.
fn group(path: &str) -> u8 {
    match path.split([':', ';', ' ']).next() {
        Some("std" | "core" | "alloc") => 0,
        Some("crate" | "super" | "self") => 2,
        _ => 1,
    }
}

/// Finds the files that are too long.
pub(super) fn lengths(files: &[SourceFile]) -> Vec<Problem> {
    files.iter().filter_map(check_length).collect()
}

fn check_length(file: &SourceFile) -> Option<Problem> {
    let lines = file.text.lines().count();
    if lines > MOST_LINES {
        let message = format!("{lines} lines, and {MOST_LINES} are the most: divide the file");
        return Some(file.problem(MOST_LINES + 1, message));
    }
    if lines <= MOST_LIBRARY_LINES || !file.is_library() || has_reason(file) {
        return None;
    }
    let message = format!(
        "{lines} lines, and {MOST_LIBRARY_LINES} are the most of a library: divide the file by \
         responsibility, or say why it has one only in a line `{REASON} …` at its top"
    );
    Some(file.problem(MOST_LIBRARY_LINES + 1, message))
}

fn has_reason(file: &SourceFile) -> bool {
    let mut head = file.text.lines().take(REASON_WITHIN);
    head.any(|line| line.strip_prefix(REASON).is_some_and(|reason| !reason.trim().is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(path: &str, head: &str, lines: usize) -> usize {
        let body = "x\n".repeat(lines - head.lines().count());
        lengths(&[SourceFile::new(path, format!("{head}{body}"))]).len()
    }

    #[test]
    fn a_page_comes_first_or_after_a_shebang() {
        assert!(opens_with_a_page("//! What it is for.\n"));
        assert!(opens_with_a_page("#!/usr/bin/env x\n//! What it is for.\n"));
        for text in ["", "\n//! Late.", "#![forbid(x)]\n//! Late.", "//!\n", "// No.", "#!/x"] {
            assert_eq!(openings(&[SourceFile::new("a.rs", text)]).len(), 1, "{text}");
        }
    }

    #[test]
    fn an_import_from_std_after_another_is_found() {
        let good = "//! A.\nuse std::io;\n\nuse bytes::Bytes;\n\nuse crate::b;\n";
        assert_eq!(import_order(&[SourceFile::new("a.rs", good)]).len(), 0);
        for bad in ["use crate::b;\nuse std::io;\n", "use bytes::Bytes;\nuse std::io;\n"] {
            assert_eq!(import_order(&[SourceFile::new("a.rs", bad)]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn one_line_more_than_allowed_is_found() {
        assert_eq!(problems("crates/a/tests/b.rs", "", MOST_LINES), 0);
        assert_eq!(problems("xtask/src/main.rs", "", MOST_LINES + 1), 1);
        assert_eq!(problems("crates/a/src/b/c.rs", "", MOST_LIBRARY_LINES), 0);
        assert_eq!(problems("crates/a/src/b/c.rs", "", MOST_LIBRARY_LINES + 1), 1);
    }

    #[test]
    fn a_reason_at_the_top_allows_a_library_some_more() {
        let library = "crates/a/src/b.rs";
        let head = "//! B.\n//!\n//! Length: one table.\n";
        assert_eq!(problems(library, head, MOST_LINES), 0);
        assert_eq!(problems(library, head, MOST_LINES + 1), 1);
        assert_eq!(problems(library, "//! B.\n//! Length:\n", MOST_LINES), 1, "it is empty");
        let late = "//!\n".repeat(REASON_WITHIN) + "//! Length: one table.\n";
        assert_eq!(problems(library, &late, MOST_LINES), 1);
    }
}
