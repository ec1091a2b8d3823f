//! Drawings: SVG in the pages, so that it has the colours of the page, with its texts translated.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};

/// Returns a drawing as HTML.
///
/// # Errors
///
/// If the drawing, or the translation of one of its texts, is missing.
pub(crate) fn html(root: &Path, name: &str, caption: &str, language: &str) -> Result<String> {
    let folder = root.join("book/diagrams");
    let svg = std::fs::read_to_string(folder.join(format!("{name}.svg")));
    let mut svg = svg.with_context(|| format!("no drawing {name}"))?;
    if language != "en" {
        let words = std::fs::read_to_string(folder.join(format!("{language}.txt")));
        let words = words.with_context(|| format!("no texts of drawings in {language}"))?;
        svg = translated(&svg, &translations(&words)).with_context(|| format!("{name}.svg"))?;
    }
    // A blank line would end the HTML in Markdown.
    let lines = svg.lines().skip_while(|line| !line.starts_with("<svg"));
    let svg: Vec<_> = lines.filter(|line| !line.trim().is_empty()).collect();
    let svg = svg.join("\n");
    Ok(format!("<figure>\n{svg}\n<figcaption>{caption}</figcaption>\n</figure>"))
}

/// Reads lines of the form `English = translation`.
fn translations(words: &str) -> HashMap<&str, &str> {
    words.lines().filter_map(|line| line.split_once(" = ")).collect()
}

/// Replaces the content of each `<text>`, which is a line of its own. Code stays.
fn translated(svg: &str, words: &HashMap<&str, &str>) -> Result<String> {
    let mut result = String::new();
    for line in svg.lines() {
        if line.contains("<text") && !is_code(line) {
            let (begin, text, end) =
                content(line).with_context(|| format!("not one text in one line: {line}"))?;
            let word = words.get(text).with_context(|| format!("no translation of {text:?}"))?;
            result += &format!("{begin}{word}{end}\n");
        } else {
            result += &format!("{line}\n");
        }
    }
    Ok(result)
}

/// Cuts a line with one text into what is before the text, the text, and what is behind it.
fn content(line: &str) -> Option<(&str, &str, &str)> {
    let end = line.trim_end().strip_suffix("</text>")?.len();
    let begin = line[..end].rfind('>')? + 1;
    (line.matches("<text").count() == 1).then(|| (&line[..begin], &line[begin..end], &line[end..]))
}

/// Names of the program are the same in every language.
fn is_code(line: &str) -> bool {
    line.contains("class=\"code")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_translated_and_code_is_not() {
        let svg = "<svg>\n<text x=\"1\">parent</text>\n<text class=\"code\">write</text>\n</svg>\n";
        let words = translations("parent = 父进程\n");
        let wanted =
            "<svg>\n<text x=\"1\">父进程</text>\n<text class=\"code\">write</text>\n</svg>\n";
        assert_eq!(translated(svg, &words).unwrap(), wanted);
        assert!(translated("<text>child</text>\n", &words).is_err());
        assert!(translated("<text>\nparent</text>\n", &words).is_err());
        assert!(translated("<text>parent</text> <text>parent</text>\n", &words).is_err());
    }
}
