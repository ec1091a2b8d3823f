//! Makes the pages of an edition with mdBook.

use anyhow::{Context, Result};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;

use crate::chapter::{code_blocks, drawing, include, lines};
use crate::edition::Edition;
use crate::{Faults, Places, diagram, listing, source};

/// What refers to a note below a table.
const MARKS: [char; 6] = ['¹', '²', '³', '⁴', '⁵', '⁶'];

/// Builds one edition. The other editions are for the links between them.
pub(crate) fn build(
    places: &Places,
    edition: &Edition,
    editions: &[Edition],
    faults: &mut Faults,
) -> Result<()> {
    let language = &edition.language;
    let mut book = MDBook::load(places.language(language))
        .with_context(|| format!("{language}: mdBook cannot read the book"))?;
    book.config.build.build_dir = places.output.join(language);
    book.book.for_each_mut(|item| {
        let BookItem::Chapter(chapter) = item else { return };
        let Some(path) = &chapter.source_path else { return };
        let name = path.to_string_lossy().into_owned();
        let page = Page { places, language, name: &name };
        chapter.content = page.content(&chapter.content, editions, faults);
    });
    book.build().with_context(|| format!("{language}: mdBook cannot build the book"))
}

struct Page<'a> {
    places: &'a Places,
    language: &'a str,
    name: &'a str,
}

impl Page<'_> {
    /// Puts in what the lines name: listings, drawings, files of the repository.
    fn content(&self, text: &str, editions: &[Edition], faults: &mut Faults) -> String {
        let mut result = self.other_editions(editions);
        let code = code_blocks(text);
        for (place, line) in lines(text) {
            let is_code = code.iter().any(|block| block.range.contains(&place.start));
            let line = if is_code { self.code(line) } else { self.words(line) };
            let line = line.unwrap_or_else(|error| {
                faults.add(format!("{}/{}: {error:#}", self.language, self.name));
                String::new()
            });
            result += &line;
            result.push('\n');
        }
        result
    }

    fn code(&self, line: &str) -> Result<String> {
        match include(line) {
            Some(include) => listing::text(&self.places.root, &include),
            None => Ok(line.to_owned()),
        }
    }

    fn words(&self, line: &str) -> Result<String> {
        match drawing(line) {
            Some((caption, name)) => diagram::html(&self.places.root, name, caption, self.language),
            None => Ok(with_marks(&source::link(self.places, line)?)),
        }
    }

    fn other_editions(&self, editions: &[Edition]) -> String {
        let has_it = |edition: &&Edition| {
            edition.language != self.language && edition.chapter(self.name).is_some()
        };
        let page = self.name.replace(".md", ".html");
        let link = |edition: &Edition| {
            let language = &edition.language;
            let called = if language == "zh" { "中文" } else { "English" };
            format!(
                "<div class=\"editions\"><a href=\"../{language}/{page}\">{called}</a></div>\n\n"
            )
        };
        editions.iter().filter(has_it).map(link).collect()
    }
}

/// Keeps the mark of a note in the line of its word.
fn with_marks(line: &str) -> String {
    MARKS.iter().fold(line.to_owned(), |line, mark| {
        line.replace(&format!(" {mark}"), &format!("\u{a0}{mark}"))
    })
}

/// Writes the page that leads to the editions.
pub(crate) fn first_page(places: &Places) -> Result<()> {
    let page = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>procession</title>\n\
        <meta http-equiv=\"refresh\" content=\"0; url=en/index.html\">\n\
        <p><a href=\"en/index.html\">The book</a></p>\n</html>\n";
    std::fs::write(places.output.join("index.html"), page).context("cannot write a page")
}
