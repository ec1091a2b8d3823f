//! Builds the book in each language into `target/book`, and checks it: `cargo xtask book`.
//!
//! It checks that each listing is a region of a program that the tests run, that each link and anchor exists,
//! that the editions have the same listings, drawings and headings, and which chapters of a translation are
//! behind the English ones.
//! It also compares COMPARE.md with the chapter that it is made of; with `--write` it writes that file.

mod build;
mod chapter;
mod compare;
mod diagram;
mod edition;
mod links;
mod listing;
mod source;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};

use edition::Edition;

/// The languages. The first one is the original.
const LANGUAGES: [&str; 2] = ["en", "zh"];

/// What is wrong with the book.
#[derive(Default)]
struct Faults(Vec<String>);

impl Faults {
    fn add(&mut self, fault: impl Into<String>) {
        self.0.push(fault.into());
    }
}

/// The folders that matter.
struct Places {
    /// The root of the repository.
    root: PathBuf,
    /// Where the pages go.
    output: PathBuf,
}

impl Places {
    fn find() -> Result<Self> {
        let manifest = std::env::var("CARGO_MANIFEST_DIR").context("cargo runs this program")?;
        let root = Path::new(&manifest).parent().context("book/ is in a folder")?;
        Ok(Self { root: root.to_owned(), output: root.join("target/book") })
    }

    fn language(&self, language: &str) -> PathBuf {
        self.root.join("book").join(language)
    }
}

/// Builds the book, prints how far each translation is, and returns what is wrong.
fn build(places: &Places) -> Result<Faults> {
    let mut faults = Faults::default();
    if places.output.exists() {
        std::fs::remove_dir_all(&places.output).context("the old pages cannot be removed")?;
    }
    let editions = LANGUAGES
        .iter()
        .map(|language| Edition::read(places, language, &mut faults))
        .collect::<Result<Vec<_>>>()?;
    edition::compare(&editions, places, &mut faults)?;
    for edition in &editions {
        build::build(places, edition, &editions, &mut faults)?;
    }
    build::first_page(places)?;
    let pages = links::check(&places.output, &mut faults)?;
    let chapters: usize = editions.iter().map(|edition| edition.chapters.len()).sum();
    println!("{chapters} chapters in {} languages, {pages} pages in target/book", editions.len());
    Ok(faults)
}

fn run() -> Result<Faults> {
    let places = Places::find()?;
    let mut faults = build(&places)?;
    compare::check(&places, std::env::args().any(|arg| arg == "--write"), &mut faults)?;
    compare::check_readme(&places, &mut faults)?;
    Ok(faults)
}

fn main() -> ExitCode {
    match run() {
        Ok(Faults(faults)) => {
            faults.iter().for_each(|fault| println!("fault: {fault}"));
            if faults.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
