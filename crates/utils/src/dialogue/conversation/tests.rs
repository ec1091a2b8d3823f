//! The laws of the conversation, over every cut of its input.

use super::*;

const AT: Duration = Duration::from_millis(1);

/// Which pattern matched, what came before it, the match, and what is left.
type Outcome = (usize, String, String, String);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Gives the input in pieces that end at the set bits, then its end. Returns the outcome, and the number
/// of bytes after which it was there (one more for the end).
fn run(patterns: &[Pattern], input: &[u8], cuts: u64) -> (Result<Outcome, Answer>, usize) {
    let mut talk = Conversation::new();
    talk.begin(patterns, None, AT);
    let mut begin = 0;
    for end in 1..=input.len() {
        if end == input.len() || cuts >> (end - 1) & 1 == 1 {
            talk.on_data(&input[begin..end], AT);
            begin = end;
        }
        if talk.is_decided() {
            break;
        }
    }
    let came = if talk.is_decided() { begin } else { input.len() + 1 };
    talk.on_end();
    let answer = match talk.poll().expect("the output has ended") {
        Answer::Found(found) => {
            let rest = [talk.take(), Bytes::copy_from_slice(&input[begin..])].concat();
            Ok((found.which, text(&found.before), text(&found.matched), text(&rest)))
        }
        other => Err(other),
    };
    (answer, came)
}

/// Checks the outcome for every cut of the input.
fn check_cuts(
    patterns: &[Pattern],
    input: &str,
    expected: Result<(usize, &str, &str, &str), Answer>,
) {
    let expected = expected.map(|(which, before, matched, rest)| {
        (which, before.to_owned(), matched.to_owned(), rest.to_owned())
    });
    assert!(input.len() <= 14, "{input} has too many cuts");
    // Byte by byte, the outcome is there after as few bytes as possible.
    let (_, fewest) = run(patterns, input.as_bytes(), u64::MAX);
    for cuts in 0..1 << input.len().saturating_sub(1) {
        let (outcome, came) = run(patterns, input.as_bytes(), cuts);
        let what = format!("{patterns:?} in {input:?}, cut at {cuts:b}");
        assert_eq!(outcome, expected, "{what}");
        let ends =
            (1..=input.len()).filter(|end| *end == input.len() || cuts >> (end - 1) & 1 == 1);
        let soonest = ends.chain([input.len() + 1]).find(|end| *end >= fewest);
        assert_eq!(Some(came), soonest, "{what}");
    }
    if let Ok((_, _, _, rest)) = &expected
        && !rest.is_empty()
        && !patterns.iter().any(|pattern| pattern.to_string().contains(['$', '\\']))
    {
        assert_eq!(fewest, input.len() - rest.len(), "{patterns:?} in {input:?}");
    }
}

/// Case DG-01.
#[test]
fn the_match_that_is_complete_first_wins_whatever_the_cuts() {
    let one = |pattern: &str| vec![Pattern::from(pattern)];
    check_cuts(&one("aab"), "xaaaabaab", Ok((0, "xaa", "aab", "aab")));
    check_cuts(&one("abcabd"), "abcabcabd.", Ok((0, "abc", "abcabd", ".")));
    check_cuts(&one("aa"), "abab", Err(Answer::Over));
    // The longer text begins earlier, and is complete later.
    check_cuts(&["abcd".into(), "bc".into()], "abcd", Ok((1, "a", "bc", "d")));
    check_cuts(&["abc".into(), "bc".into()], "abcd", Ok((0, "", "abc", "d")));
    check_cuts(&["bc".into(), "abc".into()], "abcd", Ok((0, "a", "bc", "d")));
    check_cuts(&[Pattern::next_line(), "b\r".into()], "ab\r\nc", Ok((1, "a", "b\r", "\nc")));
    check_cuts(&[Pattern::end(), "c".into()], "ab", Ok((0, "ab", "", "")));
    check_cuts(&[Pattern::end(), "b".into()], "ab", Ok((1, "a", "b", "")));
    check_cuts(&[Pattern::next_line(), Pattern::end()], "ab", Ok((0, "", "ab", "")));
    check_cuts(&[Pattern::next_line()], "", Err(Answer::Over));
}

