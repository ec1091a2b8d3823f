//! The oldest Rust that works is the same wherever it is written: in the root manifest and so in
//! every member, in clippy.toml, and in the README beside the word "Rust" or "MSRV".

use crate::metadata::Package;
use crate::tree::{Problem, SourceFile};

/// Where the version is written.
pub(crate) struct Sources<'a> {
    pub(crate) manifest: SourceFile,
    pub(crate) clippy: SourceFile,
    pub(crate) readme: SourceFile,
    pub(crate) packages: &'a [Package],
}

/// Compares all of them with the root manifest.
pub(crate) fn check(sources: &Sources<'_>) -> Vec<Problem> {
    let Some((_, wanted)) = assigned(&sources.manifest.text, "rust-version").into_iter().next()
    else {
        return vec![sources.manifest.problem(1, "no `rust-version`")];
    };
    let mut problems = Vec::new();
    let mut compare = |file: &SourceFile, found: Vec<(usize, String)>| {
        if found.is_empty() {
            problems.push(file.problem(1, format!("does not say that Rust {wanted} is needed")));
        }
        let wrong = found.into_iter().filter(|(_, version)| *version != wanted);
        problems.extend(wrong.map(|(line, version)| {
            file.problem(line, format!("says Rust {version}; the root manifest says {wanted}"))
        }));
    };
    compare(&sources.clippy, assigned(&sources.clippy.text, "msrv"));
    compare(&sources.readme, written(&sources.readme.text));
    for package in sources.packages {
        let manifest = SourceFile::new(package.folder.join("Cargo.toml"), "");
        compare(&manifest, package.rust_version.iter().map(|v| (1, v.clone())).collect());
    }
    problems
}

/// The lines `key = "version"`.
fn assigned(text: &str, key: &str) -> Vec<(usize, String)> {
    let found = (1..).zip(text.lines()).filter_map(|(line, text)| {
        let value = text.trim().strip_prefix(key)?.trim().strip_prefix('=')?.trim();
        Some((line, value.trim_matches('"').to_owned()))
    });
    found.collect()
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

    fn check_texts(clippy: &str, readme: &str, member: Option<&str>) -> usize {
        let package = Package { rust_version: member.map(str::to_owned), ..Package::default() };
        let manifest = "[workspace.package]\nrust-version = \"1.88\"\n";
        check(&Sources {
            manifest: SourceFile::new("Cargo.toml", manifest),
            clippy: SourceFile::new("clippy.toml", clippy),
            readme: SourceFile::new("README.md", readme),
            packages: &[package],
        })
        .len()
    }

    #[test]
    fn one_version_everywhere_passes() {
        let readme = "It needs Rust 1.88, or newer.\n\nVersion 1.95 of something else.\n";
        assert_eq!(check_texts("msrv = \"1.88\"", readme, Some("1.88")), 0);
        assert_eq!(check_texts("msrv = \"1.88\"", "MSRV: 1.88.", Some("1.88")), 0);
    }

    #[test]
    fn each_other_version_is_found() {
        assert_eq!(check_texts("msrv = \"1.87\"", "Rust 1.89", Some("1.85")), 3);
    }

    #[test]
    fn each_missing_version_is_found() {
        assert_eq!(check_texts("", "It needs Rust.", None), 3);
    }

    #[test]
    fn a_manifest_without_a_version_is_found() {
        let empty = || SourceFile::new("x", "");
        let sources =
            Sources { manifest: empty(), clippy: empty(), readme: empty(), packages: &[] };
        assert_eq!(check(&sources).len(), 1);
    }
}
