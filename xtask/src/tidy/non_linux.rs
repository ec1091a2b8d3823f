//! Code that Linux does not compile may not panic instead of doing its work: no `panic!` and no
//! `unreachable!` below a cfg that is false on Linux.
//!
//! The cfg may be an attribute of an item or a statement, of a file, or of `mod name;`, whose file
//! then counts as a whole, or the condition `cfg!(…)` of an `if`.

use std::path::{Path, PathBuf};

use crate::lexer::{Token, tokens};
use crate::syntax::{after_group, attribute, is_macro_call, item_end, item_start};
use crate::tree::{Problem, SourceFile};

const MACROS: [&str; 2] = ["panic", "unreachable"];

/// Finds the calls.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut elsewhere = Vec::new();
    for file in files {
        let (found, modules) = check_file(file);
        problems.extend(found);
        elsewhere.extend(modules);
    }
    // A module that is not for Linux, and all modules below it.
    let is_elsewhere = |path: &Path| {
        elsewhere
            .iter()
            .any(|module: &PathBuf| path == module.with_extension("rs") || path.starts_with(module))
    };
    for file in files.iter().filter(|file| is_elsewhere(&file.path)) {
        problems.extend(panics(file, &tokens(&file.text)));
    }
    problems.sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    problems.dedup();
    problems
}

/// The calls in one file, and the modules in files of their own that are not for Linux.
fn check_file(file: &SourceFile) -> (Vec<Problem>, Vec<PathBuf>) {
    let tokens = tokens(&file.text);
    let (mut problems, mut modules) = (Vec::new(), Vec::new());
    for at in 0..tokens.len() {
        if let Some(found) = attribute(&tokens, at) {
            let content = &tokens[found.content];
            if !content.first().is_some_and(|token| token.is_word("cfg"))
                || holds_on_linux(&content[1..]) != Some(false)
            {
                continue;
            }
            if found.inner {
                problems.extend(panics(file, &tokens));
                continue;
            }
            let start = item_start(&tokens, found.end);
            let (end, body) = item_end(&tokens, start);
            problems.extend(panics(file, &tokens[start..end]));
            if body.is_none() {
                modules.extend(module_path(&file.path, &tokens[start..end]));
            }
        } else if tokens[at].is_word("cfg") && is_macro_call(&tokens, at) {
            let end = after_group(&tokens, at + 2);
            let opens = tokens.get(end).is_some_and(|token| token.is("{"));
            if opens && holds_on_linux(&tokens[at + 2..end]) == Some(false) {
                problems.extend(panics(file, &tokens[end..after_group(&tokens, end)]));
            }
        }
    }
    (problems, modules)
}