/// Case DG-02.
#[test]
fn a_line_ends_at_its_line_feed_or_with_the_output() {
    let line = [Pattern::next_line()];
    check_cuts(&line, "ab\r\r\ncd\n", Ok((0, "", "ab", "cd\n")));
    check_cuts(&line, "\n\n", Ok((0, "", "", "\n")));
    check_cuts(&line, "ab\rc", Ok((0, "", "ab\rc", "")));
    check_cuts(&line, "ab\r", Ok((0, "", "ab", "")));
}

/// Case DG-03.
#[cfg(feature = "regex")]
#[test]
fn an_expression_matches_over_every_cut() {
    use crate::line;
    let one = |expression: &str| [Pattern::regex(expression)];
    check_cuts(&one(r"\d+"), "ab123", Ok((0, "ab", "1", "23")));
    check_cuts(&one(r"(\d+)x(\d+)\r"), "a 10x20\r\n", Ok((0, "a ", "10x20\r", "\n")));
    check_cuts(&one(r"[$#] "), "a$b# $ ", Ok((0, "a$b", "# ", "$ ")));
    check_cuts(&one(r"a.*b"), "xaab b", Ok((0, "x", "aab", " b")));
    check_cuts(&one(r"^b"), "ab", Err(Answer::Over));
    check_cuts(&one(r"(?m)^b"), "a\nbc", Ok((0, "a\n", "b", "c")));
    // It depends on what follows.
    check_cuts(&one(r"\d+\b"), "a 12;3", Ok((0, "a ", "12", ";3")));
    check_cuts(&one(r"\d+$"), "1a2b34", Ok((0, "1a2b", "34", "")));
    check_cuts(&one(r"(?m)\d+$"), "1a2\n34", Ok((0, "1a", "2", "\n34")));
    // An expression that is certain a byte after its match, and a text that ends there.
    check_cuts(&[Pattern::regex(r"12\b"), "12".into()], "12;", Ok((1, "", "12", ";")));
    check_cuts(&[Pattern::regex(r"12\b"), "12;".into()], "12;", Ok((0, "", "12", ";")));
    check_cuts(&["12;".into(), Pattern::regex(r"12\b")], "12;", Ok((0, "", "12;", "")));
    check_cuts(&[line(r"^\d+$")], "6 * 7\r\n42\r\n", Ok((0, "6 * 7\r\n", "42", "")));
    check_cuts(&[line("x"), line("^$")], "ax\n", Ok((0, "", "ax", "")));
    check_cuts(&[line("x"), line("^$")], "a\n\nx", Ok((1, "a\n", "", "x")));
    check_cuts(&[Pattern::regex(r"\xff+é?;")], "aé;", Err(Answer::Over));
}

/// Every text of up to six bytes out of three, against the engine's own search between each two places.
///
/// Case DG-03.
#[cfg(feature = "regex")]
#[test]
fn an_expression_has_the_match_that_the_engine_finds_with_the_first_end() {
    use regex_automata::nfa::thompson::pikevm::PikeVM;
    use regex_automata::util::syntax;
    use regex_automata::{Anchored, Input};

    let expressions = [
        "ab",
        "a+b",
        "a*b|ba",
        "(a|ab)(b|ba)",
        "b.b",
        "^ab",
        "(?m)^b",
        "a$",
        "(?m)a$",
        r"\bab",
        r"b\b",
        r"a\Bb",
        "(?:aa|b){2,3}",
        "[^a]b?a",
        "a??b",
        r"(?s)a.*\n",
    ];
    for expression in expressions {
        let syntax = syntax::Config::new().unicode(false).utf8(false);
        let engine = PikeVM::builder().syntax(syntax).build(expression).unwrap();
        let (mut cache, mut groups) = (engine.create_cache(), engine.create_captures());
        let pattern = [Pattern::regex(expression)];
        for number in 0..4_usize.pow(6) {
            // The last digits of the number in base four. Each text comes once.
            let digits: Vec<_> = (0..6).map(|place| number / 4_usize.pow(place) % 4).collect();
            let length = digits.iter().take_while(|digit| **digit > 0).count();
            if digits[length..].iter().any(|digit| *digit > 0) {
                continue;
            }
            let text: Vec<u8> = digits[..length].iter().map(|digit| b" ab\n"[*digit]).collect();
            let mut expected = None;
            for (end, begin) in (1..=text.len()).flat_map(|end| (0..end).map(move |at| (end, at))) {
                let input = Input::new(&text).range(begin..end).anchored(Anchored::Yes);
                engine.search(&mut cache, &input, &mut groups);
                if groups.get_match().is_some_and(|found| found.end() == end) {
                    expected = Some((begin, end));
                    break;
                }
            }
            for cuts in [0, u64::MAX, 0b0101_0101] {
                let (outcome, _) = run(&pattern, &text, cuts);
                let found = outcome
                    .ok()
                    .map(|(_, before, matched, _)| (before.len(), before.len() + matched.len()));
                assert_eq!(found, expected, "{expression} in {text:?}, cut at {cuts:b}");
            }
        }
    }
}

