//! Which tests say that they cover which behaviour cases.
//!
//! A test cites cases in its doc comment with the word "Case" or "Cases" and a list of ids, such
//! as `/// Cases FD-07, FD-08 and SE-01.`; ranges are not read. A citation counts when it stands
//! on a `#[test]` function that makes an assertion: a macro named `assert…`, `prop_assert…`,
//! `panic` or `unreachable`, a call of a function named `assert_…` or `check_…`, or of
//! `expect_err` or `unwrap_err`. Citations within back quotes are examples of one.

use crate::catalogue::leading_id;
use crate::lexer::{Kind, Token, tokens};
use crate::syntax::{attribute, is_macro_call, item_end, item_start};
use crate::tree::{Problem, SourceFile};

/// The ids that a doc comment cites, and what stands below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    pub(crate) line: usize,
    pub(crate) ids: Vec<String>,
    /// Why it does not count, if it does not.
    pub(crate) flaw: Option<&'static str>,
}

/// Finds the citations of one file.
pub(crate) fn citations(file: &SourceFile) -> Vec<Citation> {
    let tokens = tokens(&file.text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let start = item_start(&tokens, at);
        if start == at {
            at += 1;
            continue;
        }
        let prelude = &tokens[at..start];
        let docs: Vec<_> = prelude.iter().filter(|token| token.kind == Kind::OuterDoc).collect();
        let text = docs.iter().map(|token| token.text).collect::<Vec<_>>().join("\n");
        let (ids, is_range) = cited_ids(&text);
        if let (Some(first), false) = (docs.first(), ids.is_empty()) {
            let flaw =
                if is_range { Some("is a range: name each id") } else { flaw(&tokens, at, start) };
            found.push(Citation { line: first.line, ids, flaw });
        }
        at = start;
    }
    found
}

/// Turns the flaws of one file's citations into problems.
pub(crate) fn problems(file: &SourceFile) -> Vec<Problem> {
    let flawed = citations(file).into_iter().filter_map(|citation| {
        let flaw = citation.flaw?;
        let ids = citation.ids.join(", ");
        Some(file.problem(citation.line, format!("the citation of {ids} {flaw}")))
    });
    flawed.collect()
}

