//! Tests of the example `pipeline`: the shell's pipes, without a shell.

mod util;

use util::{Ended, example, feed, run};

fn pipeline(args: &[&str]) -> Ended {
    run(example("pipeline").args(args))
}

#[test]
fn without_arguments_the_howtos_words_are_sorted() {
    let ended = pipeline(&[]);
    assert_eq!(ended.stdout, "accessing\nfun!\nis\nprotocols\nthrough\nTwisted\n");
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}

#[test]
fn the_input_goes_through_every_program() {
    let command = example("pipeline").args(["cat", "|", "tr", "a-z", "A-Z", "|", "rev"]);
    assert_eq!(feed(command, "hello\n").stdout, "OLLEH\n");
}

#[test]
fn one_program_is_a_pipeline() {
    assert_eq!(feed(example("pipeline").arg("cat"), "alone").stdout, "alone");
}

#[test]
fn sixty_megabytes_arrive_whole() {
    let ended = pipeline(&["head", "-c", "60000000", "/dev/zero", "|", "cat", "|", "wc", "-c"]);
    assert_eq!((ended.status, ended.stdout.trim()), (0, "60000000"), "{}", ended.stderr);
}

#[test]
fn a_program_whose_output_is_not_read_to_the_end_has_not_failed() {
    let ended = pipeline(&["yes", "|", "cat", "|", "head", "-n", "2"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "y\ny\n"), "{}", ended.stderr);
}

#[test]
fn the_first_program_that_failed_is_named() {
    let ended = pipeline(&["true", "|", "sh", "-c", "cat; exit 3", "|", "sh", "-c", "cat; exit 4"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (1, "pipeline: sh exited with status 3\n"));
}

#[test]
fn a_program_that_is_missing_is_one_line_and_status_1() {
    let ended = pipeline(&["yes", "|", "there-is-no-such-program"]);
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains("there-is-no-such-program"), "{}", ended.stderr);
}

#[test]
fn a_gap_is_one_line_and_status_1() {
    let ended = pipeline(&["true", "|", "|", "true"]);
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
}
