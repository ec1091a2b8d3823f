//! The little of Rust's grammar that tidy needs: attributes, brackets, the extent of an item.

use std::ops::Range;

use crate::lexer::{Kind, Token};

/// Gives the index after the bracket that closes the one at `open`, or the end.
pub(crate) fn after_group(tokens: &[Token<'_>], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        if opens(token) {
            depth += 1;
        } else if closes(token) {
            depth = depth.saturating_sub(1);
            if depth == 0 {
                return at + 1;
            }
        }
    }
    tokens.len()
}

/// Gives the tokens inside the brackets of the attribute that begins at `at`, if one does.
pub(crate) fn attribute(tokens: &[Token<'_>], at: usize) -> Option<Attribute> {
    if !tokens.get(at)?.is("#") {
        return None;
    }
    let inner = tokens.get(at + 1)?.is("!");
    let open = if inner { at + 2 } else { at + 1 };
    if !tokens.get(open)?.is("[") {
        return None;
    }
    let end = after_group(tokens, open);
    Some(Attribute { inner, content: open + 1..end.saturating_sub(1).max(open + 1), end })
}

/// Where an attribute lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attribute {
    /// It begins with `#!` and is about what surrounds it.
    pub(crate) inner: bool,
    /// What stands between the brackets.
    pub(crate) content: Range<usize>,
    /// The index after it.
    pub(crate) end: usize,
}

/// Gives the index of the item (or statement, field, arm) that the attribute or doc comment at
/// `at` belongs to: after all further attributes and doc comments.
pub(crate) fn item_start(tokens: &[Token<'_>], mut at: usize) -> usize {
    loop {
        if tokens.get(at).is_some_and(|token| token.kind == Kind::OuterDoc) {
            at += 1;
        } else if let Some(attribute) = attribute(tokens, at).filter(|found| !found.inner) {
            at = attribute.end;
        } else {
            return at;
        }
    }
}

/// Gives the index after the item, statement, field or arm that begins at `start`, and where its
/// body in braces begins, if it has one.
pub(crate) fn item_end(tokens: &[Token<'_>], start: usize) -> (usize, Option<usize>) {
    let mut at = start;
    let is_item = is_item(tokens, start);
    while let Some(token) = tokens.get(at) {
        if token.is("{") {
            return (after_group(tokens, at), Some(at));
        }
        // The comma in `fn f<A, B>()` ends nothing.
        if token.is(";") || (token.is(",") && !is_item) {
            return (at + 1, None);
        }
        if closes(token) {
            return (at, None);
        }
        at = if opens(token) { after_group(tokens, at) } else { at + 1 };
    }
    (at, None)
}

/// Tells whether what begins at `start` is an item, not a field, an arm or a statement.
fn is_item(tokens: &[Token<'_>], start: usize) -> bool {
    let mut at = start;
    if tokens.get(at).is_some_and(|token| token.is_word("pub")) {
        at += 1;
        if tokens.get(at).is_some_and(|token| token.is("(")) {
            at = after_group(tokens, at);
        }
    }
    let head = tokens.iter().skip(at);
    head.take_while(|token| token.kind != Kind::Punct)
        .any(|token| ["fn", "impl", "struct", "enum", "trait", "type", "use"].contains(&token.text))
}

/// Tells whether a macro is called at `at`, and the word there is its name.
pub(crate) fn is_macro_call(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].kind == Kind::Word
        && tokens.get(at + 1).is_some_and(|token| token.is("!"))
        && tokens.get(at + 2).is_some_and(opens)
}

fn opens(token: &Token<'_>) -> bool {
    token.is("(") || token.is("[") || token.is("{")
}

fn closes(token: &Token<'_>) -> bool {
    token.is(")") || token.is("]") || token.is("}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lexer::tokens;

    #[test]
    fn an_item_reaches_to_the_end_of_its_body() {
        let tokens = tokens("#[a] /// doc\n #[b(c)] fn f(x: [u8; 3]) { { } } fn g() {}");
        let start = item_start(&tokens, 0);
        assert!(tokens[start].is_word("fn"));
        let (end, body) = item_end(&tokens, start);
        assert!(tokens[body.unwrap()].is("{"));
        assert!(tokens[end].is_word("fn") && tokens[end + 1].is_word("g"));
    }

    #[test]
    fn an_item_without_a_body_ends_at_its_mark() {
        let ends = |source: &str| item_end(&tokens(source), 0);
        assert_eq!(ends("mod a; x"), (3, None));
        assert_eq!(ends("field: u8, x"), (4, None));
        assert_eq!(ends("last }"), (1, None));
        assert_eq!(ends("pub(crate) field: fn(u8), x").0, 11);
        let source = "pub(crate) unsafe fn f<A, B>() { } x";
        assert!(tokens(source)[ends(source).0].is_word("x"));
    }

    #[test]
    fn a_comparison_is_no_macro_call() {
        assert!(is_macro_call(&tokens("todo!()"), 0));
        assert!(!is_macro_call(&tokens("todo != 3"), 0));
    }

    #[test]
    fn inner_attributes_are_marked() {
        let found = attribute(&tokens("#![cfg(unix)]"), 0).unwrap();
        assert!(found.inner);
        assert_eq!(found.content, 3..7);
        assert_eq!(attribute(&tokens("# x"), 0), None);
    }
}
