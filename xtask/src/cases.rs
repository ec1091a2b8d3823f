//! The task `cases`: prints per area how many behaviour cases have a test, and which have none.
//!
//! A case without a test is not an error: the list shows the remaining work. An id that is not in
//! the catalogue is an error, and so is a citation that does not count.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use xshell::Shell;

use crate::catalogue::{self, Area, Catalogue};
use crate::citations::{self, citations};
use crate::tree::{self, SourceFile};

/// Prints the covered and the missing cases.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let root = sh.current_dir();
    let catalogue_file = tree::file(&root, catalogue::PATH)?;
    let files = tree::rust_files(sh)?;
    let (catalogue, _) = Catalogue::parse(&catalogue_file);
    print!("{}", summary(&catalogue, &covered(&files)));
    let problems = citations::check(&catalogue_file, &files);
    for problem in &problems {
        println!("{problem}");
    }
    ensure!(problems.is_empty(), "{} citations are wrong", problems.len());
    Ok(())
}

/// Returns the ids of all citations that count.
fn covered(files: &[SourceFile]) -> BTreeSet<String> {
    let citations = files.iter().flat_map(citations);
    citations.filter(|citation| citation.flaw.is_none()).flat_map(|found| found.ids).collect()
}

fn summary(catalogue: &Catalogue, covered: &BTreeSet<String>) -> String {
    let mut text = String::from("area  covered / total\n");
    let mut done = 0;
    for area in &catalogue.areas {
        let (with, without): (Vec<_>, Vec<_>) =
            area.ids.iter().partition(|id| covered.contains(*id));
        done += with.len();
        let missing = without.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(" ");
        let Area { code, title, ids } = area;
        text += &format!("{code:<5} {:>7} / {:<5} {title}", with.len(), ids.len());
        text += &if missing.is_empty() { "\n".into() } else { format!("  missing: {missing}\n") };
    }
    text + &format!("all   {done:>7} / {}\n", catalogue.total())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_counts_and_names_what_is_missing() {
        let file = SourceFile::new(
            catalogue::PATH,
            "### SE - spawn-errors\n1. **SE-01** [x]\n2. **SE-02** [x]\n### FD - fd-map\n3. **FD-01** [x]\n",
        );
        let (catalogue, _) = Catalogue::parse(&file);
        let tests = [SourceFile::new(
            "tests/a.rs",
            "/// Cases SE-01 and FD-01.\n#[test]\nfn a() { assert!(true) }\n\
             /// Case SE-02.\n#[test]\nfn b() { run() }",
        )];
        let summary = summary(&catalogue, &covered(&tests));
        let lines: Vec<_> = summary.lines().collect();
        assert!(lines[1].starts_with("SE          1 / 2") && lines[1].ends_with("missing: SE-02"));
        assert!(lines[2].starts_with("FD          1 / 1") && !lines[2].contains("missing"));
        assert_eq!(lines[3], "all         2 / 3");
    }
}
