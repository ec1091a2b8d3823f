//! Finds which tests cite which behaviour cases.
//!
//! A test cites cases in its doc comment with the word "Case" or "Cases" and a list of ids, such
//! as `/// Cases FD-07, FD-08 and SE-01.`; ranges are not read. A citation counts if it is on a
//! `#[test]` function that makes an assertion: a macro named `assert…`, `prop_assert…`, `panic` or
//! `unreachable`, a call of a function named `assert_…` or `check_…`, or of `expect_err` or
//! `unwrap_err`. A citation within back quotes is an example and does not count.

use proc_macro2::{Delimiter, Group, TokenTree};

use crate::catalogue::{Catalogue, leading_id};
use crate::tokens::{called_macro, each_place, inside, is_mark, is_word};
use crate::tree::{Problem, SourceFile};

/// The ids that a doc comment cites.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    line: usize,
    pub(crate) ids: Vec<String>,
    /// The reason why the citation does not count, if it does not.
    pub(crate) flaw: Option<&'static str>,
}

/// Finds the mistakes in the catalogue and in the citations of `files`.
pub(crate) fn check(catalogue: &SourceFile, files: &[SourceFile]) -> Vec<Problem> {
    let (catalogue, mut problems) = Catalogue::parse(catalogue);
    for file in files {
        for Citation { line, ids, flaw } in citations(file) {
            let unknown = ids.iter().filter(|id| !catalogue.contains(id));
            problems.extend(unknown.map(|id| file.problem(line, format!("there is no case {id}"))));
            let flawed = |flaw| format!("the citation of {} {flaw}", ids.join(", "));
            problems.extend(flaw.map(|flaw| file.problem(line, flawed(flaw))));
        }
    }
    problems
}

/// Finds the citations of one file.
pub(crate) fn citations(file: &SourceFile) -> Vec<Citation> {
    let mut found = Vec::new();
    add_citations(&mut found, file.tokens());
    found
}

fn add_citations(found: &mut Vec<Citation>, tokens: &[TokenTree]) {
    let mut rest = tokens;
    while let Some((first, after)) = rest.split_first() {
        let attributes = attributes(rest);
        if attributes.is_empty() {
            if let TokenTree::Group(group) = first {
                add_citations(found, &inside(group));
            }
            rest = after;
        } else {
            rest = &rest[2 * attributes.len()..];
            found.extend(citation(&attributes, rest));
        }
    }
}

/// Returns the brackets of the attributes that the tokens begin with.
fn attributes(tokens: &[TokenTree]) -> Vec<&Group> {
    let pairs = tokens.chunks_exact(2).map_while(|pair| match pair {
        [mark, TokenTree::Group(group)] if is_mark(mark, '#') => Some(group),
        _ => None,
    });
    pairs.collect()
}

/// Returns the citation in the attributes of an item, which is at the start of `following`.
fn citation(attributes: &[&Group], following: &[TokenTree]) -> Option<Citation> {
    let docs: Vec<_> = attributes.iter().filter_map(|group| Some((group, doc(group)?))).collect();
    let text: Vec<_> = docs.iter().map(|(_, text)| text.as_str()).collect();
    let (ids, is_range) = cited_ids(&text.join("\n"));
    if ids.is_empty() {
        return None;
    }
    let line = docs.first()?.0.span().start().line;
    let flaw = if is_range {
        Some("is a range: name each id")
    } else if !attributes.iter().any(|group| is_test(group)) {
        Some(NO_TEST)
    } else {
        flaw_of_item(following)
    };
    Some(Citation { line, ids, flaw })
}

const NO_TEST: &str = "does not stand on a #[test] function";

/// Returns the text of an attribute that is a doc comment.
fn doc(attribute: &Group) -> Option<String> {
    let [name, _, TokenTree::Literal(text)] = &inside(attribute)[..] else { return None };
    match syn::Lit::new(text.clone()) {
        syn::Lit::Str(text) if is_word(name, "doc") => Some(text.value()),
        _ => None,
    }
}

