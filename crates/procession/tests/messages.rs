//! The message of every public error. Each variant has a row with its text; the row provokes the error
//! if a test can.
//!
//! The test reads the sources to find the errors, and fails for one without a row. It checks the
//! message of each error, and the messages of the chain of its sources, as a program prints them: no
//! part of them may repeat another. Every error converts to an `io::Error`.

#[path = "messages/children.rs"]
mod children;
#[path = "messages/conversions.rs"]
mod conversions;
#[path = "messages/declared.rs"]
mod declared;
#[path = "messages/dialogues.rs"]
mod dialogues;
#[path = "messages/helpers.rs"]
mod helpers;
#[path = "messages/loops.rs"]
mod loops;
#[path = "messages/machines.rs"]
mod machines;
#[path = "messages/network.rs"]
mod network;
#[path = "messages/scopes.rs"]
mod scopes;
#[path = "messages/services.rs"]
mod services;
#[path = "messages/spawning.rs"]
mod spawning;

use std::collections::BTreeSet;
use std::error::Error;

/// A provoked error, and the text that it must print.
struct Row {
    /// The type and its variant, as in the sources.
    of: &'static str,
    /// The message of the error, then those of its sources.
    chain: Vec<String>,
    expected: String,
}

fn row(of: &'static str, error: &dyn Error, expected: impl Into<String>) -> Row {
    let mut chain = vec![mask_times(&error.to_string())];
    let mut source = error.source();
    while let Some(error) = source {
        chain.push(mask_times(&error.to_string()));
        source = error.source();
    }
    Row { of, chain, expected: expected.into() }
}

/// Replaces times such as "after 0.02 s", which differ from run to run.
fn mask_times(text: &str) -> String {
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
    rows.extend(machines::rows());
    rows.extend(scopes::rows());
    rows.extend(services::rows());
    rows.extend(dialogues::rows());
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

/// Asserts that no part of the messages, which colons divide into parts, occurs twice.
fn assert_nothing_twice(of: &str, chain: &[String]) {
    let mut said = BTreeSet::new();
    for part in chain.iter().flat_map(|text| text.split(": ")) {
        // An `io::Error` of the system ends in its number.
        let part = part.split(" (os error ").next().unwrap_or(part);
        assert!(said.insert(part), "{of} says {part:?} twice: {chain:?}");
    }
}

#[test]
fn a_repeated_part_is_found() {
    let chain = ["cannot open x: denied".to_owned(), "denied".to_owned()];
    let found = std::panic::catch_unwind(|| assert_nothing_twice("x", &chain));
    assert!(found.is_err());
    let chain = ["cannot open x: denied".to_owned(), "denied (os error 13)".to_owned()];
    let found = std::panic::catch_unwind(|| assert_nothing_twice("x", &chain));
    assert!(found.is_err());
    assert_eq!(mask_times("ended after 0.17 s: after 3.0 b"), "ended after N s: after 3.0 b");
}