/// Case DG-04.
#[cfg(feature = "regex")]
#[test]
fn the_groups_of_an_expression_are_those_of_the_match() {
    for cut in 1..20 {
        let mut talk = Conversation::new();
        talk.begin(&[Pattern::regex(r"(\w+)@((\w+)|(-+))\.")], None, AT);
        for piece in b"mail: joe@here. jim@there.".chunks(cut) {
            talk.on_data(piece, AT);
        }
        let Some(Answer::Found(found)) = talk.poll() else { panic!("nothing found") };
        let groups = (0..6).map(|group| found.capture(group).map(|bytes| text(&bytes)));
        let expected = [Some("joe@here."), Some("joe"), Some("here"), Some("here"), None, None];
        assert!(groups.eq(expected.map(|group| group.map(ToOwned::to_owned))), "{found:?}");
        assert_eq!(found.before, "mail: ");
        let mut lines = Conversation::new();
        lines.begin(&[crate::line(r"to (\d)")], None, AT);
        lines.on_data(b"a\nup to 7\r\n", AT);
        let Some(Answer::Found(found)) = lines.poll() else { panic!("nothing found") };
        assert_eq!((found.capture(0), found.capture(1)), (Some("to 7".into()), Some("7".into())));
    }
}

/// Case DG-05.
#[test]
fn the_work_is_linear_in_the_bytes_that_come() {
    let patterns = || {
        let all = vec![Pattern::from("aaaaaaaaaaaaaaaaaaab"), Pattern::end()];
        #[cfg(feature = "regex")]
        let all = [all, vec![Pattern::regex("(a|aa)*c"), crate::line("(a|aa)*c")]].concat();
        all
    };
    let steps = |bytes: usize, piece: usize| {
        let mut talk = Conversation::new();
        talk.begin(&patterns(), None, AT);
        let line = [&b"a".repeat(98)[..], b"\r\n"].concat();
        let input = line.repeat(bytes / line.len());
        input.chunks(piece).for_each(|piece| talk.on_data(piece, AT));
        talk.steps
    };
    for piece in [1, 2, 7, 64, 4096] {
        let (some, more) = (steps(10_000, piece), steps(160_000, piece));
        // Two for a text, three for a line, and for an expression at most two for each of its places.
        assert!(more <= 160_000 * 30, "{more} steps, in pieces of {piece}");
        assert!(more <= some * 17, "{some} and {more} steps, in pieces of {piece}");
    }
}

/// Case DG-31.
#[cfg(feature = "regex")]
#[test]
fn a_search_that_takes_long_stops_for_the_loop_and_goes_on() {
    let input = [&b"y".repeat(900_000)[..], b"Q"].concat();
    let begun = || {
        let mut talk = Conversation::new();
        talk.begin(&[Pattern::regex("y.{150}Q")], Some(AT), AT);
        talk.on_data(&input, AT);
        talk
    };
    let mut talk = begun();
    assert!(talk.is_behind() && !talk.is_decided());
    // One piece more than a call may have, at a step for each place of the expression and each byte.
    assert!(talk.steps < STEPS_AT_ONCE + 400 * PIECE_BYTES as u64, "{}", talk.steps);
    let mut calls = 1;
    while talk.is_behind() {
        talk.search();
        calls += 1;
    }
    let Some(Answer::Found(found)) = talk.poll() else { panic!("it is at the end") };
    assert_eq!((found.matched.len(), found.before.len()), (152, 899_849));
    assert!(calls > 50, "{calls}");

    // The time is judged although the search is not over.
    let mut talk = begun();
    talk.on_time(AT * 2);
    assert_eq!(talk.poll(), Some(Answer::TimedOut));
}

