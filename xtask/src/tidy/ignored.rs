//! No test is ignored: it asserts today's behaviour, or skips itself loudly.

use crate::lexer::{Token, tokens};
use crate::syntax::attribute;
use crate::tree::{Problem, SourceFile};

/// Finds the attribute `ignore`, also where a `cfg_attr` brings it.
pub(crate) fn check(files: &[SourceFile]) -> Vec<Problem> {
    files.iter().flat_map(check_file).collect()
}

fn check_file(file: &SourceFile) -> Vec<Problem> {
    let tokens = tokens(&file.text);
    let found = (0..tokens.len())
        .filter(|&at| attribute(&tokens, at).is_some_and(|found| ignores(&tokens[found.content])));
    found.map(|at| file.problem(tokens[at].line, "an ignored test")).collect()
}

fn ignores(content: &[Token<'_>]) -> bool {
    let conditional = content.first().is_some_and(|token| token.is_word("cfg_attr"));
    let reach = if conditional { content.len() } else { 1 };
    content.iter().take(reach).any(|token| token.is_word("ignore"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_found() {
        let source = "#[ignore]\n#[ignore = \"slow\"]\n#[cfg_attr(miri, ignore)]\nfn a() {}";
        let problems = check(&[SourceFile::new("a.rs", source)]);
        assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [1, 2, 3]);
    }

    #[test]
    fn the_word_elsewhere_is_not() {
        let source = "#[expect(x, reason = \"ignore\")]\nfn ignore() {} // #[ignore]";
        assert_eq!(check(&[SourceFile::new("a.rs", source)]), []);
    }
}
