//! Checks that code for other systems does not panic instead of doing its work. A library has no
//! `panic!` and no `unreachable!` in code that another system builds and Linux does not, nor in an
//! `if cfg!(…)` that is false on Linux.

use std::collections::BTreeSet;

use proc_macro2::TokenTree;
use syn::Meta;

use crate::source::cfg::System;
use crate::source::modules::{Crate, Sources};
use crate::source::paths::{PathKind, paths};
use crate::tokens::{called_macro, each_place, inside, is_mark, is_word, line};
use crate::tree::{Problem, SourceFile};

const MACROS: [&str; 2] = ["panic", "unreachable"];

/// Finds the forbidden macro calls.
pub(super) fn check(crates: &[Sources], files: &[SourceFile]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = crates.iter().flat_map(below_attributes).collect();
    problems.extend(files.iter().flat_map(below_conditions));
    problems
}

fn below_attributes(sources: &Sources) -> Vec<Problem> {
    let of = |system| calls(&sources.read(system));
    let all: BTreeSet<_> = System::ALL.into_iter().flat_map(of).collect();
    let elsewhere = all.difference(&of(System::Linux)).cloned().collect::<Vec<_>>();
    let problem = |(file, line, name): (usize, usize, String)| Problem {
        path: sources.path(file).to_owned(),
        line,
        message: message(&name),
    };
    elsewhere.into_iter().map(problem).collect()
}

/// Returns the calls in a crate as it is built for one system, by file, line and name.
fn calls(read: &Crate<'_>) -> BTreeSet<(usize, usize, String)> {
    let mut found = BTreeSet::new();
    for module in &read.modules {
        for path in paths(&module.items, read.system) {
            let name = path.segments.join("::");
            if path.kind == PathKind::Macro && MACROS.contains(&name.as_str()) {
                found.insert((module.file, path.line, name));
            }
        }
    }
    found
}

fn below_conditions(file: &SourceFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    each_place(file.tokens(), &mut |rest| {
        if let [cfg, mark, TokenTree::Group(predicate), TokenTree::Group(body), ..] = rest
            && (is_word(cfg, "cfg") && is_mark(mark, '!'))
            && syn::parse2::<Meta>(predicate.stream())
                .is_ok_and(|predicate| System::Linux.holds(&predicate) == Some(false))
        {
            each_place(&inside(body), &mut |rest| {
                let found = called_macro(rest).filter(|name| MACROS.contains(&name.as_str()));
                problems.extend(found.map(|name| file.problem(line(&rest[0]), message(&name))));
            });
        }
    });
    problems
}

fn message(name: &str) -> String {
    format!("{name}! below a cfg that is not Linux")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the files and lines of the calls that are found.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let file = |(path, text): &(&str, &str)| SourceFile::new(format!("a/src/{path}"), *text);
        let files: Vec<_> = files.iter().map(file).collect();
        let problems = check(&[Sources::parse(&files, "a")], &files);
        let place = |problem: &Problem| {
            format!("{}:{}", problem.path.file_name().unwrap().display(), problem.line)
        };
        problems.iter().map(place).collect()
    }

    #[test]
    fn a_panic_for_other_systems_is_found() {
        for (source, line) in [
            ("#[cfg(not(target_os = \"linux\"))]\nfn a<A, B>() {\n    panic!(\"x\")\n}", 3),
            ("fn a() {\n#[cfg(target_os = \"macos\")]\nunreachable!();\n}", 3),
            ("fn a() { if cfg!(not(target_os = \"linux\")) {\n panic!() } }", 2),
        ] {
            assert_eq!(found(&[("lib.rs", source)]), [format!("lib.rs:{line}")], "{source}");
        }
    }

    #[test]
    fn a_panic_for_linux_is_not_found() {
        for source in [
            "#[cfg(target_os = \"macos\")]\nfn a() {}\nfn b() { panic!() }",
            "#[cfg(target_os = \"linux\")]\nfn a() { panic!() }",
            "#[cfg(test)]\nmod tests { fn a() { panic!() } }",
            "fn a() { if cfg!(unix) { panic!() } }",
        ] {
            assert_eq!(found(&[("lib.rs", source)]), [""; 0], "{source}");
        }
    }

    #[test]
    fn a_module_that_is_not_for_linux_counts_with_all_below_it() {
        let files = [
            ("lib.rs", "mod portable; mod wait;"),
            ("portable.rs", "fn a() { panic!() }"),
            ("wait.rs", "#[cfg(not(target_os = \"linux\"))]\nmod portable;"),
            ("wait/portable.rs", "mod deep;"),
            ("wait/portable/deep.rs", "fn a() { panic!() }"),
        ];
        assert_eq!(found(&files), ["deep.rs:1"]);
    }
}