/// Why the item at `start`, whose attributes begin at `at`, is no test that asserts.
fn flaw(tokens: &[Token<'_>], at: usize, start: usize) -> Option<&'static str> {
    let is_test = (at..start).any(|at| {
        attribute(tokens, at).is_some_and(|found| {
            let mut words = tokens[found.content].iter().filter(|token| token.kind == Kind::Word);
            // `#[test]` or a path that ends so; never `#[cfg(test)]`.
            words.next_back().is_some_and(|word| word.is_word("test"))
                && !tokens[at + 2].is_word("cfg")
                && !tokens[at + 2].is_word("cfg_attr")
        })
    });
    let (end, body) = item_end(tokens, start);
    let head = &tokens[start..body.unwrap_or(end)];
    if !is_test || !head.iter().any(|token| token.is_word("fn")) {
        return Some("does not stand on a #[test] function");
    }
    let asserts = body.is_some_and(|body| (body..end).any(|at| is_assertion(tokens, at)));
    (!asserts).then_some("stands on a test that asserts nothing")
}

fn is_assertion(tokens: &[Token<'_>], at: usize) -> bool {
    let token = &tokens[at];
    if token.kind != Kind::Word {
        return false;
    }
    if is_macro_call(tokens, at) {
        return token.text.starts_with("assert")
            || token.text.starts_with("prop_assert")
            || ["panic", "unreachable"].contains(&token.text);
    }
    let named_so = token.text.starts_with("assert_")
        || token.text.starts_with("check_")
        || ["expect_err", "unwrap_err"].contains(&token.text);
    named_so && tokens.get(at + 1).is_some_and(|next| next.is("(") || next.is(":"))
}

/// The ids that a doc comment cites, and whether one of them begins a range.
fn cited_ids(text: &str) -> (Vec<String>, bool) {
    let mut ids = Vec::new();
    let mut is_range = false;
    for (at, _) in text.match_indices("Case") {
        let in_code = text[..at].matches('`').count() % 2 == 1;
        let in_word = text[..at].ends_with(|c: char| c.is_alphanumeric());
        let rest = text[at + 4..].trim_start_matches('s');
        if in_code || in_word || !rest.starts_with(char::is_whitespace) {
            continue;
        }
        let mut rest = rest.trim_start();
        while let Some(id) = leading_id(rest) {
            rest = &rest[id.len()..];
            if rest.starts_with(['\'', '’']) {
                // "Case FD-07's child" speaks of the case.
                break;
            }
            ids.push(id.to_owned());
            is_range |= [" to ", " through ", "-", "–", " – ", ".."]
                .iter()
                .any(|mark| rest.starts_with(mark));
            rest = rest.trim_start().trim_start_matches(',').trim_start();
            rest = rest.strip_prefix("and ").unwrap_or(rest).trim_start();
        }
    }
    (ids, is_range)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> Vec<Citation> {
        citations(&SourceFile::new("tests/a.rs", source))
    }

    #[test]
    fn ids_are_read_from_lists_of_every_form() {
        let ids = |text: &str| cited_ids(text).0;
        assert_eq!(ids(" Case FD-07."), ["FD-07"]);
        assert_eq!(ids(" Closes it. Cases FD-07, FD-08 and SE-01."), ["FD-07", "FD-08", "SE-01"]);
        assert_eq!(ids(" Cases FD-07, FD-08,\n and SE-01; more"), ["FD-07", "FD-08", "SE-01"]);
        assert_eq!(ids(" Case FD-07. Not SE-01."), ["FD-07"]);
        assert_eq!(ids(" Case FD-07's child."), [""; 0]);
        assert_eq!(
            ids(" In this Case nothing. `/// Case FD-07.` is code. LowerCase FD-07"),
            [""; 0]
        );
    }

    #[test]
    fn a_range_is_a_flaw() {
        let found = of("/// Cases FD-01 to FD-12.\n#[test]\nfn a() { assert!(true) }");
        assert_eq!(found[0].flaw, Some("is a range: name each id"));
    }

    #[test]
    fn a_citation_on_a_test_that_asserts_is_good() {
        for body in [
            "assert_eq!(1, 1);",
            "if bad { panic!(\"no\") }",
            "util::check_exit(3);",
            "assert_no_fd_is_left();",
            "prop_assert!(true);",
            "run(|| assert!(true));",
            "start().unwrap_err();",
        ] {
            let found = of(&format!("/// Case FD-07.\n#[test]\nfn a() {{ {body} }}"));
            assert_eq!(found.len(), 1, "{body}");
            assert_eq!(found[0].flaw, None, "{body}");
        }
    }

    #[test]
    fn attributes_may_stand_before_the_citation_or_after_it() {
        let found = of("#[test]\n/// Case FD-07.\n#[cfg(unix)]\nfn a() { assert!(true) }");
        assert_eq!((found[0].line, found[0].flaw), (2, None));
    }

    #[test]
    fn a_test_inside_a_macro_is_found() {
        let found =
            of("proptest! { /// Case FD-07.\n#[test] fn a(x in 0..3u8) { prop_assert!(x < 3) } }");
        assert_eq!(found[0].flaw, None);
    }

    #[test]
    fn a_citation_on_something_else_is_a_flaw() {
        for source in [
            "/// Case FD-07.\nfn helper() { assert!(true) }",
            "/// Case FD-07.\n#[cfg(test)]\nfn a() { assert!(true) }",
            "/// Case FD-07.\nstruct A;",
            "/// Case FD-07.\n#[test]\nmod a { }",
        ] {
            assert_eq!(
                of(source)[0].flaw,
                Some("does not stand on a #[test] function"),
                "{source}"
            );
        }
    }

    #[test]
    fn a_test_that_asserts_nothing_is_a_flaw() {
        let source = "/// Case FD-07.\n#[test]\nfn a() { run(\"assert!(true)\"); assert_x; }\n\
                      #[test]\nfn b() { assert!(true) }";
        let file = SourceFile::new("tests/a.rs", source);
        let problems = problems(&file);
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().contains("asserts nothing"));
    }
}
