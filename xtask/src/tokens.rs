//! Rust source as the tokens that `proc_macro2` cuts it into: a pair of brackets is one token with
//! others inside, and a doc comment is the attribute that it stands for.
//!
//! The rules that look for words read tokens and no syntax tree: what is given to a macro, such as
//! the tests of `proptest!`, has no tree.

use proc_macro2::{Group, TokenStream, TokenTree};

/// Cuts a source into tokens. One that is not Rust has none: the compiler reads every file too.
pub(crate) fn tokens(source: &str) -> Vec<TokenTree> {
    source.parse::<TokenStream>().map_or_else(|_| Vec::new(), |all| all.into_iter().collect())
}

/// The tokens between two brackets.
pub(crate) fn inside(group: &Group) -> Vec<TokenTree> {
    group.stream().into_iter().collect()
}

/// Calls `visit` at every token, those between brackets too, with all that follow it between the
/// same brackets.
pub(crate) fn each_place(tokens: &[TokenTree], visit: &mut impl FnMut(&[TokenTree])) {
    for (at, token) in tokens.iter().enumerate() {
        visit(&tokens[at..]);
        if let TokenTree::Group(group) = token {
            each_place(&inside(group), visit);
        }
    }
}

/// The line of a token, counted from 1.
pub(crate) fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Tells whether a token is this word.
pub(crate) fn is_word(token: &TokenTree, word: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == word)
}

/// Tells whether a token is this character of punctuation.
pub(crate) fn is_mark(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

/// The name of the macro that is called at the first of these tokens.
pub(crate) fn called_macro(tokens: &[TokenTree]) -> Option<String> {
    match tokens {
        // A comparison is no call: no bracket follows its mark.
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
