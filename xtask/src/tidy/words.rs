//! Finds words that must not be in the code. The rules apply below every cfg, because the compiler
//! and its lints see only the code that Linux builds.
//!
//! - `todo!` and `unimplemented!` are forbidden.
//! - No test is ignored: it asserts today's behaviour, or skips itself visibly.
//! - `unsafe` may be in the `src/sys` of the packages that need it, in `tests/*/sys.rs`, and once
//!   in the declaration of `Command::pre_exec`. Clippy checks the safety comments.

use std::path::Path;

use proc_macro2::TokenTree;

use crate::tokens::{called_macro, each_place, inside, is_mark, is_word, line};
use crate::tree::{Problem, SourceFile};

const UNFINISHED: [&str; 2] = ["todo", "unimplemented"];

/// The folders that may exist. Another one needs a reason in ARCHITECTURE.md.
const WITH_SYS: [&str; 7] = [
    "crates/reactor/src/sys",
    "crates/process-transport/src/sys",
    "crates/tokio/src/sys",
    "crates/test-support/src/sys",
    "benches/src/sys",
    "conformance/twisted/bridge/src/sys.rs",
    "conformance/twisted/child/src/sys.rs",
];

/// The file with the only unsafe function of the public API: `Command::pre_exec`.
const DECLARATION: &str = "crates/process-transport/src/command/before_exec.rs";

/// Finds the calls of macros that mark unfinished code.
pub(super) fn unfinished(files: &[SourceFile]) -> Vec<Problem> {
    find(files, |rest| {
        called_macro(rest).filter(|name| UNFINISHED.contains(&name.as_str())).map(|name| name + "!")
    })
}

/// Finds the attribute `ignore`, also inside `cfg_attr`.
pub(super) fn ignored(files: &[SourceFile]) -> Vec<Problem> {
    find(files, |rest| match rest {
        [mark, TokenTree::Group(attribute), ..] if is_mark(mark, '#') => {
            let content = inside(attribute);
            let mut ignores = content.first().is_some_and(|first| is_word(first, "ignore"));
            if content.first().is_some_and(|first| is_word(first, "cfg_attr")) {
                each_place(&content, &mut |rest| ignores |= is_word(&rest[0], "ignore"));
            }
            ignores.then(|| "an ignored test".to_owned())
        }
        _ => None,
    })
}

/// Finds `unsafe` and `sys` folders where they are not allowed.
pub(super) fn unsafe_code(files: &[SourceFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let may = |path: &Path| WITH_SYS.iter().any(|sys| path.starts_with(sys)) || is_test_sys(path);
    for file in files.iter().filter(|file| !may(&file.path)) {
        if has_sys_folder(&file.path) {
            problems.push(file.problem(1, "this package may not have a sys folder"));
        }
        let declared = usize::from(file.path == Path::new(DECLARATION));
        let found = find([file], |rest| {
            is_word(&rest[0], "unsafe").then(|| "`unsafe` outside of sys".to_owned())
        });
        problems.extend(found.into_iter().skip(declared));
    }
    problems
}

/// Calls `wrong` at every token of the files and returns the problems that it finds.
fn find<'a>(
    files: impl IntoIterator<Item = &'a SourceFile>,
    wrong: impl Fn(&[TokenTree]) -> Option<String>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in files {
        each_place(file.tokens(), &mut |rest| {
            problems.extend(wrong(rest).map(|message| file.problem(line(&rest[0]), message)));
        });
    }
    problems
}

fn has_sys_folder(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().collect();
    parts.windows(3).any(|parts| parts[0] == "src" && parts[1] == "sys")
}

/// Returns whether the path is `tests/*/sys.rs`, beside the support code of tests or a helper
/// program.
fn is_test_sys(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().rev().take(3).collect();
    matches!(parts[..], [file, _, tests] if file == "sys.rs" && tests == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rule: fn(&[SourceFile]) -> Vec<Problem>, path: &str, text: &str) -> Vec<usize> {
        rule(&[SourceFile::new(path, text)]).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn unfinished_code_is_found_below_any_cfg() {
        let source = "#[cfg(windows)]\nfn a() { todo!() }\nfn b() { unimplemented![\"x\"] }";
        assert_eq!(lines(unfinished, "a.rs", source), [2, 3]);
        let source = "// todo!()\nfn f() { let todo = \"todo!()\"; todo != 1 }";
        assert_eq!(lines(unfinished, "a.rs", source), [0; 0]);
    }

    #[test]
    fn every_form_of_an_ignored_test_is_found() {
        let source = "#[ignore]\n#[ignore = \"slow\"]\n#[cfg_attr(miri, ignore)]\nfn a() {}";
        assert_eq!(lines(ignored, "a.rs", source), [1, 2, 3]);
        let source = "#[expect(x, reason = \"ignore\")]\nfn ignore() {} // #[ignore]";
        assert_eq!(lines(ignored, "a.rs", source), [0; 0]);
    }

    #[test]
    fn unsafe_code_is_found_outside_of_sys() {
        let source = "fn a() {\n    unsafe { b() }\n}\n#[unsafe(no_mangle)]\nfn c() {}";
        for path in ["crates/reactor/src/lib.rs", "crates/core/tests/sys.rs", "a/src/sys.rs"] {
            assert_eq!(lines(unsafe_code, path, source), [2, 4], "{path}");
        }
        for path in ["crates/reactor/src/sys/mod.rs", "crates/core/tests/util/sys.rs"] {
            assert_eq!(lines(unsafe_code, path, source), [0; 0], "{path}");
        }
        let source = "pub unsafe fn pre_exec() {}\nfn a() {\n    unsafe { b() }\n}";
        assert_eq!(lines(unsafe_code, DECLARATION, source), [3]);
        let source = "#![forbid(unsafe_code)]\n// unsafe\n/* unsafe */ /// unsafe\nm!(\"unsafe\");";
        assert_eq!(lines(unsafe_code, "crates/core/src/lib.rs", source), [0; 0]);
        assert_eq!(lines(unsafe_code, "crates/core/src/sys/mod.rs", "//! No.").len(), 1);
    }
}
