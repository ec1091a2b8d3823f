//! Checks the manifests, and the README against them.
//!
//! Every member inherits the lint table of the root manifest. The README's crate map names every
//! layer. The oldest supported Rust version is the same everywhere: in the root manifest, in every
//! member, where clippy reads it, and in the README beside the word "Rust" or "MSRV".

use crate::metadata::Package;
use crate::tree::{Problem, SourceFile};

/// The section that inherits the lints, as every manifest writes it.
const LINTS: &str = "\n[lints]\nworkspace = true\n";

/// Finds the manifests that do not inherit the lints.
pub(super) fn lints(manifests: &[SourceFile]) -> Vec<Problem> {
    let without = manifests.iter().filter(|manifest| !manifest.text.contains(LINTS));
    without.map(|manifest| manifest.problem(1, "no `[lints]`, `workspace = true`")).collect()
}

/// Finds the crates below `crates/` that the README does not name.
pub(super) fn crate_map(readme: &SourceFile, packages: &[Package]) -> Vec<Problem> {
    let missing =
        packages.iter().filter(|package| package.is_layer() && !names(&readme.text, &package.name));
    missing
        .map(|package| readme.problem(1, format!("the crate map lacks `{}`", package.name)))
        .collect()
}

/// Returns whether the text has the whole name: `a` is not in `a-b`.
fn names(text: &str, name: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric() && c != '-' && c != '_').any(|word| word == name)
}

/// Compares the versions in the README and in the members with the root manifest.
pub(super) fn msrv(
    manifest: &SourceFile,
    readme: &SourceFile,
    packages: &[Package],
) -> Vec<Problem> {
    let Some(wanted) = manifest.text.lines().find_map(version) else {
        return vec![manifest.problem(1, "no `rust-version`")];
    };
    let found = written(&readme.text);
    let mut problems = Vec::new();
    if found.is_empty() {
        problems.push(readme.problem(1, format!("does not say that Rust {wanted} is needed")));
    }
    let wrong = found.into_iter().filter(|(_, version)| version != wanted);
    problems.extend(wrong.map(|(line, version)| {
        readme.problem(line, format!("says Rust {version}; the root manifest says {wanted}"))
    }));
    let others = packages.iter().filter(|package| package.rust_version.as_deref() != Some(wanted));
    problems.extend(others.map(|package| {
        let manifest = SourceFile::new(&package.manifest_path, "");
        manifest.problem(1, format!("does not inherit rust-version, which is {wanted}"))
    }));
    problems
}

/// Returns the version on the line `rust-version = "…"`.
fn version(line: &str) -> Option<&str> {
    let value = line.strip_prefix("rust-version")?.trim_start().strip_prefix('=')?;
    Some(value.trim().trim_matches('"'))
}

/// Returns every version such as `1.88` on a line that mentions Rust or the MSRV.
fn written(text: &str) -> Vec<(usize, String)> {
    let speaks = |text: &&(usize, &str)| text.1.contains("MSRV") || text.1.contains("Rust 1.");
    let lines: Vec<_> = (1..).zip(text.lines()).collect();
    let found = lines.iter().filter(speaks).flat_map(|(line, text)| {
        let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
        let versions = words
            .map(|word| word.trim_matches('.'))
            .filter(|word| word.strip_prefix("1.").is_some_and(|minor| minor.len() >= 2));
        versions.map(move |version| (*line, version.to_owned()))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_manifest_inherits_the_lints_in_a_section() {
        let section = "[package]\nname = \"a\"\n\n[lints]\nworkspace = true\n";
        assert_eq!(lints(&[SourceFile::new("Cargo.toml", section)]), []);
        for text in ["", "\n[dependencies]\nworkspace = true\n", "\n[lints]\n# workspace = true\n"]
        {
            assert_eq!(lints(&[SourceFile::new("Cargo.toml", text)]).len(), 1, "{text}");
        }
    }

    fn package(folder: &str, name: &str) -> Package {
        let manifest_path = Path::new(folder).join("Cargo.toml");
        Package { name: name.to_owned(), manifest_path, ..Package::default() }
    }

    #[test]
    fn a_crate_that_is_only_part_of_another_name_is_missing() {
        let packages = [package("crates/a", "a"), package("crates/b", "a-b"), package("x", "c")];
        let readme = SourceFile::new("README.md", "- [`a-b`](crates/b): b\n");
        let problems = crate_map(&readme, &packages);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].message, "the crate map lacks `a`");
    }

    fn problems(manifest: &str, readme: &str, member: Option<&str>) -> usize {
        let package = Package { rust_version: member.map(str::to_owned), ..Package::default() };
        let file = |text| SourceFile::new("x", text);
        msrv(&file(manifest), &file(readme), &[package]).len()
    }

    #[test]
    fn one_version_everywhere_passes_and_another_or_none_is_found() {
        let manifest = "[workspace.package]\nrust-version = \"1.88\"\n";
        let readme = "It needs Rust 1.88, or newer.\n\nVersion 1.95 of something else.\n";
        assert_eq!(problems(manifest, readme, Some("1.88")), 0);
        assert_eq!(problems(manifest, "MSRV: 1.88.", Some("1.88")), 0);
        assert_eq!(problems(manifest, "Rust 1.89", Some("1.85")), 2);
        assert_eq!(problems(manifest, "It needs Rust.", None), 2);
        assert_eq!(problems("", readme, None), 1);
    }
}
