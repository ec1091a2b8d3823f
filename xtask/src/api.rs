//! The task `api`: lists the public functions, from rustdoc's JSON, and those without a bad-input
//! test.
//!
//! A function needs such a test if it takes a number, a name, a descriptor, a size or a duration.
//! It has one if a file `crates/*/tests/bad_input*.rs` calls something with its name.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail};
use proc_macro2::{Delimiter, TokenTree};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;
use crate::tokens::{each_place, is_mark, tokens};
use crate::tool;

/// Number and text types that can have a bad value.
const NUMBERS_AND_TEXTS: [&str; 13] = [
    "i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize", "f64", "str", "String", "OsStr",
];

/// Other types and traits that can have a bad value, by name.
const FALLIBLE: [&str; 11] = [
    "Path",
    "Duration",
    "ChildFd",
    "AsFd",
    "OwnedFd",
    "Bytes",
    "IntoBytes",
    "Signal",
    "ToSocketAddrs",
    "Destination",
    "Termios",
];

/// Functions for which no argument is a bad value.
const HARMLESS: &[&str] = &[
    // Takes a value from an upper layer.
    "from_control",
    // The loop calls it with events of the kernel.
    "ready",
    // The driver of transports calls these, with such events too.
    "read_once",
    "deliver_data",
    "data_received",
    "child_data_received",
    "child_connection_lost",
    "child_read_closed",
    "child_write_buffer_full",
    "child_write_buffer_drained",
    "out_received",
    "err_received",
    "process_exited",
    "process_ended",
    "connection_lost",
];

/// A public function.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Function {
    path: String,
    name: String,
    needs_test: bool,
}

/// Lists the functions and fails if one lacks its test.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    tool::nightly(sh)?;
    let directory = sh.current_dir().join("target").join("api");
    let _toolchain = sh.push_env("RUSTUP_TOOLCHAIN", "nightly");
    let mut functions = BTreeSet::new();
    // The facade has no functions of its own.
    let [crates @ .., _facade] = LIBRARIES;
    for package in crates {
        let json = ["-Z", "unstable-options", "--output-format", "json"];
        cmd!(
            sh,
            "rustup run nightly cargo rustdoc --quiet --locked --package {package} --lib
             --target-dir {directory} -- {json...}"
        )
        .run()?;
        let file = directory.join("doc").join(format!("{}.json", package.replace('-', "_")));
        let text = sh.read_file(&file).context("rustdoc's JSON")?;
        functions.extend(public_functions(&serde_json::from_str(&text)?));
    }
    let tested = tested_names(sh)?;
    let mut missing = Vec::new();
    let mut needing = 0;
    for function in &functions {
        let has = tested.contains(&function.name);
        let mark = match (function.needs_test, has) {
            (false, _) => "      ",
            (true, true) => "tested",
            (true, false) => "NEEDED",
        };
        println!("{mark} {}", function.path);
        needing += usize::from(function.needs_test);
        if function.needs_test && !has {
            missing.push(&function.path);
        }
    }
    println!("\n{} public functions; {needing} of them can get a bad value", functions.len());
    if missing.is_empty() {
        return Ok(());
    }
    for path in &missing {
        println!("no bad-input test: {path}");
    }
    bail!("{} functions without a bad-input test", missing.len())
}

/// Returns the functions that the documentation of one crate shows.
fn public_functions(document: &Value) -> Vec<Function> {
    let Some(index) = document["index"].as_object() else { return Vec::new() };
    let mut found = Vec::new();
    for item in index.values() {
        let inner = &item["inner"];
        let children: Vec<&Value> = if let Some(implementation) = inner.get("impl") {
            // The functions of a trait impl belong to the trait.
            if !implementation["trait"].is_null() {
                continue;
            }
            implementation["items"].as_array().into_iter().flatten().collect()
        } else if let Some(definition) = inner.get("trait") {
            definition["items"].as_array().into_iter().flatten().collect()
        } else if let Some(module) = inner.get("module") {
            module["items"].as_array().into_iter().flatten().collect()
        } else {
            continue;
        };
        let in_trait = inner.get("trait").is_some();
        let owner = inner
            .pointer("/impl/for/resolved_path/path")
            .or_else(|| item.get("name"))
            .and_then(Value::as_str)
            .and_then(|path| path.rsplit("::").next())
            .unwrap_or_default();
        for id in children {
            let id = id.as_u64().map_or_else(|| id.to_string(), |id| id.to_string());
            let Some(child) = index.get(&id) else { continue };
            let Some(function) = child["inner"].get("function") else { continue };
            if !in_trait && child["visibility"] != "public" {
                continue;
            }
            let name = child["name"].as_str().unwrap_or_default().to_owned();
            let needs_test = !HARMLESS.contains(&name.as_str()) && takes_fallible(function);
            found.push(Function { path: format!("{owner}::{name}"), name, needs_test });
        }
    }
    found
}

/// Returns whether a signature mentions a type that has bad values.
fn takes_fallible(function: &Value) -> bool {
    let mut words = BTreeSet::new();
    collect_words(&function["sig"]["inputs"], &mut words);
    collect_words(&function["generics"], &mut words);
    NUMBERS_AND_TEXTS.iter().chain(&FALLIBLE).any(|name| words.contains(*name))
}

/// Collects the last path segments and the primitive names in a signature. The arguments of a
/// closure do not count.
fn collect_words(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("parenthesized") {
                return;
            }
            for (key, value) in fields {
                match (key.as_str(), value.as_str()) {
                    ("primitive" | "path", Some(text)) => {
                        words.extend(text.rsplit("::").next().map(str::to_owned));
                    }
                    _ => collect_words(value, words),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect_words(value, words)),
        _ => {}
    }
}

/// Returns every word that the bad-input tests call.
fn tested_names(sh: &Shell) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for package in sh.read_dir("crates")? {
        let tests = package.join("tests");
        let Ok(entries) = fs::read_dir(&tests) else { continue };
        for entry in entries {
            let path = entry?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.starts_with("bad_input") && name.ends_with(".rs") {
                names.extend(called(&sh.read_file(&path)?));
            }
        }
    }
    Ok(names)
}

/// Returns the words of a source that are called or passed as an argument.
fn called(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    each_place(&tokens(source), &mut |rest| {
        let [TokenTree::Ident(name), following @ ..] = rest else { return };
        let is_called = match following.first() {
            Some(TokenTree::Group(group)) => group.delimiter() == Delimiter::Parenthesis,
            // A turbofish may be between the name and its parentheses.
            Some(next) => is_mark(next, ':') || is_mark(next, ','),
            None => true,
        };
        found.extend(is_called.then(|| name.to_string()));
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_with_a_number_needs_a_test_and_a_closure_over_one_does_not() {
        let takes = serde_json::json!({"sig": {"inputs": [["n", {"primitive": "u32"}]]}});
        assert!(takes_fallible(&takes));
        let calls = serde_json::json!({"sig": {"inputs": [["call", {"resolved_path": {
            "path": "FnMut", "args": {"parenthesized": {"inputs": [{"primitive": "u32"}]}}}}]]}});
        assert!(!takes_fallible(&calls));
    }

    #[test]
    fn calls_are_found_by_name() {
        let names = called("x.nice(3); Fd::file(\"a\", m); v.map(Signal::from_raw)");
        for name in ["nice", "file", "map", "from_raw"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
    }
}