/// Case DG-06.
#[test]
fn what_is_held_is_bounded_whatever_the_cuts() {
    let answer = |pattern: &str, max_bytes, cut| {
        let mut talk = Conversation::new();
        talk.set_max_held_bytes(max_bytes);
        talk.begin(&[pattern.into()], None, AT);
        for piece in b"0123456789".chunks(cut) {
            talk.on_data(piece, AT);
        }
        let answer = talk.poll();
        (answer, [talk.take(), talk.take()].concat())
    };
    for cut in 1..=10 {
        let (found, rest) = answer("56", 7, cut);
        assert!(matches!(found, Some(Answer::Found(found)) if found.before == "01234"));
        assert_eq!(rest, b"789");
        // It would be complete at the eighth byte. Everything stays.
        let (too_long, rest) = answer("67", 7, cut);
        assert_eq!((too_long, rest), (Some(Answer::TooLong), b"0123456789".to_vec()));
        assert_eq!(answer("xx", 10, cut).0, None);
    }
}

/// Case DG-07.
#[test]
fn quiet_begins_with_the_wait_or_the_last_bytes() {
    let ms = Duration::from_millis;
    let mut talk = Conversation::new();
    talk.on_data(b"early ", ms(0));
    talk.begin(&[Pattern::from("never"), Pattern::quiet(ms(50))], Some(ms(120)), ms(100));
    assert_eq!(talk.deadline(), Some(ms(150)));
    talk.on_data(b"more", ms(140));
    talk.on_time(ms(150));
    assert_eq!((talk.is_decided(), talk.deadline()), (false, Some(ms(190))));
    talk.on_time(ms(190));
    // This comes after the decision.
    talk.on_data(b" late", ms(191));
    let Some(Answer::Found(found)) = talk.poll() else { panic!("it was quiet") };
    assert_eq!((found.which, found.before, found.matched), (1, "early more".into(), "".into()));
    assert_eq!(talk.take(), " late");
}

/// Case DG-08.
#[test]
fn what_came_before_the_limit_is_judged_first_and_the_earlier_limit_counts() {
    let ms = Duration::from_millis;
    let begin = |quiet| {
        let mut talk = Conversation::new();
        talk.begin(&["ok".into(), Pattern::quiet(ms(quiet))], Some(ms(50)), ms(0));
        talk
    };
    let mut late = begin(100);
    late.on_data(b"ok", ms(900));
    late.on_time(ms(900));
    assert!(matches!(late.poll(), Some(Answer::Found(_))));
    for (quiet, times_out) in [(49, false), (50, false), (51, true)] {
        let mut talk = begin(quiet);
        talk.on_time(ms(900));
        assert_eq!(talk.poll() == Some(Answer::TimedOut), times_out, "{quiet}");
        assert_eq!(talk.poll(), None);
    }
}

/// Case DG-09.
#[test]
fn a_wait_that_was_given_up_consumes_nothing_and_each_wait_begins_after_the_last_match() {
    let mut talk = Conversation::new();
    talk.on_data(b"one two one", AT);
    talk.begin(&["one".into()], None, AT);
    assert!(talk.is_decided());
    talk.give_up();
    for (pattern, before) in [("one", ""), ("one", " two ")] {
        talk.begin(&[pattern.into()], None, AT);
        let Some(Answer::Found(found)) = talk.poll() else { panic!("it is there") };
        assert_eq!(found.before, before);
    }
    talk.begin(&["one".into()], None, AT);
    assert_eq!(talk.poll(), None);
    talk.on_end();
    assert_eq!(talk.poll(), Some(Answer::Over));
}
