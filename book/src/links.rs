//! Checks that each link of the built pages leads somewhere.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::Faults;

/// Pages that mdBook makes for itself.
const NOT_CHECKED: [&str; 3] = ["404.html", "print.html", "toc.html"];

/// Checks all pages below a folder, and returns how many there are.
///
/// # Errors
///
/// If a page cannot be read.
pub(crate) fn check(output: &Path, faults: &mut Faults) -> Result<usize> {
    let mut pages = HashMap::new();
    collect(output, &mut pages)?;
    for (path, text) in &pages {
        for link in attributes(text, "href").chain(attributes(text, "src")) {
            if let Some(why) = broken(path, link, &pages) {
                let page = path.strip_prefix(output).unwrap_or(path);
                faults.add(format!("{}: the link {link} {why}", page.display()));
            }
        }
    }
    Ok(pages.len())
}

fn collect(folder: &Path, pages: &mut HashMap<PathBuf, String>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        if path.is_dir() {
            collect(&path, pages)?;
        } else if name.ends_with(".html") && !NOT_CHECKED.contains(&name.as_str()) {
            let text = std::fs::read_to_string(&path);
            let text = text.with_context(|| format!("{}: cannot be read", path.display()))?;
            pages.insert(path, text);
        }
    }
    Ok(())
}

/// Returns why a link is broken, if it is. What lies on other hosts is not looked at.
fn broken(page: &Path, link: &str, pages: &HashMap<PathBuf, String>) -> Option<&'static str> {
    if link.contains("://") || link.starts_with("data:") || link.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = link.split_once('#').map_or((link, ""), |(file, anchor)| (file, anchor));
    let file = file.split('?').next().unwrap_or(file);
    let target = if file.is_empty() { page.to_owned() } else { plain(page, file) };
    if !target.is_file() {
        return Some("leads to no file");
    }
    let has_anchor = |text: &String| attributes(text, "id").any(|id| id == anchor);
    let is_there = anchor.is_empty() || pages.get(&target).is_none_or(has_anchor);
    (!is_there).then_some("leads to no such place of its page")
}

/// Returns the path of a link from a page.
fn plain(page: &Path, link: &str) -> PathBuf {
    let mut path = page.with_file_name("");
    for part in link.split('/') {
        match part {
            ".." => drop(path.pop()),
            "." | "" => {}
            part => path.push(part),
        }
    }
    path
}

/// Returns the values of an attribute, each once.
fn attributes<'a>(text: &'a str, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
    let begin = format!(" {name}=\"");
    let mut found = HashSet::new();
    for (at, _) in text.match_indices(&begin) {
        found.extend(text[at + begin.len()..].split('"').next());
    }
    found.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_to_nothing_is_found() {
        let page = PathBuf::from("/nowhere/en/a.html");
        let pages = HashMap::from([(page.clone(), "<h1 id=\"b\">".to_owned())]);
        assert_eq!(broken(&page, "c.html", &pages), Some("leads to no file"));
        assert_eq!(broken(&page, "https://example.org/", &pages), None);
        assert_eq!(plain(&page, "../zh/a.html"), PathBuf::from("/nowhere/zh/a.html"));
        assert_eq!(broken(&page, "#b", &pages), Some("leads to no file"));
        let text = "<a href=\"x\"><a data-href=\"y\"><a href=\"x\">";
        assert_eq!(attributes(text, "href").collect::<Vec<_>>(), ["x"]);
    }
}
