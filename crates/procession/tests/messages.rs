//! What every public error says: the text of each variant is here, provoked where that is possible.
//!
//! Which errors there are is read from the sources, so that one without a row fails the test. Each is
//! printed alone, and with its sources behind it, as a program that prints the whole chain does:
//! nothing may be said twice.

#[path = "messages/children.rs"]
mod children;
#[path = "messages/declared.rs"]
mod declared;
#[path = "messages/helpers.rs"]
mod helpers;
#[path = "messages/loops.rs"]
mod loops;
#[path = "messages/network.rs"]
mod network;
#[path = "messages/spawning.rs"]
mod spawning;

use std::collections::BTreeSet;
use std::error::Error;

/// An error, as it was provoked, and the text that it is to print.
struct Row {
    /// The type and its variant, as in the sources.
    of: &'static str,
    /// Itself first, then its sources.
    chain: Vec<String>,
    expected: String,
}

fn row(of: &'static str, error: &dyn Error, expected: impl Into<String>) -> Row {
    let mut chain = vec![steady(&error.to_string())];
    let mut source = error.source();
    while let Some(error) = source {
        chain.push(steady(&error.to_string()));
        source = error.source();
    }
    Row { of, chain, expected: expected.into() }
}

/// Replaces times, as in "after 0.02 s", which no run has twice.
fn steady(text: &str) -> String {
    let mut words: Vec<String> = text.split(' ').map(ToOwned::to_owned).collect();
    for at in 1..words.len() {
        let is_time = words[at - 1] == "after" && words[at].parse::<f64>().is_ok();
        let has_unit = words.get(at + 1).is_some_and(|unit| unit.starts_with('s'));
        if is_time && has_unit && words[at].contains('.') {
            words[at] = "N".to_owned();
        }
    }
    words.join(" ")
}

/// Cases BI-12, BI-14 and SE-23.
#[test]
fn every_error_says_what_failed_on_what_and_why_once() {
    let mut rows = loops::rows();
    rows.extend(spawning::rows());
    rows.extend(children::rows());
    rows.extend(network::rows());
    rows.extend(helpers::rows());
    let wrong = rows.iter().filter(|row| row.chain[0] != row.expected);
    let wrong: Vec<String> = wrong
        .map(|Row { of, chain, expected }| format!("{of}:\n  is {}\n  not {expected}", chain[0]))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for Row { of, chain, .. } in &rows {
        assert_nothing_twice(of, chain);
    }
    let named: BTreeSet<String> = rows.iter().map(|row| row.of.to_owned()).collect();
    let declared = declared::errors();
    let missing: Vec<_> = declared.difference(&named).collect();
    assert!(missing.is_empty(), "errors without a row: {missing:?}");
    let unknown: Vec<_> = named.difference(&declared).collect();
    assert!(unknown.is_empty(), "rows of errors that are not declared: {unknown:?}");
}

/// No part of a message, as colons divide it, is said again, by itself or by a source.
fn assert_nothing_twice(of: &str, chain: &[String]) {
    let mut said = BTreeSet::new();
    for part in chain.iter().flat_map(|text| text.split(": ")) {
        // As an `io::Error` of the system ends.
        let part = part.split(" (os error ").next().unwrap_or(part);
        assert!(said.insert(part), "{of} says {part:?} twice: {chain:?}");
    }
}

#[test]
fn what_is_said_twice_is_found() {
    let chain = ["cannot open x: denied".to_owned(), "denied".to_owned()];
    let found = std::panic::catch_unwind(|| assert_nothing_twice("x", &chain));
    assert!(found.is_err());
    let chain = ["cannot open x: denied".to_owned(), "denied (os error 13)".to_owned()];
    let found = std::panic::catch_unwind(|| assert_nothing_twice("x", &chain));
    assert!(found.is_err());
    assert_eq!(steady("ended after 0.17 s: after 3.0 b"), "ended after N s: after 3.0 b");
}
