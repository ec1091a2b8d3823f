//! Checks the `lib.rs` of each layer. It must say what the crate does not do, show an example, warn
//! about library code that prints, and forbid unsafe code unless the crate has a `sys` folder.

use std::path::Path;

use crate::tree::{Problem, SourceFile};

const PRINT: &str = "#![warn(clippy::print_stdout, clippy::print_stderr)]";
const FORBID: &str = "#![forbid(unsafe_code)]";

/// Finds the missing parts of the `lib.rs` of each crate below `crates/`.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    let pages = files.iter().filter(|file| {
        file.path.starts_with("crates") && file.path.ends_with(Path::new("src").join("lib.rs"))
    });
    pages.flat_map(|page| check_page(page, files)).collect()
}

fn check_page(page: &SourceFile, files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut need = |holds: bool, message: &str| {
        if !holds {
            problems.push(page.problem(1, message));
        }
    };
    let docs: String = page.text.lines().filter(|line| line.starts_with("//!")).collect();
    let attributes: Vec<_> = page.text.lines().filter(|line| line.starts_with("#![")).collect();
    let sys = page.path.with_file_name("sys");
    let has_sys = files.iter().any(|file| file.path.starts_with(&sys));
    need(docs.contains("What this crate does not do"), "no `What this crate does not do`");
    need(docs.contains("```"), "the crate page has no example");
    need(attributes.contains(&PRINT), &format!("no `{PRINT}`"));
    if has_sys {
        need(!attributes.contains(&FORBID), "a crate with a sys folder forbids unsafe code");
    } else {
        need(attributes.contains(&FORBID), &format!("no `{FORBID}`, and no sys folder"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(docs: &str, attributes: &[&str]) -> SourceFile {
        SourceFile::new("crates/a/src/lib.rs", format!("{docs}\n{}\n", attributes.join("\n")))
    }

    const DOCS: &str = "//! A.\n//!\n//! # What this crate does not do\n//!\n//! ```\n//! ```";

    #[test]
    fn a_complete_page_passes_and_other_packages_have_none() {
        assert_eq!(check(&[SourceFile::new("benches/src/lib.rs", "")]), []);
        assert_eq!(check(&[page(DOCS, &[PRINT, FORBID])]), []);
        let sys = SourceFile::new("crates/a/src/sys/mod.rs", "");
        assert_eq!(check(&[page(DOCS, &[PRINT]), sys]), []);
    }

    #[test]
    fn each_missing_part_is_a_problem() {
        assert_eq!(check(&[page("//! A.", &[])]).len(), 4);
        assert_eq!(check(&[page(DOCS, &[PRINT])]).len(), 1);
        let sys = SourceFile::new("crates/a/src/sys/mod.rs", "");
        assert_eq!(check(&[page(DOCS, &[PRINT, FORBID]), sys]).len(), 1);
    }
}
