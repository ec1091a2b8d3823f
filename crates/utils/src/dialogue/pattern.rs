//! [`Pattern`]: what a wait in a dialogue waits for.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "regex")]
use super::regex::Compiled;

/// What [`Dialogue::expect`](crate::Dialogue::expect) waits for. A text or bytes are a pattern: they
/// match themselves.
///
/// A pattern matches at the first byte at which what came matches it. How the bytes are cut into
/// chunks makes no difference. Of several patterns, the one whose match is complete first wins; of those
/// that are complete at the same byte, the first of the list.
///
/// # Regular expressions
///
/// The feature `regex` adds `Pattern::regex` and the function `line`, with the
/// [syntax](https://docs.rs/regex/latest/regex/#syntax) of the crate `regex`. They look at bytes: `.` is
/// any byte but a line feed, `\d`, `\w`, `\s` and `\b` know ASCII only. A clone shares the compiled
/// expression, so a pattern that is used often is made once, and cloned.
///
/// # Examples
///
/// ```
/// use procession::Pattern;
/// use std::time::Duration;
///
/// let prompt = Pattern::from("login: ");
/// assert_eq!(prompt.to_string(), r#""login: ""#);
/// assert_eq!(Pattern::quiet(Duration::from_millis(200)).to_string(), "a pause of 0.20 s");
/// ```
#[derive(Clone)]
pub struct Pattern(pub(super) PatternKind);

#[derive(Clone)]
pub(super) enum PatternKind {
    Bytes(Arc<[u8]>),
    NextLine,
    #[cfg(feature = "regex")]
    Line(Arc<Compiled>),
    #[cfg(feature = "regex")]
    Regex(Arc<Compiled>),
    Quiet(Duration),
    End,
    /// A pattern that cannot match: its text, and the reason.
    Invalid(String, String),
}

impl Pattern {
    /// Waits for these bytes. They must not be empty.
    pub fn bytes(bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        if bytes.is_empty() {
            let reason = "the text is empty".to_owned();
            return Self(PatternKind::Invalid(r#""""#.to_owned(), reason));
        }
        Self(PatternKind::Bytes(bytes.into()))
    }

    /// Waits for the next whole line.
    ///
    /// The match is the line without its end: the line feed, and any carriage returns before it. At the
    /// end of the output, what came after the last line feed is a line, if there is any.
    pub fn next_line() -> Self {
        Self(PatternKind::NextLine)
    }

    /// Waits until the program has printed nothing for this time. What came is [`before`](crate::Found::before) the
    /// match, which is empty.
    ///
    /// The time begins with the wait, or with the last bytes.
    pub fn quiet(time: Duration) -> Self {
        Self(PatternKind::Quiet(time))
    }

    /// Waits for the end of the output. What came is [`before`](crate::Found::before) the match, which is
    /// empty.
    pub fn end() -> Self {
        Self(PatternKind::End)
    }

    /// Waits for a match of a regular expression.
    ///
    /// The match ends at the first byte at which there is one: `\d+` matches the `1` of `12`. To get a
    /// whole number, let the expression say what follows it: `(\d+)\r`. The beginning of the match is as
    /// far to the left as possible. `^` is the place where the previous match ended; with `(?m)` it is
    /// also the beginning of a line.
    ///
    /// An expression that looks at what follows the match (`$`, `\b`) is decided when the next byte has
    /// come, or at the end of the output. So `\$ $` does not find a prompt; `\$ ` does.
    ///
    /// An expression that cannot be compiled, and one that matches the empty text, is an
    /// [error](crate::DialogueError::Pattern) of the wait.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Pattern, Reactor, StartDialogue};
    ///
    /// let mut reactor = Reactor::new()?;
    /// let size = reactor.block_on(async {
    ///     let handle = procession::Handle::current();
    ///     let mut sh = handle.dialogue(Command::new("sh").args(["-c", "echo 10x20 px"]))?;
    ///     let found = sh.expect(Pattern::regex(r"(\d+)x(\d+) ")).await?;
    ///     Ok::<_, Box<dyn std::error::Error>>((found.capture(1), found.capture(2)))
    /// })?;
    /// assert_eq!(size, (Some("10".into()), Some("20".into())));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[cfg(feature = "regex")]
    pub fn regex(expression: &str) -> Self {
        match Compiled::new(expression) {
            Ok(compiled) if compiled.matches_empty() => {
                let reason = "it matches the empty text, so it would match at once";
                Self::invalid_expression(expression, reason)
            }
            Ok(compiled) => Self(PatternKind::Regex(Arc::new(compiled))),
            Err(reason) => Self::invalid_expression(expression, &reason),
        }
    }

    #[cfg(feature = "regex")]
    fn invalid_expression(expression: &str, reason: &str) -> Self {
        Self(PatternKind::Invalid(format!("/{expression}/"), reason.to_owned()))
    }

    /// Displays several patterns.
    pub(super) fn list(patterns: &[Self]) -> String {
        patterns.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
    }
}

/// Waits for a line that matches a regular expression.
///
/// The expression looks at one line at a time, without its end (see
/// [`Pattern::next_line`]): `^` and `$` are its beginning and its end. The match is the whole line.
///
/// # Examples
///
/// ```
/// use procession::{Command, Reactor, StartDialogue, line};
/// use std::time::Duration;
///
/// let mut reactor = Reactor::new()?;
/// let answer = reactor.block_on(async {
///     let mut sh = procession::Handle::current().dialogue(Command::new("sh"))?;
///     sh.send_line("echo the answer:; echo $((6 * 7))").await?;
///     let answer = sh.expect(line(r"^\d+$")).within(Duration::from_secs(5)).await?;
///     Ok::<_, Box<dyn std::error::Error>>(answer)
/// })?;
/// assert_eq!(answer.text(), "42");
/// assert_eq!(answer.before, "the answer:\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[cfg(feature = "regex")]
pub fn line(expression: &str) -> Pattern {
    match Compiled::new(expression) {
        Ok(compiled) => Pattern(PatternKind::Line(Arc::new(compiled))),
        Err(reason) => Pattern::invalid_expression(expression, &reason),
    }
}

impl From<&str> for Pattern {
    fn from(text: &str) -> Self {
        Self::bytes(text)
    }
}

impl From<&String> for Pattern {
    fn from(text: &String) -> Self {
        Self::bytes(text)
    }
}

impl From<&[u8]> for Pattern {
    fn from(bytes: &[u8]) -> Self {
        Self::bytes(bytes)
    }
}

/// Displays the pattern as an error names it.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            PatternKind::Bytes(bytes) => write!(f, "\"{}\"", Quoted(bytes)),
            PatternKind::NextLine => f.write_str("a line"),
            #[cfg(feature = "regex")]
            PatternKind::Line(compiled) => write!(f, "a line with /{}/", compiled.text),
            #[cfg(feature = "regex")]
            PatternKind::Regex(compiled) => write!(f, "/{}/", compiled.text),
            PatternKind::Quiet(time) => write!(f, "a pause of {:.2} s", time.as_secs_f64()),
            PatternKind::End => f.write_str("the end of its output"),
            PatternKind::Invalid(text, _) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({self})")
    }
}

/// Displays bytes as text, with control characters and quotes escaped.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            write!(f, "{}{}", chunk.valid().escape_debug(), chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}
