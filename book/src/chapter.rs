//! One chapter as text: its listings, its drawings, its code blocks.

use std::path::{Path, PathBuf};

use crate::Faults;

/// A listing that a chapter includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    /// The path from the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) region: String,
}

/// A chapter, before it becomes a page.
pub(crate) struct Chapter {
    /// Its file name, which is that of the original in every language.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) includes: Vec<Include>,
    pub(crate) drawings: Vec<String>,
}

impl Chapter {
    pub(crate) fn new(name: &str, text: String, folder: &str, faults: &mut Faults) -> Self {
        let (mut includes, mut drawings) = (Vec::new(), Vec::new());
        let mut block: Option<(String, Vec<&str>)> = None;
        for line in text.lines() {
            if let Some(kind) = line.trim_start().strip_prefix("```") {
                match block.take() {
                    None => block = Some((kind.to_owned(), Vec::new())),
                    Some((kind, lines)) => check_block(name, folder, &kind, &lines, faults),
                }
                continue;
            }
            if let Some((_, lines)) = &mut block {
                lines.push(line);
            }
            if let Some(include) = include(line) {
                if block.is_none() {
                    faults
                        .add(format!("{folder}/{name}: a listing outside of a code block: {line}"));
                }
                includes.push(include);
            }
            drawings.extend(drawing(line).map(|(_, drawing)| drawing.to_owned()));
        }
        Self { name: name.to_owned(), text, includes, drawings }
    }
}

/// Returns what a line includes, if it is such a line. The path of the line is relative to the chapter.
pub(crate) fn include(line: &str) -> Option<Include> {
    let inner = line.trim().strip_prefix("{{#include ")?.strip_suffix("}}")?;
    let (path, region) = inner.trim().rsplit_once(':')?;
    Some(Include { path: from_root(path)?, region: region.to_owned() })
}

/// Returns the caption and the name of the drawing of a line, if it has one.
pub(crate) fn drawing(line: &str) -> Option<(&str, &str)> {
    let (caption, rest) = line.trim().strip_prefix("![")?.split_once("](../../diagrams/")?;
    Some((caption, rest.strip_suffix(".svg)")?))
}

/// Makes a path from a chapter a path from the root.
pub(crate) fn from_root(path: &str) -> Option<PathBuf> {
    let mut whole = Path::new("book/language/src").to_path_buf();
    for part in Path::new(path).components() {
        match part {
            std::path::Component::ParentDir => whole.pop().then_some(())?,
            std::path::Component::Normal(part) => whole.push(part),
            std::path::Component::CurDir => {}
            _ => return None,
        }
    }
    Some(whole)
}

/// Code in Rust comes from programs that are tested.
fn check_block(name: &str, folder: &str, kind: &str, lines: &[&str], faults: &mut Faults) {
    let is_rust = kind.split(',').next() == Some("rust");
    let is_one_listing = matches!(lines, [line] if include(line).is_some());
    if is_rust && !is_one_listing {
        faults.add(format!("{folder}/{name}: Rust that is no listing: {}", lines.join(" ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults_of(text: &str) -> (Chapter, Vec<String>) {
        let mut faults = Faults::default();
        let chapter = Chapter::new("x.md", text.to_owned(), "en", &mut faults);
        (chapter, faults.0)
    }

    #[test]
    fn a_listing_is_found_with_its_path_from_the_root() {
        let (chapter, faults) = faults_of("```rust\n{{#include ../../chapters/a.rs:main}}\n```\n");
        let path = PathBuf::from("book/chapters/a.rs");
        assert_eq!(chapter.includes, [Include { path, region: "main".to_owned() }]);
        assert_eq!(faults, [""; 0]);
    }

    #[test]
    fn rust_that_is_no_listing_is_a_fault() {
        assert_eq!(faults_of("```rust\nfn main() {}\n```\n").1.len(), 1);
        assert_eq!(faults_of("```go\nfunc main() {}\n```\n").1.len(), 0);
        assert_eq!(faults_of("{{#include ../../chapters/a.rs:main}}\n").1.len(), 1);
    }

    #[test]
    fn a_drawing_has_a_caption() {
        assert_eq!(drawing("![A turn](../../diagrams/turn.svg)"), Some(("A turn", "turn")));
        assert_eq!(drawing("[A turn](../../diagrams/turn.svg)"), None);
    }
}
