//! The task `tidy`: checks the rules of this repository that no compiler and no lint knows.
//!
//! Each rule is a function from files to problems, in a file below `tidy/`, with tests on made-up
//! input. This file reads the repository once and runs all rules.

mod crate_page;
mod files;
mod import_circles;
mod layering;
mod manifests;
mod non_linux;
mod small_types;
mod sys_alone;
mod twisted_names;
mod words;

use std::path::Path;

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::source::modules::Sources;
use crate::tree::Problem;
use crate::{catalogue, citations, metadata, source, tree};

/// Checks every rule and prints every line that breaks a rule.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    let files = tree::rust_files(sh)?;
    let packages = metadata::packages(sh)?;
    let file = |path| tree::file(&root, path);
    let readme = file("README.md")?;
    let manifests = packages
        .iter()
        .map(|package| tree::file(&root, &package.manifest_path))
        .collect::<Result<Vec<_>>>()?;
    let folders = source::folders(&files).into_iter();
    let libraries: Vec<_> = folders.map(|folder| Sources::parse(&files, folder)).collect();
    let among = |names: &'static [&'static str]| {
        let is_named =
            |sources: &&Sources| names.iter().any(|name| sources.folder == Path::new(name));
        libraries.iter().filter(is_named)
    };
    let crates = || among(&source::CRATES);
    let results: [(&str, Vec<Problem>); 18] = [
        ("files open with //!", files::openings(&files)),
        ("crate pages", crate_page::check(&files)),
        ("layering", layering::check(&file("ARCHITECTURE.md")?, &packages)),
        ("[lints] workspace = true", manifests::lints(&manifests)),
        ("unsafe only in sys", words::unsafe_code(&files)),
        ("case ids", citations::check(&file(catalogue::PATH)?, &files)),
        ("one MSRV", manifests::msrv(&file("Cargo.toml")?, &readme, &packages)),
        ("nothing unfinished", words::unfinished(&files)),
        ("no panic where it is not Linux", non_linux::check(&libraries, &files)),
        ("no ignored test", words::ignored(&files)),
        ("order of imports", files::import_order(&files)),
        ("length of files", files::lengths(&files)),
        ("files are modules", crates().flat_map(Sources::problems).collect()),
        ("no import circle", import_circles::check(crates())),
        ("sys stands alone", sys_alone::check(among(&sys_alone::CRATES))),
        ("types stay small", small_types::check(crates())),
        ("crate map of the README", manifests::crate_map(&readme, &packages)),
        ("names of Twisted", twisted_names::check(&files)),
    ];
    for (rule, problems) in &results {
        println!("{:<32} {}", rule, if problems.is_empty() { "ok" } else { "BROKEN" });
    }
    let problems: Vec<_> = results.iter().flat_map(|(_, problems)| problems).collect();
    for problem in &problems {
        println!("{problem}");
    }
    ensure!(problems.is_empty(), "{} problems in {} files", problems.len(), files.len());
    Ok(())
}
