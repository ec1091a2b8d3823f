//! The keyword `unsafe` stands only below a `src/sys/` folder, once for `Command::pre_exec`, and for
//! tests in `tests/*/sys.rs`; only the two crates that need one, and the benches, have such a folder.
//! Clippy sees to the safety comments.

use std::path::Path;

use crate::lexer::tokens;
use crate::tree::{Problem, SourceFile};

/// The crates that may have a `sys` folder; a third needs its reason in ARCHITECTURE.md.
const WITH_SYS: [&str; 3] =
    ["crates/reactor/src/sys", "crates/process-transport/src/sys", "benches/src/sys"];

/// The file of the one declaration of the public interface: `Command::pre_exec`.
const DECLARATION: &str = "crates/process-transport/src/command/before_exec.rs";

/// Finds the keyword, and the folders, where they may not be.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Problem> {
    let in_sys = has_sys_folder(&file.path);
    let is_allowed = WITH_SYS.iter().any(|sys| file.path.starts_with(sys));
    if in_sys && !is_allowed {
        return vec![file.problem(1, "this crate may not have a sys folder")];
    }
    if in_sys || is_test_sys(&file.path) {
        return Vec::new();
    }
    let declared = usize::from(file.path == Path::new(DECLARATION));
    let keywords = tokens(&file.text).into_iter().filter(|token| token.is_word("unsafe"));
    keywords
        .skip(declared)
        .map(|token| file.problem(token.line, "`unsafe` outside of sys"))
        .collect()
}

fn has_sys_folder(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().collect();
    parts.windows(3).any(|parts| parts[0] == "src" && parts[1] == "sys")
}

/// One file beside the tests' support code, and one beside the helper program's.
fn is_test_sys(path: &Path) -> bool {
    let parts: Vec<_> = path.iter().rev().take(3).collect();
    matches!(parts[..], [file, _, tests] if file == "sys.rs" && tests == "tests")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(path: &str, text: &str) -> Vec<usize> {
        check(&[SourceFile::new(path, text)]).iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn the_keyword_outside_of_sys_is_found() {
        let source = "fn a() {\n    unsafe { b() }\n}\n#[unsafe(no_mangle)]\nfn c() {}";
        assert_eq!(lines("crates/reactor/src/lib.rs", source), [2, 4]);
        assert_eq!(lines("crates/core/tests/sys.rs", source), [2, 4]);
        assert_eq!(lines("crates/reactor/src/sys.rs", source), [2, 4]);
    }

    #[test]
    fn the_keyword_below_sys_is_allowed() {
        let source = "unsafe { a() }";
        assert_eq!(lines("crates/reactor/src/sys/mod.rs", source), [0; 0]);
        assert_eq!(lines("crates/process-transport/src/sys/linux/clone.rs", source), [0; 0]);
        assert_eq!(lines("crates/core/tests/util/sys.rs", source), [0; 0]);
    }

    #[test]
    fn one_declaration_is_allowed_and_nothing_beside_it() {
        let source = "pub unsafe fn pre_exec() {}\nfn a() {\n    unsafe { b() }\n}";
        assert_eq!(lines(DECLARATION, source), [3]);
    }

    #[test]
    fn comments_strings_and_longer_words_do_not_count() {
        let source = "#![forbid(unsafe_code)]\n// unsafe\n/* unsafe */ /// unsafe\n\"unsafe\"";
        assert_eq!(lines("crates/core/src/lib.rs", source), [0; 0]);
    }

    #[test]
    fn a_third_sys_folder_is_found() {
        assert_eq!(lines("crates/core/src/sys/mod.rs", "//! No.").len(), 1);
    }
}
