//! What the root of the repository shares with the book: COMPARE.md is the chapter of comparison, and the
//! README has a listing.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::chapter::Include;
use crate::{Faults, Places, listing};

const NOTE: &str = "<!-- Made of book/en/src/comparison.md by `cargo xtask book --write`. -->\n\n";

/// Compares COMPARE.md with the chapter, or writes it.
///
/// # Errors
///
/// If a file cannot be read or written.
pub(crate) fn check(places: &Places, write: bool, faults: &mut Faults) -> Result<()> {
    let chapter = std::fs::read_to_string(places.language("en").join("src/comparison.md"))
        .context("no chapter of comparison")?;
    let wanted = NOTE.to_owned() + &for_the_root(&chapter);
    let path = places.root.join("COMPARE.md");
    if write {
        return std::fs::write(path, wanted).context("cannot write COMPARE.md");
    }
    if std::fs::read_to_string(path).ok().as_deref() != Some(&*wanted) {
        faults.add("COMPARE.md is not the chapter: cargo xtask book --write");
    }
    Ok(())
}

/// Checks that the README shows the program on tokio as the tests run it. As a doctest it would need the
/// feature `tokio`.
///
/// # Errors
///
/// If the README or the program cannot be read.
pub(crate) fn check_readme(places: &Places, faults: &mut Faults) -> Result<()> {
    let path = PathBuf::from("book/chapters/tests/chapters/readme_tokio.rs");
    let shown = listing::text(&places.root, &Include { path, region: "main".to_owned() })?;
    let readme = std::fs::read_to_string(places.root.join("README.md")).context("no README.md")?;
    if !readme.contains(&format!("```rs\n{shown}\n```")) {
        faults.add("README.md: the program on tokio is not that of readme_tokio.rs");
    }
    Ok(())
}

/// Makes the links of a chapter links from the root of the repository.
fn for_the_root(chapter: &str) -> String {
    // Each part but the first begins with the target of a link.
    let mut parts = chapter.split("](");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result += "](";
        let file = part.split([')', '#']).next().unwrap_or_default();
        match part.strip_prefix("../../../") {
            Some(from_the_root) => result += from_the_root,
            None if file.ends_with(".md") && !file.contains("://") => {
                result += "book/en/src/";
                result += part;
            }
            None => result += part,
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_the_same_files() {
        let chapter = "[a](../../../docs/x.md#y), [b](why.md#z), [c](https://e.org/x.md)\n";
        let wanted = "[a](docs/x.md#y), [b](book/en/src/why.md#z), [c](https://e.org/x.md)\n";
        assert_eq!(for_the_root(chapter), wanted);
    }
}
