//! Compares the list of Twisted's tests of its process monitor with the tests of this crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("it is there");
    let paths = entries.map(|entry| entry.expect("it is there").path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Returns the names of the tests in a file: of each function that follows a `#[test]`.
fn tests(text: &str) -> Vec<String> {
    let after_mark = text.split("#[test]\n").skip(1);
    let name = |rest: &str| {
        let (_, rest) = rest.split_once("fn ")?;
        rest.split_once('(').map(|(name, _)| name.to_owned())
    };
    after_mark.filter_map(name).collect()
}

/// The list names each of Twisted's tests once, and only tests of ours that exist. `cargo xtask twisted`,
/// which installs Twisted, compares the names with its tests.
#[test]
fn each_of_twisteds_tests_of_its_monitor_has_one_of_ours_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let list = fs::read_to_string(root.join("PROCMON-TESTS.md")).expect("the list");
    let rows: Vec<[&str; 2]> = list
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            <[&str; 2]>::try_from(cells).expect("two cells")
        })
        .collect();
    let theirs: BTreeSet<&str> = rows.iter().map(|[theirs, _]| *theirs).collect();
    assert_eq!((theirs.len(), rows.len()), (36, 36), "each of Twisted's tests is listed once");
    let ours: BTreeSet<String> = [root.join("tests"), root.join("src/monitor")]
        .iter()
        .flat_map(|folder| files(folder))
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .flat_map(|path| tests(&fs::read_to_string(path).expect("text")))
        .collect();
    for [theirs, answer] in rows {
        let is_answered = match answer.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
            Some((name, _)) => ours.contains(name),
            None => answer.strip_prefix("none: ").is_some_and(|reason| !reason.is_empty()),
        };
        assert!(is_answered, "{theirs}: {answer}");
    }
}
