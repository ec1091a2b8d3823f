//! How much of a program's output is kept, and how much memory that takes.

mod util;

use procession_utils::{Keep, OutputError, Run, Stream};
use util::{both, ms, rss_bytes, rss_peak_bytes, sanitizer, sh, skip_here};

const SLACK: usize = 4 << 20;

/// Both drivers run in one process, whose peak covers its whole life.
fn stays_within(name: &str, keep: Keep) {
    if sanitizer().as_deref() == Some("address") {
        // AddressSanitizer's shadow takes an eighth of all memory, and it delays the reuse of freed
        // memory.
        return skip_here(name, "AddressSanitizer has memory of its own");
    }
    both(name, |runner| {
        let before = rss_bytes();
        let length = 2 * keep.max_bytes();
        let flood = Run::new("head").args(["-c", &length.to_string(), "/dev/zero"]).keep(keep);
        let outcome = runner.get(flood).expect("head ends");
        assert_eq!(outcome.stdout.len(), keep.max_bytes());
        assert!(outcome.is_truncated());
        let peak = rss_peak_bytes().saturating_sub(before);
        assert!(peak <= keep.max_bytes() + SLACK, "{peak} bytes for {keep:?}");
    });
}

#[test]
fn a_kept_head_takes_the_limit_and_four_megabytes() {
    stays_within("a_kept_head_takes_the_limit_and_four_megabytes", Keep::default());
}

#[test]
fn a_kept_tail_takes_the_limit_and_four_megabytes() {
    stays_within("a_kept_tail_takes_the_limit_and_four_megabytes", Keep::tail(64 << 20));
}

#[test]
fn a_kept_head_and_tail_take_the_limit_and_four_megabytes() {
    let keep = Keep::head_and_tail(10 << 20, 12 << 20);
    stays_within("a_kept_head_and_tail_take_the_limit_and_four_megabytes", keep);
}

#[test]
fn a_limit_that_is_no_power_of_two_takes_itself_and_four_megabytes() {
    let name = "a_limit_that_is_no_power_of_two_takes_itself_and_four_megabytes";
    stays_within(name, Keep::head(50_000_001));
}

#[test]
fn a_longer_output_is_read_on_and_counted() {
    both("a_longer_output_is_read_on_and_counted", |runner| {
        let script = sh("head -c 1000000 /dev/zero; echo end; exit 4");
        let run = Run::from(script).keep(Keep::head_and_tail(10, 4));
        let outcome = runner.get(run).unwrap();
        assert_eq!(outcome.stdout, b"\0\0\0\0\0\0\0\0\0\0end\n"[..]);
        assert_eq!(outcome.exit_code(), Some(4), "it was not disturbed");
        let gap = outcome.stdout_gap.unwrap();
        assert_eq!((gap.at, gap.skipped_bytes), (10, 1_000_004 - 14));
        assert!(outcome.stderr_gap.is_none() && outcome.is_truncated());
    });
}

#[test]
fn exactly_the_limit_is_not_too_long() {
    both("exactly_the_limit_is_not_too_long", |runner| {
        let run = Run::from(sh("printf 12345")).keep(Keep::head(5)).stop_at_limit();
        let outcome = runner.get(run).unwrap();
        assert!(!outcome.is_truncated() && outcome.stdout == "12345");
    });
}

#[test]
fn a_program_can_be_stopped_at_the_limit() {
    both("a_program_can_be_stopped_at_the_limit", |runner| {
        let script = sh("printf 123; printf abcdefg >&2; sleep 100");
        let run = Run::from(script).keep(Keep::head(5)).stop_at_limit();
        let error = runner.get(run).unwrap_err();
        assert_eq!(error.stderr().unwrap(), "abcde");
        let OutputError::TooLong { stream, max_bytes, .. } = error else { panic!("{error:?}") };
        assert_eq!((stream, max_bytes), (Stream::Stderr, 5));
        runner.until_no_children(ms(500));
    });
}
