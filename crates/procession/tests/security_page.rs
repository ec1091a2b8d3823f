//! Every test that SECURITY.md names exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn every_test_that_a_promise_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("SECURITY.md")).expect("SECURITY.md");
    let named: BTreeSet<&str> =
        page.split('`').skip(1).step_by(2).filter(|word| word.matches('_').count() > 2).collect();
    assert!(named.len() > 30, "only {named:?}");
    let mut tests = BTreeSet::new();
    for package in fs::read_dir(root.join("crates")).expect("crates") {
        let folder = package.expect("an entry").path().join("tests");
        let Ok(files) = fs::read_dir(folder) else { continue };
        for file in files {
            let path = file.expect("an entry").path();
            if path.extension().is_some_and(|extension| extension == "rs") {
                let source = fs::read_to_string(&path).expect("a test file");
                let functions = source.split("\nfn ").skip(1);
                tests.extend(functions.filter_map(|rest| Some(rest.split_once('(')?.0.to_owned())));
            }
        }
    }
    let missing: Vec<_> = named.iter().filter(|name| !tests.contains(**name)).collect();
    assert!(missing.is_empty(), "SECURITY.md names tests that are not there: {missing:?}");
}
