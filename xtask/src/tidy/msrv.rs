//! The oldest Rust that works is the same wherever it is written: in the root manifest and so in
//! every member, which is where clippy reads it, and in the README beside the word "Rust" or "MSRV".

use crate::metadata::Package;
use crate::tree::{Problem, SourceFile};

/// Compares the README and the members with the root manifest.
pub(super) fn check(
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
        let manifest = SourceFile::new(package.folder.join("Cargo.toml"), "");
        manifest.problem(1, format!("does not inherit rust-version, which is {wanted}"))
    }));
    problems
}

/// The version on the line `rust-version = "…"`.
fn version(line: &str) -> Option<&str> {
    let value = line.strip_prefix("rust-version")?.trim_start().strip_prefix('=')?;
    Some(value.trim().trim_matches('"'))
}

/// Every version such as `1.88` on a line of prose that speaks of Rust or the MSRV.
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
    use super::*;

    fn problems(manifest: &str, readme: &str, member: Option<&str>) -> usize {
        let package = Package { rust_version: member.map(str::to_owned), ..Package::default() };
        let file = |text| SourceFile::new("x", text);
        check(&file(manifest), &file(readme), &[package]).len()
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
