//! The search for one pattern in the bytes of one wait. It keeps its state between chunks, so it looks
//! at each byte once.

use std::ops::Range;
#[cfg(feature = "regex")]
use std::sync::Arc;

use super::hit::Hit;
use super::pattern::{Pattern, PatternKind};
#[cfg(feature = "regex")]
use super::regex::{Compiled, RegexSearch};

/// The search for one pattern.
pub(super) enum Search {
    Bytes(BytesSearch),
    Line(LineSearch),
    #[cfg(feature = "regex")]
    Regex(Box<RegexSearch>),
    /// The end of the output.
    End,
    /// Time or nothing decides: the bytes do not matter.
    Nothing,
}

impl Search {
    pub(super) fn new(pattern: &Pattern) -> Self {
        match &pattern.0 {
            PatternKind::Bytes(bytes) => Self::Bytes(BytesSearch::new(bytes)),
            PatternKind::NextLine => Self::Line(LineSearch::default()),
            #[cfg(feature = "regex")]
            PatternKind::Line(compiled) => Self::Line(LineSearch::for_lines_with(compiled)),
            #[cfg(feature = "regex")]
            PatternKind::Regex(compiled) => Self::Regex(Box::new(RegexSearch::new(compiled))),
            PatternKind::End => Self::End,
            PatternKind::Quiet(_) | PatternKind::Invalid(..) => Self::Nothing,
        }
    }

    /// Looks at this part of `held`, which begins where that of the last call ended, and returns the
    /// first match. Adds the number of its steps to `steps`.
    pub(super) fn advance(
        &mut self,
        held: &[u8],
        part: Range<usize>,
        steps: &mut u64,
    ) -> Option<Hit> {
        match self {
            Self::Bytes(search) => search.advance(held, part, steps),
            Self::Line(search) => search.advance(held, part, steps),
            #[cfg(feature = "regex")]
            Self::Regex(search) => search.advance(held, part, steps),
            Self::End | Self::Nothing => None,
        }
    }

    /// Returns the match that the end of the output decides. The search has seen everything.
    pub(super) fn at_end(&mut self, held: &[u8], steps: &mut u64) -> Option<Hit> {
        match self {
            Self::Line(search) => search.at_end(held, steps),
            #[cfg(feature = "regex")]
            Self::Regex(search) => search.at_end(held, steps),
            Self::End => Some(Hit::of(held.len()..held.len(), held.len())),
            Self::Bytes(_) | Self::Nothing => None,
        }
    }
}

/// The search for bytes, by the automaton of Knuth, Morris and Pratt.
pub(super) struct BytesSearch {
    wanted: Vec<u8>,
    /// For each length of a beginning: the length of the longest shorter beginning that it ends in.
    shorter: Vec<usize>,
    /// How many bytes of `wanted` the bytes so far end in.
    matching: usize,
}

impl BytesSearch {
    fn new(wanted: &[u8]) -> Self {
        let mut shorter = vec![0; wanted.len() + 1];
        let mut length = 0;
        for at in 1..wanted.len() {
            while length > 0 && wanted[at] != wanted[length] {
                length = shorter[length];
            }
            length += usize::from(wanted[at] == wanted[length]);
            shorter[at + 1] = length;
        }
        Self { wanted: wanted.to_vec(), shorter, matching: 0 }
    }

    fn advance(&mut self, held: &[u8], part: Range<usize>, steps: &mut u64) -> Option<Hit> {
        for at in part {
            let byte = held[at];
            *steps += 1;
            while self.matching > 0 && byte != self.wanted[self.matching] {
                self.matching = self.shorter[self.matching];
                *steps += 1;
            }
            self.matching += usize::from(byte == self.wanted[self.matching]);
            if self.matching == self.wanted.len() {
                let end = at + 1;
                return Some(Hit::of(end - self.wanted.len()..end, end));
            }
        }
        None
    }
}

/// The search for a line.
#[derive(Default)]
pub(super) struct LineSearch {
    #[cfg(feature = "regex")]
    wanted: Option<Box<(Arc<Compiled>, regex_automata::nfa::thompson::pikevm::Cache)>>,
    /// Where the line begins that is not complete.
    begin: usize,
}

impl LineSearch {
    #[cfg(feature = "regex")]
    fn for_lines_with(compiled: &Arc<Compiled>) -> Self {
        let wanted = Some(Box::new((Arc::clone(compiled), compiled.cache())));
        Self { wanted, begin: 0 }
    }

    fn advance(&mut self, held: &[u8], mut part: Range<usize>, steps: &mut u64) -> Option<Hit> {
        while !part.is_empty() {
            let feed = held[part.clone()].iter().position(|byte| *byte == b'\n');
            let end = feed.map_or(part.end, |at| part.start + at + 1);
            *steps += count(end - part.start);
            part.start = end;
            if feed.is_some() {
                let begin = std::mem::replace(&mut self.begin, end);
                let hit = self.look(held, begin..end - 1, end, steps);
                if hit.is_some() {
                    return hit;
                }
            }
        }
        None
    }

    fn at_end(&mut self, held: &[u8], steps: &mut u64) -> Option<Hit> {
        let line = self.begin..held.len();
        if line.is_empty() { None } else { self.look(held, line, held.len(), steps) }
    }

    /// Looks at a complete line.
    #[cfg_attr(
        not(feature = "regex"),
        expect(clippy::unused_self, reason = "without expressions every line counts")
    )]
    fn look(
        &mut self,
        held: &[u8],
        mut line: Range<usize>,
        consumed: usize,
        steps: &mut u64,
    ) -> Option<Hit> {
        while line.end > line.start && held[line.end - 1] == b'\r' {
            line.end -= 1;
            *steps += 1;
        }
        #[cfg(feature = "regex")]
        if let Some((compiled, cache)) = self.wanted.as_deref_mut() {
            *steps += count(line.len());
            let text = &held[line.clone()];
            let groups = compiled.find(cache, text, 0..text.len())?;
            let shift = |range: Range<usize>| range.start + line.start..range.end + line.start;
            let groups = groups.into_iter().map(|group| group.map(shift)).collect();
            return Some(Hit { groups, ..Hit::of(line, consumed) });
        }
        Some(Hit::of(line, consumed))
    }
}

fn count(bytes: usize) -> u64 {
    bytes.try_into().unwrap_or(u64::MAX)
}