fn panics(file: &SourceFile, tokens: &[Token<'_>]) -> Vec<Problem> {
    let calls = (0..tokens.len())
        .filter(|&at| MACROS.contains(&tokens[at].text) && is_macro_call(tokens, at));
    let message = |at: usize| format!("{}! below a cfg that is not Linux", tokens[at].text);
    calls.map(|at| file.problem(tokens[at].line, message(at))).collect()
}

/// The path of the file of `mod name;`, without its extension.
fn module_path(parent: &Path, item: &[Token<'_>]) -> Option<PathBuf> {
    let keyword = item.iter().position(|token| token.is_word("mod"))?;
    let name = item.get(keyword + 1)?.text;
    let is_root = ["lib.rs", "main.rs", "mod.rs"].iter().any(|root| parent.ends_with(root));
    let folder = if is_root { parent.parent()?.to_owned() } else { parent.with_extension("") };
    Some(folder.join(name))
}

/// Evaluates a predicate in parentheses for Linux; nothing where it depends on something else.
fn holds_on_linux(tokens: &[Token<'_>]) -> Option<bool> {
    let inside = tokens.get(1..tokens.len().checked_sub(1)?)?;
    predicate(inside)
}

fn predicate(tokens: &[Token<'_>]) -> Option<bool> {
    let first = tokens.first()?;
    match (first.text, tokens.get(1)) {
        ("not", Some(_)) => predicate(parts(tokens).next()?).map(|holds| !holds),
        ("all", Some(_)) => all(parts(tokens).map(predicate)),
        ("any", Some(_)) => {
            let negated = parts(tokens).map(|part| predicate(part).map(|holds| !holds));
            all(negated).map(|none| !none)
        }
        ("unix", None) => Some(true),
        ("windows", None) => Some(false),
        (key @ ("target_os" | "target_family"), Some(_)) => {
            let value = tokens.get(2)?.text.trim_matches('"');
            Some(value == if key == "target_os" { "linux" } else { "unix" })
        }
        _ => None,
    }
}

/// False when one is false; true when all are true; else not known.
fn all(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut result = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => result = None,
        }
    }
    result
}

/// The arguments of `name(a, b)`, which is all of `tokens`.
fn parts<'a>(tokens: &'a [Token<'a>]) -> impl Iterator<Item = &'a [Token<'a>]> {
    let inside = tokens.get(2..tokens.len() - 1).unwrap_or_default();
    let mut depth = 0_i32;
    let split = inside.split(move |token| {
        depth += i32::from(token.is("(")) - i32::from(token.is(")"));
        depth == 0 && token.is(",")
    });
    split.filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(source: &str) -> Vec<usize> {
        let problems = check(&[SourceFile::new("src/lib.rs", source)]);
        problems.iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn predicates_are_evaluated_for_linux() {
        let eval = |source: &str| holds_on_linux(&tokens(source));
        for source in [
            "(not(target_os = \"linux\"))",
            "(target_os = \"macos\")",
            "(windows)",
            "(all(unix, not(any(target_os = \"linux\", target_os = \"android\"))))",
            "(not(any(unix, test)))",
            "(all(test, windows,))",
        ] {
            assert_eq!(eval(source), Some(false), "{source}");
        }
        assert_eq!(eval("(any(windows, target_os = \"linux\"))"), Some(true));
        assert_eq!(eval("(all(unix, feature = \"x\"))"), None);
        assert_eq!(eval("(test)"), None);
        assert_eq!(eval("()"), None);
    }

    #[test]
    fn a_panic_elsewhere_is_found() {
        assert_eq!(
            lines("#[cfg(not(target_os = \"linux\"))]\nfn a<A, B>() {\n    panic!(\"x\")\n}"),
            [3]
        );
        assert_eq!(lines("fn a() {\n#[cfg(windows)]\nunreachable!();\n}"), [3]);
        assert_eq!(lines("#![cfg(windows)]\nfn a() { panic!() }"), [2]);
        assert_eq!(lines("if cfg!(windows) { panic!() }"), [1]);
    }

    #[test]
    fn a_panic_on_linux_is_not() {
        assert_eq!(lines("#[cfg(windows)]\nfn a() {}\nfn b() { panic!() }"), [0; 0]);
        assert_eq!(lines("#[cfg(target_os = \"linux\")]\nfn a() { panic!() }"), [0; 0]);
        assert_eq!(lines("#[cfg(test)]\nmod tests { fn a() { panic!() } }"), [0; 0]);
    }

    #[test]
    fn a_module_that_is_not_for_linux_counts_with_all_below_it() {
        let files = [
            SourceFile::new("src/wait.rs", "#[cfg(not(target_os = \"linux\"))]\nmod portable;"),
            SourceFile::new("src/wait/portable.rs", "fn a() { panic!() }"),
            SourceFile::new("src/wait/portable/deep.rs", "fn a() { panic!() }"),
            SourceFile::new("src/portable.rs", "fn a() { panic!() }"),
        ];
        let found = check(&files);
        let paths: Vec<_> = found.iter().map(|problem| problem.path.to_str().unwrap()).collect();
        assert_eq!(paths, ["src/wait/portable/deep.rs", "src/wait/portable.rs"]);
    }
}
