//! A small tokenizer of Rust: enough to tell code from comments and strings.
//!
//! It knows nested block comments, raw strings of any number of hashes, byte and C strings,
//! character literals beside lifetimes, and raw identifiers. It does not know Rust's grammar, and
//! a number with a dot in it is several tokens. Text that is not Rust gives some tokens and never
//! an error: the compiler reads every file too.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A word: keywords are words too.
    Word,
    /// A number or a string, character or byte literal.
    Literal,
    /// A lifetime or a loop label.
    Lifetime,
    /// One character of punctuation.
    Punct,
    /// A line or block of `///`; the text is what follows the slashes.
    OuterDoc,
    /// A line or block of `//!`; the text is what follows the mark.
    InnerDoc,
}

/// A piece of source text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a str,
    /// The line of its first character, counted from 1.
    pub(crate) line: usize,
}

impl Token<'_> {
    /// Tells whether this is the word `word`.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }

    /// Tells whether this is the punctuation `mark`.
    pub(crate) fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Punct && self.text == mark
    }
}

/// Cuts `source` into tokens; white space and plain comments are left out.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut lexer = Lexer { source, at: 0, line: 1 };
    if source.starts_with("#!") && !source.starts_with("#![") {
        lexer.advance(source.find('\n').unwrap_or(source.len()));
    }
    let mut tokens = Vec::new();
    while lexer.at < source.len() {
        tokens.extend(lexer.next_token());
    }
    tokens
}

struct Lexer<'a> {
    source: &'a str,
    /// A byte offset on a character boundary.
    at: usize,
    line: usize,
}

impl<'a> Lexer<'a> {
    /// Takes one token, or what lies between tokens.
    fn next_token(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let first = rest.chars().next()?;
        if first.is_whitespace() {
            self.advance(first.len_utf8());
            return None;
        }
        if rest.starts_with("//") {
            return self.line_comment();
        }
        if rest.starts_with("/*") {
            return self.block_comment();
        }
        if let Some(length) = literal_length(rest) {
            return Some(self.take(Kind::Literal, length));
        }
        if let Some(name) = rest.strip_prefix("r#").filter(|name| name.starts_with(is_word)) {
            self.advance(2);
            return Some(self.take(Kind::Word, word_length(name)));
        }
        if first == '\'' {
            let length = 1 + word_length(&rest[1..]);
            return Some(self.take(Kind::Lifetime, length));
        }
        if is_word(first) {
            let kind = if first.is_ascii_digit() { Kind::Literal } else { Kind::Word };
            return Some(self.take(kind, word_length(rest)));
        }
        Some(self.take(Kind::Punct, first.len_utf8()))
    }

    fn line_comment(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let length = rest.find('\n').unwrap_or(rest.len());
        self.comment(length, ["///", "////", "//!"], 0)
    }

    fn block_comment(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let (mut depth, mut length) = (0_usize, 0);
        while length < rest.len() {
            if rest[length..].starts_with("/*") {
                depth += 1;
                length += 2;
            } else if rest[length..].starts_with("*/") {
                depth -= 1;
                length += 2;
            } else {
                length += rest[length..].chars().next().map_or(1, char::len_utf8);
            }
            if depth == 0 {
                break;
            }
        }
        if &rest[..length] == "/**/" {
            // It is empty, and no doc comment.
            self.advance(length);
            return None;
        }
        let end = if depth == 0 { 2 } else { 0 };
        self.comment(length, ["/**", "/***", "/*!"], end)
    }

