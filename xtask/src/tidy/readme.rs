//! The README's crate map names every layer.

use crate::metadata::Package;
use crate::tree::{Problem, SourceFile};

/// Finds the crates below `crates/` that the README does not name.
pub(crate) fn check(readme: &SourceFile, packages: &[Package]) -> Vec<Problem> {
    let missing =
        packages.iter().filter(|package| package.is_layer() && !names(&readme.text, &package.name));
    missing
        .map(|package| readme.problem(1, format!("the crate map lacks `{}`", package.name)))
        .collect()
}

/// Tells whether the text has the whole name: `a` is not in `a-b`.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|word| word == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str, name: &str) -> Package {
        let published = true;
        Package { name: name.to_owned(), folder: folder.into(), published, ..Package::default() }
    }

    #[test]
    fn a_crate_that_is_only_part_of_another_name_is_missing() {
        let packages = [package("crates/a", "a"), package("crates/b", "a-b"), package("x", "c")];
        let readme = SourceFile::new("README.md", "- [`a-b`](crates/b): b\n");
        let problems = check(&readme, &packages);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "the crate map lacks `a`");
    }
}
