//! Regular expressions that are matched byte by byte: a lazy automaton whose state outlives a chunk.

use std::ops::Range;
use std::sync::Arc;

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::regex::{Cache, Regex};
use regex_automata::nfa::thompson;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::look::Look;
use regex_automata::util::syntax;
use regex_automata::{Anchored, Input, PatternID};

use super::search::Hit;

/// The most memory of a compiled expression, in bytes. It bounds what repetitions can ask for.
const MOST_NFA_BYTES: usize = 1 << 20;

/// The text of a failure that the configuration excludes.
const NEVER: &str = "an automaton without quit bytes that may clear its cache does not fail";

/// A compiled expression.
pub(super) struct Compiled {
    /// For messages.
    pub(super) text: String,
    pub(super) matches_empty: bool,
    /// Whether a match depends on the byte after it.
    looks_ahead: bool,
    regex: Regex,
    /// Finds the groups of a match. `None` if there are none.
    groups: Option<PikeVM>,
}

impl Compiled {
    /// Compiles an expression; an error is the reason, in one line.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        // Bytes, not characters: a program may print anything, and without the tables of Unicode the
        // tree stays small.
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let thompson = || thompson::Config::new().utf8(false).nfa_size_limit(Some(MOST_NFA_BYTES));
        let regex = Regex::builder()
            .syntax(syntax)
            .thompson(thompson())
            .build(text)
            .map_err(|error| last_line(&error))?;
        let groups = PikeVM::builder()
            .syntax(syntax)
            .thompson(thompson())
            .build(text)
            .map_err(|error| last_line(&error))?;
        let nfa = groups.get_nfa();
        let looks_behind =
            |look| matches!(look, Look::Start | Look::StartLF | Look::WordStartHalfAscii);
        Ok(Self {
            text: text.to_owned(),
            matches_empty: nfa.has_empty(),
            looks_ahead: !nfa.look_set_any().iter().all(looks_behind),
            regex,
            groups: (nfa.group_info().group_len(PatternID::ZERO) > 1).then_some(groups),
        })
    }

    /// Returns the groups of the match of one line, if it has a match.
    pub(super) fn match_line(&self, cache: &mut Cache, line: &[u8]) -> Option<Groups> {
        let found = self.regex.try_search(cache, &Input::new(line)).expect(NEVER)?;
        Some(self.groups(line, found.range()))
    }

    pub(super) fn cache(&self) -> Cache {
        self.regex.create_cache()
    }

    /// Finds the groups of a match. The first is the match itself.
    fn groups(&self, text: &[u8], range: Range<usize>) -> Groups {
        let Some(vm) = &self.groups else { return vec![Some(range)] };
        let (mut cache, mut captures) = (vm.create_cache(), vm.create_captures());
        let input = Input::new(text).range(range).anchored(Anchored::Yes);
        vm.captures(&mut cache, input, &mut captures);
        captures.iter().map(|group| group.map(|span| span.start..span.end)).collect()
    }
}

/// The ranges of the groups, in the text that was searched.
pub(super) type Groups = Vec<Option<Range<usize>>>;

/// The search for one expression in the bytes of one wait.
pub(super) struct RegexSearch {
    compiled: Arc<Compiled>,
    cache: Cache,
    state: LazyStateID,
    /// How many bytes the state has seen.
    seen: usize,
}

impl RegexSearch {
    pub(super) fn new(compiled: &Arc<Compiled>) -> Self {
        let mut cache = compiled.cache();
        let forward = compiled.regex.forward();
        let state =
            forward.start_state_forward(cache.as_parts_mut().0, &Input::new("")).expect(NEVER);
        Self { compiled: Arc::clone(compiled), cache, state, seen: 0 }
    }

    /// Looks at `held[..to]`, from where the last call ended. Adds the number of its steps to `steps`.
    pub(super) fn advance(&mut self, held: &[u8], to: usize, steps: &mut u64) -> Option<Hit> {
        let forward = self.compiled.regex.forward();
        let cache = self.cache.as_parts_mut().0;
        for at in self.seen..to {
            if self.state.is_dead() {
                break;
            }
            self.state = forward.next_state(cache, self.state, held[at]).expect(NEVER);
            *steps += 1;
            if self.state.is_match() {
                // The automaton knows of a match when it sees the byte after it.
                let decided = at + usize::from(self.compiled.looks_ahead);
                return Some(self.hit(held, at, decided));
            }
        }
        self.seen = self.seen.max(to);
        if self.compiled.looks_ahead {
            return None;
        }
        self.at_text_end(held, to, steps)
    }

    /// Returns the match that ends with the output.
    pub(super) fn at_end(&mut self, held: &[u8], steps: &mut u64) -> Option<Hit> {
        if self.compiled.looks_ahead { self.at_text_end(held, self.seen, steps) } else { None }
    }

    /// Looks whether there is a match if the text ends here.
    fn at_text_end(&mut self, held: &[u8], to: usize, steps: &mut u64) -> Option<Hit> {
        if to == 0 || self.state.is_dead() {
            return None;
        }
        *steps += 1;
        let forward = self.compiled.regex.forward();
        let end = forward.next_eoi_state(self.cache.as_parts_mut().0, self.state).expect(NEVER);
        end.is_match().then(|| self.hit(held, to, to))
    }

    /// Finds the beginning of the match that ends at `end`, and its groups.
    fn hit(&mut self, held: &[u8], end: usize, decided: usize) -> Hit {
        let backward = self.compiled.regex.reverse();
        let input = Input::new(held).range(..end).anchored(Anchored::Yes);
        let begin = backward.try_search_rev(self.cache.as_parts_mut().1, &input).expect(NEVER);
        let begin = begin.map_or(end, |half| half.offset());
        let groups = self.compiled.groups(held, begin..end);
        Hit { decided, matched: begin..end, consumed: end, groups }
    }
}

/// The last line of a syntax error is the reason; the lines before it draw the expression.
fn last_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
