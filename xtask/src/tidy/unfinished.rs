//! No `todo!` and no `unimplemented!` anywhere, below no cfg either, where clippy does not look.

use crate::lexer::tokens;
use crate::syntax::is_macro_call;
use crate::tree::{Problem, SourceFile};

const MACROS: [&str; 2] = ["todo", "unimplemented"];

/// Finds the calls.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Problem> {
    let tokens = tokens(&file.text);
    let calls = (0..tokens.len())
        .filter(|&at| MACROS.contains(&tokens[at].text) && is_macro_call(&tokens, at));
    calls.map(|at| file.problem(tokens[at].line, format!("{}!", tokens[at].text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_found_below_any_cfg() {
        let source = "#[cfg(windows)]\nfn a() { todo!() }\nfn b() { unimplemented![\"x\"] }";
        let problems = check(&[SourceFile::new("a.rs", source)]);
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn words_and_strings_are_not() {
        let source = "// todo!()\nlet todo = \"todo!()\"; todo != 1;";
        assert_eq!(check(&[SourceFile::new("a.rs", source)]), []);
    }
}
