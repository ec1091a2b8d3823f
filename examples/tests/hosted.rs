//! Tests of the examples `hosted` and `in_calloop`: a hosted reactor wakes its host for events, and for
//! nothing else.

mod util;

use std::time::Duration;

use util::{bound, example, run};

const EXAMPLES: [&str; 2] = ["hosted", "in_calloop"];
const MOST_WAKE_UPS: u64 = 5;
const PROMPTLY: Duration = Duration::from_millis(20);

/// Returns the number between these two parts of a line.
fn number(output: &str, before: &str, after: &str) -> u64 {
    let is_it = |line: &str| line.strip_prefix(before)?.strip_suffix(after)?.parse().ok();
    output.lines().find_map(is_it).unwrap_or_else(|| panic!("no `{before}..{after}` in {output}"))
}

#[test]
fn an_idle_reactor_wakes_its_host_at_most_five_times_a_second_and_sees_events_at_once() {
    for name in EXAMPLES {
        let ended = run(example(name));
        assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
        assert!(ended.stdout.starts_with("echo said hello\n"), "{name}: {}", ended.stdout);
        let wake_ups = number(&ended.stdout, "woke the host ", " times in an idle second");
        assert!(wake_ups <= MOST_WAKE_UPS, "{name}: {}", ended.stdout);
        let median = number(&ended.stdout, "10 bytes arrived, in ", " us each");
        assert!(Duration::from_micros(median) <= bound(PROMPTLY), "{name}: {}", ended.stdout);
    }
}
