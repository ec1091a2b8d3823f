//! Rust source as tokens of `proc_macro2`. A pair of brackets is one token with others inside, and
//! a doc comment is an attribute.
//!
//! The rules about words read tokens instead of a syntax tree, because the arguments of a macro,
//! such as the tests in `proptest!`, have no tree.

use proc_macro2::{Group, TokenStream, TokenTree};

/// Returns the tokens of a source. A source that is not Rust has none; the compiler reports that.
pub(crate) fn tokens(source: &str) -> Vec<TokenTree> {
    source.parse::<TokenStream>().map_or_else(|_| Vec::new(), |all| all.into_iter().collect())
}

/// Returns the tokens inside a pair of brackets.
pub(crate) fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// Calls `visit` for every token, also inside brackets, with the token and all that follow it
/// inside the same brackets.
pub(crate) fn each_place(tokens: &[TokenTree], visit: &mut impl FnMut(&[TokenTree])) {
    for (at, token) in tokens.iter().enumerate() {
        visit(&tokens[at..]);
        if let TokenTree::Group(group) = token {
            each_place(&inside(group), visit);
        }
    }
}

/// Returns the line of a token, counted from 1.
pub(crate) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Returns whether a token is this word.
pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Returns whether a token is this punctuation character.
pub(crate) fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// Returns the name of the macro whose call begins at the first token.
pub(crate) fn called_macro(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        // A comparison (`!=`) is no macro call: no bracket follows its mark.
        [TokenTree::Ident(name), mark, TokenTree::Group(_), ..] if is_mark(mark, '!') => {
            Some(name.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn macros(source: &str) -> Vec<(String, usize)> {
        let mut found = Vec::new();
        each_place(&tokens(source), &mut |rest| {
            found.extend(called_macro(rest).map(|name| (name, line(&rest[0]))));
        });
        found
    }

    #[test]
    fn calls_are_found_in_brackets_and_not_in_comments_and_strings() {
        let source = "// a!()\nfn f<'a>() {\n b!(c![1],\n d! {}); \"e!()\" }";
        let found = [("b", 3), ("c", 3), ("d", 4)].map(|(name, line)| (name.to_owned(), line));
        assert_eq!(macros(source), found);
    }

    #[test]
    fn a_comparison_is_no_call_and_what_is_not_rust_has_no_tokens() {
        assert_eq!(macros("if todo != (3) {}"), []);
        assert_eq!(macros("a!( \""), []);
    }
}
