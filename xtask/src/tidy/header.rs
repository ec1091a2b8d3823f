//! Every Rust file opens with `//!`: what it is for. Only a shebang may come before it.

use crate::tree::{Problem, SourceFile};

/// Finds the files that open with something else.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    let without = files.iter().filter(|file| !opens_with_a_page(&file.text));
    without.map(|file| file.problem(1, "the file does not open with //!")).collect()
}

fn opens_with_a_page(text: &str) -> bool {
    let has_shebang = text.starts_with("#!") && !text.starts_with("#![");
    let first = text.lines().nth(usize::from(has_shebang)).unwrap_or_default();
    first.strip_prefix("//!").is_some_and(|page| !page.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_comes_first_or_after_a_shebang() {
        assert!(opens_with_a_page("//! What it is for.\n"));
        assert!(opens_with_a_page("#!/usr/bin/env x\n//! What it is for.\n"));
        for text in ["", "\n//! Late.", "#![forbid(x)]\n//! Late.", "//!\n", "// No.", "#!/x"] {
            assert!(!opens_with_a_page(text), "{text}");
        }
    }

    #[test]
    fn the_problem_names_the_file() {
        let problems = check(&[SourceFile::new("a.rs", "//! Good."), SourceFile::new("b.rs", "")]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].path.to_str(), Some("b.rs"));
    }
}
