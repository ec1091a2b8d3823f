//! The task `api`: lists the public functions, from the lists in `public-api/`, and those without a
//! bad-input test.
//!
//! A function needs such a test if it takes a number, a name, a descriptor, a size or a duration.
//! It has one if a file `crates/*/tests/bad_input*.rs` calls something with its name.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use proc_macro2::{Delimiter, TokenTree};
use xshell::Shell;

use crate::metadata::LIBRARIES;
use crate::tokens::{each_place, inside, is_mark, is_word, tokens};
use crate::tree;

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
    "go_on",
    "before_default",
    "hold_open",
    "schedule_deadline",
    // Every text, every error and every byte is good.
    "bare_or_quoted",
    "into_io_error",
    "split_character",
    "with_stderr_line",
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
    let mut functions = BTreeSet::new();
    // The facade has no functions of its own.
    let [crates @ .., _facade] = LIBRARIES;
    for package in crates {
        functions.extend(public_functions(&sh.read_file(format!("public-api/{package}.txt"))?));
    }
    let tested = tested_names(sh)?;
    let [mut needing, mut missing] = [0, 0];
    for Function { path, name, needs_test } in &functions {
        let is_tested = tested.contains(name);
        needing += usize::from(*needs_test);
        missing += usize::from(*needs_test && !is_tested);
        let mark = match (needs_test, is_tested) {
            (false, _) => "      ",
            (true, true) => "tested",
            (true, false) => "NEEDED",
        };
        println!("{mark} {path}");
    }
    println!("\n{} public functions; {needing} of them can get a bad value", functions.len());
    ensure!(missing == 0, "{missing} functions without a bad-input test");
    Ok(())
}

/// Returns the functions in the list of one crate. Those of an implemented trait belong to the trait.
fn public_functions(list: &str) -> Vec<Function> {
    let mut implementor = "";
    let mut found = Vec::new();
    for line in list.lines() {
        if line.starts_with("impl") {
            implementor = line.split_once(" for ").map_or("", |(_, behind)| behind);
            implementor = implementor.split(" where").next().unwrap_or_default();
        } else if let Some((_, signature)) =
            line.split_once("fn ").filter(|_| line.starts_with("pub "))
            && (implementor.is_empty() || !signature.starts_with(implementor))
        {
            found.extend(function(signature));
        }
    }
    found
}

/// Reads a function from the text behind `fn`.
fn function(signature: &str) -> Option<Function> {
    let words = tokens(signature);
    let (mut named, mut depth) = (0, 0);
    let arguments = words.iter().enumerate().position(|(at, word)| {
        match word {
            TokenTree::Ident(_) if depth == 0 => named = at,
            _ => depth += i32::from(is_mark(word, '<')) - i32::from(is_mark(word, '>')),
        }
        depth == 0 && matches!(word, TokenTree::Group(_))
    })?;
    let bounds = words.iter().position(|word| is_word(word, "where")).unwrap_or(words.len());
    let mut types = BTreeSet::new();
    collect_types(&words[named..=arguments], &mut types);
    collect_types(&words[bounds..], &mut types);
    let name = words[named].to_string();
    let is_fallible = NUMBERS_AND_TEXTS.iter().chain(&FALLIBLE).any(|name| types.contains(*name));
    let needs_test = is_fallible && !HARMLESS.contains(&name.as_str());
    let ends = ["(", "<"].map(|next| signature.find(&format!("::{name}{next}")));
    let end = ends.into_iter().flatten().min().map_or(0, |at| at + 2) + name.len();
    Some(Function { path: signature[..end].to_owned(), name, needs_test })
}

/// Collects the names in a part of a signature. The signature of a closure does not count.
fn collect_types(words: &[TokenTree], types: &mut BTreeSet<String>) {
    let mut in_closure = false;
    for word in words {
        in_closure &= !is_mark(word, ',');
        match word {
            TokenTree::Ident(name) if !in_closure => {
                types.insert(name.to_string());
                in_closure = name.to_string().starts_with("Fn");
            }
            TokenTree::Group(group) if !in_closure => collect_types(&inside(group), types),
            _ => {}
        }
    }
}

/// Returns every word that the bad-input tests call.
fn tested_names(sh: &Shell) -> Result<BTreeSet<String>> {
    let mut files = tree::rust_files(sh)?;
    files.retain(|file| file.path.to_string_lossy().contains("/tests/bad_input"));
    Ok(files.iter().flat_map(|file| called(file.tokens())).collect())
}

/// Returns the words of a source that are called or passed as an argument.
fn called(source: &[TokenTree]) -> Vec<String> {
    let mut found = Vec::new();
    each_place(source, &mut |rest| {
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
    fn a_number_needs_a_test_and_a_closure_over_one_or_a_trait_of_others_does_not() {
        let list = "impl a::T\npub fn a::T<X>::takes<Y>(&self, &u32) -> Self\n\
                    pub fn a::T<X>::calls(&self, impl core::ops::function::FnMut(u32) -> u8)\n\
                    pub fn a::T<X>::gives(&self) -> core::time::Duration where X: a::B\n\
                    impl a::B for a::T\npub fn a::T::taken(u8)\npub fn a::free<Y: a::Path>(Y)\n";
        let found = public_functions(list).into_iter().map(|f| (f.path, f.needs_test));
        let found: Vec<_> = found.collect();
        let found: Vec<_> = found.iter().map(|(path, needs)| (path.as_str(), *needs)).collect();
        assert_eq!(
            found,
            [
                ("a::T<X>::takes", true),
                ("a::T<X>::calls", false),
                ("a::T<X>::gives", false),
                ("a::free", true)
            ]
        );
    }

    #[test]
    fn calls_are_found_by_name() {
        let names = called(&tokens("x.nice(3); Fd::file(\"a\", m); v.map(Signal::from_raw)"));
        for name in ["nice", "file", "map", "from_raw"] {
            assert!(names.iter().any(|found| found == name), "{name}");
        }
    }
}
