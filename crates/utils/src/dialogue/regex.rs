//! Regular expressions that are matched byte by byte, with a state that outlives a chunk: the set of the
//! places in the expression that the bytes so far lead to.
//!
//! A lazy automaton would be faster. But it drops its states when its memory is full, also those that a
//! search would go on with, and the search would have to begin again.

use std::ops::Range;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::nfa::thompson::pikevm::{Cache, PikeVM};
use regex_automata::nfa::thompson::{self, NFA, State};
use regex_automata::util::look::Look;
use regex_automata::util::primitives::StateID;
use regex_automata::util::syntax;

use super::hit::Hit;

/// The most memory of a compiled expression, in bytes. It bounds what repetitions can ask for.
const MOST_NFA_BYTES: usize = 64 << 10;

/// A compiled expression.
pub(super) struct Compiled {
    /// For messages.
    pub(super) text: String,
    /// Whether a match depends on the byte after it.
    looks_ahead: bool,
    /// The bytes that a match may begin with, if that does not depend on what is around it.
    begins: Option<Vec<bool>>,
    engine: PikeVM,
}

/// The ranges of the groups, in the text that was searched. The first is the whole match.
pub(super) type Groups = Vec<Option<Range<usize>>>;

impl Compiled {
    /// Compiles an expression; an error is the reason, in one line.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let engine = PikeVM::builder()
            // Bytes, not characters: a program may print anything, and the tree stays small without
            // the tables of Unicode.
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false).nfa_size_limit(Some(MOST_NFA_BYTES)))
            .build(text)
            .map_err(|error| innermost_reason(&error))?;
        let looks_behind =
            |look| matches!(look, Look::Start | Look::StartLF | Look::WordStartHalfAscii);
        let looks = engine.get_nfa().look_set_any();
        let looks_ahead = !looks.iter().all(looks_behind);
        let begins = looks.is_empty().then(|| first_bytes(engine.get_nfa()));
        Ok(Self { text: text.to_owned(), looks_ahead, begins, engine })
    }

    pub(super) fn matches_empty(&self) -> bool {
        self.nfa().has_empty()
    }

    pub(super) fn cache(&self) -> Cache {
        self.engine.create_cache()
    }

    /// Returns the groups of the first match in a part of a text, if it has a match.
    pub(super) fn find(
        &self,
        cache: &mut Cache,
        text: &[u8],
        part: Range<usize>,
    ) -> Option<Groups> {
        let mut groups = self.engine.create_captures();
        self.engine.captures(cache, Input::new(text).range(part), &mut groups);
        let ranges = groups.iter().map(|group| group.map(|span| span.start..span.end));
        groups.is_match().then(|| ranges.collect())
    }

    fn nfa(&self) -> &NFA {
        self.engine.get_nfa()
    }
}

/// Returns, for each byte, whether a match may begin with it.
fn first_bytes(nfa: &NFA) -> Vec<bool> {
    let mut places = Places::new(nfa.states().len());
    places.follow(nfa, b"", 0, &mut 0);
    let leads_on =
        |byte| places.waiting.iter().any(|place| next_place(nfa, *place, byte).is_some());
    (0..=u8::MAX).map(leads_on).collect()
}

/// The search for one expression in the bytes of one wait.
pub(super) struct RegexSearch {
    compiled: Arc<Compiled>,
    places: Places,
}

impl RegexSearch {
    pub(super) fn new(compiled: &Arc<Compiled>) -> Self {
        let places = Places::new(compiled.nfa().states().len());
        Self { compiled: Arc::clone(compiled), places }
    }