    /// Takes a comment; gives a token if it is one of documentation.
    fn comment(&mut self, length: usize, marks: [&str; 3], end: usize) -> Option<Token<'a>> {
        let [outer, not_outer, inner] = marks;
        let whole = self.take(Kind::InnerDoc, length);
        let text = whole.text.get(3..length - end).unwrap_or_default();
        if whole.text.starts_with(inner) {
            Some(Token { text, ..whole })
        } else if whole.text.starts_with(outer) && !whole.text.starts_with(not_outer) {
            Some(Token { kind: Kind::OuterDoc, text, ..whole })
        } else {
            None
        }
    }

    fn take(&mut self, kind: Kind, length: usize) -> Token<'a> {
        let (line, text) = (self.line, &self.rest()[..length]);
        self.advance(length);
        Token { kind, text, line }
    }

    fn advance(&mut self, length: usize) {
        self.line += self.rest()[..length].matches('\n').count();
        self.at += length;
    }

    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn word_length(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

/// The length of the string or character literal that `text` begins with.
fn literal_length(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "r", "b", "c", ""].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix);
        after.is_some_and(|after| after.starts_with(['"', '#', '\'']))
    })?;
    let body = &text[prefix.len()..];
    let length = if prefix.ends_with('r') {
        raw_length(body)?
    } else if body.starts_with('"') {
        quoted_length(body, '"')
    } else if body.starts_with('\'') && prefix != "c" {
        character_length(body)?
    } else {
        return None;
    };
    Some(prefix.len() + length)
}

/// The length of `#"…"#` with any number of hashes.
fn raw_length(body: &str) -> Option<usize> {
    let hashes = body.find(|c| c != '#')?;
    let inside = body[hashes..].strip_prefix('"')?;
    let close = format!("\"{}", &body[..hashes]);
    let length = inside.find(&close).map_or(inside.len(), |at| at + close.len());
    Some(hashes + 1 + length)
}

/// The length of what stands between two `quote`s, both included; a backslash escapes one.
fn quoted_length(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    body.len()
}

/// The length of `'x'` or `'\n'`; nothing for a lifetime.
fn character_length(body: &str) -> Option<usize> {
    let mut inside = body.chars().skip(1);
    let first = inside.next()?;
    if first == '\\' {
        return Some(quoted_length(body, '\''));
    }
    (inside.next() == Some('\'')).then_some(2 + first.len_utf8())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> Vec<&str> {
        let tokens = tokens(source).into_iter();
        tokens.filter(|token| token.kind == Kind::Word).map(|token| token.text).collect()
    }

    #[test]
    fn words_in_comments_and_strings_are_not_words() {
        assert_eq!(words("a /* b /* c */ d */ e // f\ng"), ["a", "e", "g"]);
        assert_eq!(words(r##"a("b \" c", r#"d " e"#, b"f", br"\", c"g", cr#"h"#) i"##), ["a", "i"]);
        assert_eq!(words("#!/usr/bin/env word\na"), ["a"]);
    }

    #[test]
    fn characters_and_lifetimes_are_told_apart() {
        assert_eq!(words(r"&'a str; 'x' '\'' '\u{41}' b'\\' 'é' 'outer: loop"), ["str", "loop"]);
        let lifetimes = tokens("<'a, 'static>").into_iter();
        assert_eq!(lifetimes.filter(|token| token.kind == Kind::Lifetime).count(), 2);
    }

    #[test]
    fn raw_identifiers_and_words_that_look_like_prefixes_are_words() {
        assert_eq!(words("r#type br c cr rest b"), ["type", "br", "c", "cr", "rest", "b"]);
        assert_eq!(words("0x1f 1_000usize 1e-5"), Vec::<&str>::new());
    }

    #[test]
    fn doc_comments_keep_their_text_and_line() {
        let source = "//! inner\n\n/// outer\n//// none\n/** block */\n/**/ /*** no */ fn";
        let docs = tokens(source).into_iter().map(|t| (t.kind, t.text, t.line));
        assert_eq!(
            docs.collect::<Vec<_>>(),
            [
                (Kind::InnerDoc, " inner", 1),
                (Kind::OuterDoc, " outer", 3),
                (Kind::OuterDoc, " block ", 5),
                (Kind::Word, "fn", 6),
            ]
        );
    }

    #[test]
    fn unfinished_text_ends_quietly() {
        for source in ["\"abc", "r#\"abc", "/* abc", "'", "b'", "r#", "'\\", "//", "é"] {
            assert!(tokens(source).len() <= 3, "{source}");
        }
    }

    #[test]
    fn lines_count_through_multi_line_strings() {
        let tokens = tokens("\"a\n\nb\" c");
        assert_eq!(tokens.last().map(|token| token.line), Some(3));
    }
}
