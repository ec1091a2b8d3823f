//! Builds a small book in a folder of its own, and breaks it in each way that the checks claim to find.

use std::path::Path;

use tempfile::TempDir;

use crate::{LANGUAGES, Places, build};

/// A program that the tests run, as far as the book knows.
const PROGRAM: &str = "// ANCHOR: main\nfn main() {}\n// ANCHOR_END: main\n\n// ANCHOR: open\n";
const LISTING: &str = "```rust\n{{#include ../../chapters/tests/chapters/one.rs:main}}\n```\n";
const DRAWING: &str = "<svg>\n<text>parent</text>\n</svg>\n";

struct Book {
    folder: TempDir,
}

impl Book {
    /// Makes a book of two chapters in each language, without a fault.
    fn new() -> Self {
        let book = Self { folder: tempfile::tempdir().unwrap() };
        book.write("docs/page.md", "# Page\n\n## A part\n");
        book.write("book/chapters/tests/chapters/main.rs", "mod one;\n");
        book.write("book/chapters/tests/chapters/one.rs", PROGRAM);
        book.write("book/chapters/tests/chapters/other.rs", PROGRAM);
        book.write("book/diagrams/turn.svg", DRAWING);
        book.write("book/diagrams/zh.txt", "parent = 父进程\n");
        for language in LANGUAGES {
            book.write(&format!("book/{language}/book.toml"), "[book]\ntitle = \"small\"\n");
            let summary = "# Summary\n\n[One](one.md)\n\n- [Two](two.md)\n";
            book.write(&format!("book/{language}/src/SUMMARY.md"), summary);
            let one = "yes ¹ [two](two.md#a-heading) [page](../../../docs/page.md#a-part)\n\n";
            let one = format!("# One\n\n{one}{LISTING}\n![A turn](../../diagrams/turn.svg)\n");
            book.write(&format!("book/{language}/src/one.md"), &one);
            book.write(&format!("book/{language}/src/two.md"), "# Two\n\n## A heading\n\nText.\n");
        }
        book.follow("one.md");
        book.follow("two.md");
        book
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn replace(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name);
        assert!(text.contains(from), "{name}");
        self.write(name, &text.replace(from, to));
    }

    /// Makes the Chinese chapter name the English one as it is now.
    fn follow(&self, chapter: &str) {
        let hash = crate::edition::hash(&self.path(&format!("book/en/src/{chapter}"))).unwrap();
        let name = format!("book/zh/src/{chapter}");
        let text = self.read(&name);
        let text = text.split_once("-->\n").map_or(&*text, |(_, text)| text);
        self.write(&name, &format!("<!-- follows {hash} -->\n{text}"));
    }

    /// Changes both languages in the same way.
    fn replace_in_both(&self, chapter: &str, from: &str, to: &str) {
        for language in LANGUAGES {
            self.replace(&format!("book/{language}/src/{chapter}"), from, to);
        }
        self.follow(chapter);
    }

    fn faults(&self) -> Vec<String> {
        let root: &Path = self.folder.path();
        build(&Places { root: root.to_owned(), output: root.join("target/book") }).unwrap().0
    }

    /// Checks that there is a fault with these words, and no fault of another kind.
    #[track_caller]
    fn has_only(&self, words: &str) {
        let faults = self.faults();
        assert!(!faults.is_empty(), "nothing found: {words}");
        assert!(faults.iter().all(|fault| fault.contains(words)), "not only {words}: {faults:?}");
    }
}

#[test]
fn a_whole_book_has_no_fault_and_shows_what_it_names() {
    let book = Book::new();
    assert_eq!(book.faults(), [""; 0]);
    let page = book.read("target/book/zh/one.html");
    for wanted in
        ["fn main() {}", "父进程", "yes\u{a0}¹", "../files/docs/page.html#a-part", "../en/one.html"]
    {
        assert!(page.contains(wanted), "{wanted}");
    }
}

#[test]
fn a_link_to_nothing_is_found() {
    let book = Book::new();
    book.replace_in_both("one.md", "two.md#", "three.md#");
    book.has_only("leads to no file");
    let book = Book::new();
    book.replace_in_both("one.md", "two.md#a-heading", "two.md#a-header");
    book.has_only("leads to no such place");
    let book = Book::new();
    book.replace_in_both("one.md", "page.md#a-part", "page.md#a-port");
    book.has_only("leads to no such place");
    let book = Book::new();
    book.replace_in_both("one.md", "docs/page.md", "docs/nothing.md");
    book.has_only("no file of the repository");
}

#[test]
fn a_listing_that_is_no_region_of_a_tested_program_is_found() {
    for (from, to, words) in [
        (":main", ":nothing", "no region nothing"),
        (":main", ":open", "no region open"),
        ("one.rs:", "other.rs:", "no test runs this file"),
        ("one.rs:", "nothing.rs:", "no test runs this file"),
        ("{{#include", "{{#rustdoc_include", "Rust that is no listing"),
    ] {
        let book = Book::new();
        book.replace_in_both("one.md", from, to);
        book.has_only(words);
    }
}

#[test]
fn a_chapter_that_shows_other_things_than_the_original_is_found() {
    let book = Book::new();
    book.write("book/chapters/tests/chapters/one.rs", &PROGRAM.replace("main", "two"));
    book.replace("book/zh/src/one.md", ":main", ":two");
    assert!(book.faults().contains(&"zh/one.md: other listings than the original".to_owned()));
    let book = Book::new();
    book.replace("book/zh/src/one.md", "![A turn](../../diagrams/turn.svg)", "");
    book.has_only("zh/one.md: other drawings than the original");
    let book = Book::new();
    book.replace("book/zh/src/two.md", "## A heading", "## 标题 {#a-header}");
    assert!(book.faults().contains(&"zh/two.md: other headings than the original".to_owned()));
    let book = Book::new();
    book.replace(
        "book/zh/src/SUMMARY.md",
        "[One](one.md)\n\n- [Two](two.md)",
        "- [Two](two.md)\n- [One](one.md)",
    );
    book.has_only("zh/SUMMARY.md: another order");
}

#[test]
fn a_chapter_that_is_behind_may_differ_but_names_what_it_follows() {
    let book = Book::new();
    let text = book.read("book/en/src/two.md") + "\n## Another heading\n";
    book.write("book/en/src/two.md", &text);
    assert_eq!(book.faults(), [""; 0]);
    let text = book.read("book/zh/src/two.md");
    book.write("book/zh/src/two.md", text.split_once('\n').unwrap().1);
    book.has_only("zh/two.md: the first line is not <!-- follows HASH -->");
}

#[test]
fn a_file_that_is_no_chapter_and_a_chapter_that_is_no_file_are_found() {
    let book = Book::new();
    book.write("book/en/src/three.md", "# Three\n");
    book.has_only("en/three.md: not in SUMMARY.md");
    let book = Book::new();
    book.write("book/zh/src/three.md", "# 三\n");
    book.replace("book/zh/src/SUMMARY.md", "- [Two]", "- [三](three.md)\n- [Two]");
    book.has_only("zh/three.md: no original");
}

#[test]
fn a_drawing_without_a_translation_is_found() {
    let book = Book::new();
    book.write("book/diagrams/turn.svg", &DRAWING.replace("parent", "child"));
    book.has_only("no translation of \"child\"");
    let book = Book::new();
    book.replace_in_both("one.md", "turn.svg", "round.svg");
    book.has_only("no drawing round");
}
