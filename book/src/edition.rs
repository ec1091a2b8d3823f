//! The book in one language, and how it compares with the original.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::chapter::Chapter;
use crate::{Faults, Places};

/// The digits of a hash that a translation must name at least.
const DIGITS: usize = 8;

/// The book in one language.
pub(crate) struct Edition {
    pub(crate) language: String,
    /// In the order of its `SUMMARY.md`.
    pub(crate) chapters: Vec<Chapter>,
}

impl Edition {
    pub(crate) fn read(places: &Places, language: &str, faults: &mut Faults) -> Result<Self> {
        let folder = places.language(language).join("src");
        let summary = std::fs::read_to_string(folder.join("SUMMARY.md"));
        let summary = summary.with_context(|| format!("{language}: no SUMMARY.md"))?;
        let mut chapters = Vec::new();
        for name in names(&summary) {
            match std::fs::read_to_string(folder.join(name)) {
                Ok(text) => chapters.push(Chapter::new(name, text, language, faults)),
                Err(error) => faults.add(format!("{language}/{name}: {error}")),
            }
        }
        for file in std::fs::read_dir(&folder)? {
            let name = file?.file_name().to_string_lossy().into_owned();
            let is_listed = chapters.iter().any(|chapter| chapter.name == name);
            if name.ends_with(".md") && name != "SUMMARY.md" && !is_listed {
                faults.add(format!("{language}/{name}: not in SUMMARY.md"));
            }
        }
        Ok(Self { language: language.to_owned(), chapters })
    }

    pub(crate) fn chapter(&self, name: &str) -> Option<&Chapter> {
        self.chapters.iter().find(|chapter| chapter.name == name)
    }
}

/// Returns the files of a summary, in its order.
fn names(summary: &str) -> impl Iterator<Item = &str> {
    let target = |line: &'_ str| -> Option<(usize, usize)> {
        let begin = line.find("](")? + 2;
        Some((begin, begin + line[begin..].find(')')?))
    };
    let names = summary.lines().filter_map(move |line| target(line).map(|(a, b)| &line[a..b]));
    names.filter(|name| !name.is_empty())
}

/// Prints how far each translation is, and compares what it shows with the original.
///
/// # Errors
///
/// If there is no git.
pub(crate) fn compare(editions: &[Edition], places: &Places, faults: &mut Faults) -> Result<()> {
    let Some((original, translations)) = editions.split_first() else { return Ok(()) };
    for edition in translations {
        for wanted in &original.chapters {
            let Some(chapter) = edition.chapter(&wanted.name) else {
                println!("{}/{}: missing", edition.language, wanted.name);
                continue;
            };
            let path = places.language(&original.language).join("src").join(&wanted.name);
            let hash = hash(&path)?;
            match followed(&chapter.text) {
                None => faults.add(format!(
                    "{}/{}: the first line is not <!-- follows HASH -->",
                    edition.language, chapter.name
                )),
                Some(followed) if !hash.starts_with(followed) => {
                    println!("{}/{}: behind; now {hash}", edition.language, chapter.name);
                }
                Some(_) => {
                    for what in differences(chapter, wanted) {
                        faults.add(format!(
                            "{}/{}: other {what} than the original",
                            edition.language, chapter.name
                        ));
                    }
                }
            }
        }
        compare_order(edition, original, faults);
    }
    Ok(())
}

/// Checks that a translation has only chapters of the original, in its order.
fn compare_order(edition: &Edition, original: &Edition, faults: &mut Faults) {
    for chapter in &edition.chapters {
        if original.chapter(&chapter.name).is_none() {
            faults.add(format!("{}/{}: no original", edition.language, chapter.name));
        }
    }
    let names = edition.chapters.iter().filter(|chapter| original.chapter(&chapter.name).is_some());
    let wanted =
        original.chapters.iter().filter(|chapter| edition.chapter(&chapter.name).is_some());
    if !names.map(|chapter| &chapter.name).eq(wanted.map(|chapter| &chapter.name)) {
        faults.add(format!("{}/SUMMARY.md: another order than the original", edition.language));
    }
}

/// Returns what a translation shows otherwise than the original.
fn differences(chapter: &Chapter, original: &Chapter) -> impl Iterator<Item = &'static str> {
    let pairs = [
        ("listings", chapter.includes != original.includes),
        ("drawings", chapter.drawings != original.drawings),
        ("headings", chapter.headings != original.headings),
    ];
    pairs.into_iter().filter_map(|(what, is_different)| is_different.then_some(what))
}

/// Returns the hash that a translation names in its first line.
fn followed(text: &str) -> Option<&str> {
    let line = text.lines().next()?;
    let hash = line.trim().strip_prefix("<!-- follows ")?.strip_suffix("-->")?.trim();
    let is_hash = hash.len() >= DIGITS && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hash.then_some(hash)
}

/// Returns git's hash of a file's content.
pub(crate) fn hash(path: &Path) -> Result<String> {
    let output = Command::new("git").arg("hash-object").arg(path).output().context("no git")?;
    ensure!(output.status.success(), "git hash-object {} has failed", path.display());
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_has_the_names_in_order() {
        let summary = "# Summary\n[Why](why.md)\n# Part\n- [One](one.md)\n- [Draft]()\n";
        assert_eq!(names(summary).collect::<Vec<_>>(), ["why.md", "one.md"]);
    }

    #[test]
    fn the_first_line_of_a_translation_has_a_hash() {
        assert_eq!(followed("<!-- follows 0123abcd -->\n# 为什么\n"), Some("0123abcd"));
        assert_eq!(followed("# 为什么\n"), None);
        assert_eq!(followed("<!-- follows 01 -->\n"), None);
    }
}
