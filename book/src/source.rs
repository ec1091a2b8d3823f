//! Makes pages of the files of the repository that chapters link to.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};

use crate::Places;
use crate::chapter::from_root;

/// Replaces the links of a line that lead out of the book by links to pages, which it writes.
pub(crate) fn link(places: &Places, line: &str) -> Result<String> {
    let mut result = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("](../../") {
        let begin = at + 2;
        let end = begin + rest[begin..].find(')').context("a link without an end")?;
        let target = &rest[begin..end];
        let (file, anchor) = target.split_once('#').map_or((target, None), |(f, a)| (f, Some(a)));
        let path =
            from_root(file).with_context(|| format!("a link out of the repository: {target}"))?;
        let page = write_page(places, &path)?;
        result += &rest[..begin];
        result += &format!("../files/{page}");
        if let Some(anchor) = anchor {
            result += &format!("#{anchor}");
        }
        rest = &rest[end..];
    }
    Ok(result + rest)
}

/// Writes the page of a file, and returns its path below `files`.
fn write_page(places: &Places, path: &Path) -> Result<String> {
    let name = path.to_str().context("a path in UTF-8")?;
    let source = places.root.join(path);
    ensure!(source.is_file(), "a link to {name}, which is no file of the repository");
    // mdBook would take `.md.html` for a chapter.
    let page = format!("{}.html", name.strip_suffix(".md").unwrap_or(name));
    let target = places.output.join("files").join(&page);
    if target.exists() {
        return Ok(page);
    }
    let text = std::fs::read_to_string(&source).with_context(|| format!("{name}: no text"))?;
    let body = if name.ends_with(".md") {
        markdown(&text, |image| copy_image(places, path, image))?
    } else {
        format!("<pre><code>{}</code></pre>", escaped(&text))
    };
    std::fs::create_dir_all(target.parent().context("a page is in a folder")?)?;
    std::fs::write(&target, page_of(name, &body))
        .with_context(|| format!("{page}: cannot be written"))?;
    Ok(page)
}

fn page_of(name: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n<p class=\"name\">{name}</p>\n{body}\n</html>\n"
    )
}

const STYLE: &str = ":root { color-scheme: light dark; }\n\
    html { font: 16px/1.5 sans-serif; max-width: 60rem; margin: 1rem auto; padding: 0 1rem; }\n\
    pre, table { overflow-x: auto; display: block; }\n\
    pre { font-size: 0.85em; }\n\
    h1, h2, h3, p, li { overflow-wrap: anywhere; }\n\
    td, th { border: 1px solid #8886; padding: 0.2em 0.5em; vertical-align: top; }\n\
    table { border-collapse: collapse; }\n\
    img { max-width: 100%; background: white; }\n\
    .name { opacity: 0.6; font-family: monospace; }\n";

/// Copies a picture of a page of Markdown beside its page.
fn copy_image(places: &Places, page: &Path, image: &str) -> Result<()> {
    let from = page.with_file_name("").join(image);
    let to = places.output.join("files").join(&from);
    std::fs::create_dir_all(to.parent().context("a picture is in a folder")?)?;
    std::fs::copy(places.root.join(&from), to).with_context(|| format!("no picture {image}"))?;
    Ok(())
}

/// Makes HTML of Markdown: headings get ids, and only links to the page itself and to the web stay.
fn markdown(text: &str, mut on_image: impl FnMut(&str) -> Result<()>) -> Result<String> {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut events: Vec<_> = Parser::new_ext(text, options).collect();
    let mut is_kept = Vec::new();
    let mut heading = None;
    for at in 0..events.len() {
        match &events[at] {
            Event::Start(Tag::Heading { .. }) => heading = Some((at, String::new())),
            Event::Text(text) | Event::Code(text) => {
                if let Some((_, words)) = &mut heading {
                    words.push_str(text);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                if let Some((start, words)) = heading.take()
                    && let Event::Start(Tag::Heading { id, .. }) = &mut events[start]
                {
                    *id = Some(CowStr::from(slug(&words)));
                }
            }
            Event::Start(Tag::Image { dest_url, .. }) if !dest_url.contains("://") => {
                on_image(dest_url)?;
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                let keep = dest_url.starts_with('#') || dest_url.contains("://");
                is_kept.push(keep);
                if !keep {
                    events[at] = Event::Text("".into());
                }
            }
            Event::End(TagEnd::Link) if is_kept.pop() == Some(false) => {
                events[at] = Event::Text("".into());
            }
            _ => {}
        }
    }
    let mut page = String::new();
    html::push_html(&mut page, events.into_iter());
    Ok(page)
}

/// Returns the id of a heading, by the rule of code forges.
pub(crate) fn slug(heading: &str) -> String {
    let letters = heading.to_lowercase();
    let kept = letters.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_has_the_id_that_forges_give_it() {
        assert_eq!(slug("How it works, and `why`"), "how-it-works-and-why");
        let page = markdown("# A b\n[c](d.md) [e](#a-b)\n", |_| Ok(())).unwrap();
        assert!(page.contains("<h1 id=\"a-b\">"), "{page}");
        assert!(!page.contains("d.md") && page.contains("href=\"#a-b\""), "{page}");
    }
}