/// Returns whether an attribute is `#[test]` or a path that ends in `test`. `#[cfg(test)]` is not:
/// its word is inside brackets.
fn is_test(attribute: &Group) -> bool {
    let tokens = inside(attribute);
    let mut words = tokens.iter().filter(|token| matches!(token, TokenTree::Ident(_)));
    words.next_back().is_some_and(|word| is_word(word, "test"))
}

/// Returns why the item at the start of the tokens is not a function that asserts.
fn flaw_of_item(tokens: &[TokenTree]) -> Option<&'static str> {
    let body = tokens.iter().enumerate().find_map(|(at, token)| match token {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => Some((at, group)),
        _ => None,
    });
    let Some((at, body)) = body else { return Some(NO_TEST) };
    let head = &tokens[..at];
    if head.iter().any(|token| is_mark(token, ';')) || !head.iter().any(|t| is_word(t, "fn")) {
        return Some(NO_TEST);
    }
    let mut asserts = false;
    each_place(&inside(body), &mut |rest| asserts |= is_assertion(rest));
    (!asserts).then_some("stands on a test that asserts nothing")
}

fn is_assertion(tokens: &[TokenTree]) -> bool {
    if let Some(name) = called_macro(tokens) {
        return name.starts_with("assert")
            || name.starts_with("prop_assert")
            || ["panic", "unreachable"].contains(&name.as_str());
    }
    let [TokenTree::Ident(name), next, ..] = tokens else { return false };
    let is_called = is_mark(next, ':')
        || matches!(next, TokenTree::Group(group) if group.delimiter() == Delimiter::Parenthesis);
    let name = name.to_string();
    let is_named_so = name.starts_with("assert_")
        || name.starts_with("check_")
        || ["expect_err", "unwrap_err"].contains(&name.as_str());
    is_called && is_named_so
}

/// Returns the ids that a doc comment cites, and whether one of them begins a range.
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
                // "Case FD-07's child" mentions a case and does not cite it.
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
        for text in
            [" Case FD-07's child.", " In this Case nothing. `/// Case FD-07.` LowerCase FD-07"]
        {
            assert_eq!(ids(text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_citation_on_a_test_that_asserts_is_good() {
        for body in [
            "assert_eq!(1, 1);",
            "if bad { panic!(\"no\") }",
            "util::check_exit(3);",
            "assert_no_fd_is_left();",
            "run(|| prop_assert!(true));",
            "start().unwrap_err();",
        ] {
            let found = of(&format!("/// Case FD-07.\n#[test]\nfn a() {{ {body} }}"));
            assert_eq!(found.len(), 1, "{body}");
            assert_eq!(found[0].flaw, None, "{body}");
        }
    }

    #[test]
    fn a_citation_may_follow_an_attribute_or_be_inside_a_macro() {
        let found = of("#[test]\n/// Case FD-07.\n#[cfg(unix)]\nfn a() { assert!(true) }");
        assert_eq!((found[0].line, found[0].flaw), (2, None));
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
            "/// Case FD-07.\n#[test]\nfn a();\nfn b() { assert!(true) }",
        ] {
            assert_eq!(of(source)[0].flaw, Some(NO_TEST), "{source}");
        }
    }

    #[test]
    fn unknown_ids_ranges_and_tests_that_assert_nothing_are_problems() {
        let catalogue = SourceFile::new("docs/cases.md", "### FD - x\n1. **FD-01** [x]\n");
        let messages = |source: &str| {
            let problems = check(&catalogue, &[SourceFile::new("tests/a.rs", source)]);
            problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>()
        };
        let asserts = "#[test]\nfn a() { assert!(true) }";
        assert_eq!(messages(&format!("/// Case FD-01.\n{asserts}")), [""; 0]);
        assert_eq!(
            messages(&format!("/// Cases FD-01 and FD-99.\n{asserts}")),
            ["there is no case FD-99"]
        );
        let found = messages(&format!("/// Cases FD-01 to FD-12.\n{asserts}"));
        assert_eq!(found, ["the citation of FD-01 is a range: name each id"]);
        let silent = "#[test]\nfn a() { run(\"assert!(true)\"); assert_x; }";
        let found = messages(&format!("/// Case FD-01.\n{silent}\n{asserts}"));
        assert_eq!(found, ["the citation of FD-01 stands on a test that asserts nothing"]);
    }
}