    /// Looks at this part of `held`, which begins where that of the last call ended. Adds the number of
    /// its steps to `steps`.
    pub(super) fn advance(
        &mut self,
        held: &[u8],
        part: Range<usize>,
        steps: &mut u64,
    ) -> Option<Hit> {
        let looks_ahead = self.compiled.looks_ahead;
        for at in part {
            // An expression that does not look ahead has judged this place after the byte before it.
            if (looks_ahead || at == 0) && self.judge(held, at, steps) {
                return Some(self.hit(held, at, at + 1));
            }
            if let Some(begins) = &self.compiled.begins
                && self.places.is_at_start
                && !begins[usize::from(held[at])]
            {
                *steps += 1;
                continue;
            }
            self.places.step(self.compiled.nfa(), held[at], steps);
            if !looks_ahead && self.judge(held, at + 1, steps) {
                return Some(self.hit(held, at + 1, at + 1));
            }
        }
        None
    }

    /// Returns the match that ends with the output.
    pub(super) fn at_end(&mut self, held: &[u8], steps: &mut u64) -> Option<Hit> {
        let is_match = self.compiled.looks_ahead && self.judge(held, held.len(), steps);
        is_match.then(|| self.hit(held, held.len(), held.len()))
    }

    /// Returns whether a match ends at `end`, which was reached.
    fn judge(&mut self, held: &[u8], end: usize, steps: &mut u64) -> bool {
        self.places.follow(self.compiled.nfa(), held, end, steps)
    }

    /// Finds the beginning of the match that ends at `end`, and its groups. No other match ends earlier.
    fn hit(&self, held: &[u8], end: usize, decided: usize) -> Hit {
        let groups = self.compiled.find(&mut self.compiled.cache(), held, 0..end);
        let groups = groups.unwrap_or_default();
        let matched = groups.first().cloned().flatten().unwrap_or(end..end);
        Hit { decided, matched, consumed: end, groups }
    }
}

/// The places in an expression that the bytes so far lead to.
struct Places {
    /// Those that the last byte led to.
    reached: Vec<StateID>,
    /// Those of them, and of all that follow without a byte, that wait for a byte.
    waiting: Vec<StateID>,
    /// For each place, the number of the round in which it was last met.
    met: Vec<u64>,
    round: u64,
    /// Nothing was reached: a match can only begin here.
    is_at_start: bool,
}

impl Places {
    fn new(count: usize) -> Self {
        let met = vec![0; count];
        Self { reached: Vec::new(), waiting: Vec::new(), met, round: 0, is_at_start: true }
    }

    /// Follows what needs no byte. A match may also begin here. Returns whether one ends here.
    fn follow(&mut self, nfa: &NFA, text: &[u8], at: usize, steps: &mut u64) -> bool {
        self.round += 1;
        self.waiting.clear();
        self.is_at_start = self.reached.is_empty();
        self.reached.push(nfa.start_anchored());
        let mut is_match = false;
        while let Some(place) = self.reached.pop() {
            if std::mem::replace(&mut self.met[place.as_usize()], self.round) == self.round {
                continue;
            }
            *steps += 1;
            match nfa.state(place) {
                State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) => {
                    self.waiting.push(place);
                }
                State::Look { look, next } => {
                    if nfa.look_matcher().matches(*look, text, at) {
                        self.reached.push(*next);
                    }
                }
                State::Union { alternates } => self.reached.extend(alternates.iter()),
                State::BinaryUnion { alt1, alt2 } => self.reached.extend([*alt1, *alt2]),
                State::Capture { next, .. } => self.reached.push(*next),
                State::Match { .. } => is_match = true,
                State::Fail => {}
            }
        }
        is_match
    }

    /// Goes on by one byte.
    fn step(&mut self, nfa: &NFA, byte: u8, steps: &mut u64) {
        for place in self.waiting.drain(..) {
            *steps += 1;
            self.reached.extend(next_place(nfa, place, byte));
        }
    }
}

/// Returns where a byte leads from a place.
fn next_place(nfa: &NFA, place: StateID, byte: u8) -> Option<StateID> {
    match nfa.state(place) {
        State::ByteRange { trans } => trans.matches_byte(byte).then_some(trans.next),
        State::Sparse(ranges) => ranges.matches_byte(byte),
        State::Dense(table) => table.matches_byte(byte),
        // The others wait for no byte.
        _ => None,
    }
}

/// Returns the innermost reason of an error. A syntax error draws the expression above its reason.
fn innermost_reason(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}
