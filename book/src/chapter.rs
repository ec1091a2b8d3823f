//! One chapter as text: its listings, its drawings, its headings, its code blocks.

use std::ops::Range;
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

use crate::Faults;
use crate::source::slug;

/// A listing that a chapter includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Include {
    /// The path from the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) region: String,
}

/// A chapter, before it becomes a page.
#[derive(Default)]
pub(crate) struct Chapter {
    /// Its file name, which is that of the original in every language.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) includes: Vec<Include>,
    pub(crate) drawings: Vec<String>,
    /// The ids of its headings, without that of its title.
    pub(crate) headings: Vec<String>,
}

impl Chapter {
    /// Reads a chapter. `folder` is the language, which faults name.
    pub(crate) fn new(name: &str, text: String, folder: &str, faults: &mut Faults) -> Self {
        let mut chapter = Self { name: name.to_owned(), ..Self::default() };
        let mut fault = |what: &str| faults.add(format!("{folder}/{name}: {what}"));
        let code = code_blocks(&text);
        for block in &code {
            chapter.includes.extend(block.listing(&text).unwrap_or_else(|what| {
                fault(&what);
                None
            }));
        }
        for (range, line) in lines(&text) {
            if code.iter().any(|block| block.range.contains(&range.start)) {
                continue;
            }
            chapter.drawings.extend(drawing(line).map(|(_, drawing)| drawing.to_owned()));
            if line.contains("{{#") {
                fault(&format!("an include outside of a code block: {line}"));
            }
        }
        if chapter.drawings.len() != pictures(&text) {
            fault("a picture that is no line ![caption](../../diagrams/NAME.svg)");
        }
        chapter.headings = headings(&text);
        chapter.text = text;
        chapter
    }
}

/// A code block of a chapter.
pub(crate) struct Block {
    /// The first word behind the fence.
    language: String,
    /// Its place in the chapter, with the fences.
    pub(crate) range: Range<usize>,
    /// What is between the fences.
    content: String,
}

impl Block {
    /// Returns the listing of a block of Rust. Rust comes from programs that are tested, other code does not.
    fn listing(&self, chapter: &str) -> Result<Option<Include>, String> {
        let content = self.content.trim_end();
        let fence = chapter[self.range.clone()].trim_end().lines().last().unwrap_or("").trim();
        if !fence.ends_with("```") {
            return Err(format!("a code block that does not end with ```: {content}"));
        }
        if self.language.is_empty() {
            return Err(format!("a code block without a language: {content}"));
        }
        let listing = include(content);
        match self.language.as_str() {
            "rust" if listing.is_some() => Ok(listing),
            "rust" | "rs" => Err(format!("Rust that is no listing: {content}")),
            _ if content.contains("{{#") => Err(format!("a listing that is not Rust: {content}")),
            _ => Ok(None),
        }
    }
}

/// Returns the code blocks of a chapter.
pub(crate) fn code_blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut is_in_block = false;
    for (event, range) in events(text) {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let language = match kind {
                    CodeBlockKind::Fenced(info) => {
                        info.split([',', ' ']).next().unwrap_or("").to_lowercase()
                    }
                    CodeBlockKind::Indented => String::new(),
                };
                blocks.push(Block { language, range, content: String::new() });
                is_in_block = true;
            }
            Event::End(TagEnd::CodeBlock) => is_in_block = false,
            Event::Text(content) if is_in_block => {
                blocks.last_mut().expect("it has begun").content += &content;
            }
            _ => {}
        }
    }
    blocks
}

/// Returns the lines of a chapter, without their ends, and their places.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (Range<usize>, &str)> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        (range, line.trim_end_matches('\n'))
    })
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
            Component::ParentDir => whole.pop().then_some(())?,
            Component::Normal(part) => whole.push(part),
            Component::CurDir => {}
            _ => return None,
        }
    }
    Some(whole)
}

fn pictures(text: &str) -> usize {
    events(text).filter(|(event, _)| matches!(event, Event::Start(Tag::Image { .. }))).count()
}

/// Returns the ids of the headings below the title: those that they name, or what mdBook makes of them.
fn headings(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut words: Option<String> = None;
    let mut named = None;
    for (event, _) in events(text) {
        match event {
            Event::Start(Tag::Heading { level, id, .. }) if level != HeadingLevel::H1 => {
                words = Some(String::new());
                named = id;
            }
            Event::Text(text) | Event::Code(text) => {
                if let Some(words) = &mut words {
                    words.push_str(&text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let id =
                    |words: String| named.take().map_or_else(|| slug(&words), |id| id.to_string());
                found.extend(words.take().map(id));
            }
            _ => {}
        }
    }
    found
}

fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_HEADING_ATTRIBUTES;
    Parser::new_ext(text, options).into_offset_iter()
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
        let not_listings = [
            "```rust\nfn main() {}\n```\n",
            "```Rust,ignore\nfn main() {}\n```\n",
            "```rs\nfn main() {}\n```\n",
            "```rust\n{{#include a.rs:main}}\nfn more() {}\n```\n",
            "```rust\n{{#include a.rs}}\n```\n",
            "```rust\n{{#rustdoc_include a.rs:main}}\n```\n",
            "~~~rust\nfn main() {}\n~~~\n",
            "```rust\nfn main() {}\n",
            "```\nfn main() {}\n```\n",
            "Text.\n\n    fn main() {}\n",
            "{{#include ../../chapters/a.rs:main}}\n",
            "Text with {{#include ../../chapters/a.rs}}.\n",
            "```text\n{{#include ../../chapters/a.rs:main}}\n```\n",
        ];
        for text in not_listings {
            assert_eq!(faults_of(text).1.len(), 1, "{text}");
        }
        assert_eq!(faults_of("```go\nfunc main() {}\n```\n").1, [""; 0]);
    }

    #[test]
    fn a_drawing_has_a_caption_and_a_line_of_its_own() {
        assert_eq!(drawing("![A turn](../../diagrams/turn.svg)"), Some(("A turn", "turn")));
        assert_eq!(drawing("[A turn](../../diagrams/turn.svg)"), None);
        assert_eq!(faults_of("![A turn](../../diagrams/turn.svg)\n").0.drawings, ["turn"]);
        assert_eq!(faults_of("See ![a turn](../../diagrams/turn.svg).\n").1.len(), 1);
        assert_eq!(faults_of("![A photo](photo.png)\n").1.len(), 1);
        assert_eq!(faults_of("`vec![1](2)`\n").1, [""; 0]);
    }

    #[test]
    fn a_heading_has_the_id_that_it_names_or_that_mdbook_makes() {
        let (chapter, _) = faults_of("# Title\n## What a `Run` does\n### 标题 {#the-id}\n");
        assert_eq!(chapter.headings, ["what-a-run-does", "the-id"]);
    }
}
