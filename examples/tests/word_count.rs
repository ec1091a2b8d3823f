//! Tests of the example `word_count`: exact output, any size in little memory, and errors on one
//! line.

mod util;

use std::os::unix::fs::PermissionsExt;

use procession::Command;
use util::{example, run};

/// More than a program with this memory could hold. In the slow tier it is more than an `i32` can
/// count.
fn sparse_bytes() -> u64 {
    let is_slow = std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1");
    if is_slow { 2 << 30 } else { 256 << 20 }
}
const MOST_RSS_BYTES: u64 = 16 << 20;

fn assert_one_line_of_error(command: Command, part: &str) {
    let ended = run(command);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("word_count: "), "{}", ended.stderr);
    assert!(ended.stderr.contains(part), "{}", ended.stderr);
}

#[test]
fn without_a_file_the_howtos_sentence_is_counted() {
    let ended = run(example("word_count"));
    assert_eq!(ended.stdout, "Received counts from wc.\nLines: 1\nWords: 6\nCharacters: 44\n");
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
}

#[test]
fn a_file_is_counted_in_bytes() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "ein Stück\nzwei Stücke\n\nohne Ende").unwrap();
    let ended = run(example("word_count").arg(file.path()));
    assert_eq!(ended.stdout, "Received counts from wc.\nLines: 3\nWords: 6\nCharacters: 34\n");
}

#[test]
fn an_empty_file_has_nothing_to_count() {
    let ended = run(example("word_count").arg("/dev/null"));
    assert_eq!(ended.stdout, "Received counts from wc.\nLines: 0\nWords: 0\nCharacters: 0\n");
}

#[test]
fn a_large_file_passes_through_little_memory() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let bytes = sparse_bytes();
    file.as_file().set_len(bytes).unwrap();
    // wc takes three times as long for characters of several bytes.
    let ended = run(example("word_count").env("LC_ALL", "C").arg(file.path()));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let count = format!("\nCharacters: {bytes}\n");
    assert!(ended.stdout.ends_with(&count), "{}", ended.stdout);
    assert!(ended.peak_rss_bytes < MOST_RSS_BYTES, "{} bytes", ended.peak_rss_bytes);
    assert!(ended.peak_rss_bytes > 1 << 20, "{} bytes is no process", ended.peak_rss_bytes);
}

#[test]
fn a_missing_file_is_one_line_and_status_1() {
    let missing = "there/is/no/such/file";
    assert_one_line_of_error(example("word_count").arg(missing), missing);
}

#[test]
fn a_directory_is_one_line_and_status_1() {
    assert_one_line_of_error(example("word_count").arg("/"), "cannot read the text");
}

#[test]
fn without_wc_on_the_path_there_is_one_line_and_status_1() {
    let empty = tempfile::tempdir().unwrap();
    assert_one_line_of_error(example("word_count").env("PATH", empty.path()), "wc");
}

#[test]
fn a_wc_that_fails_is_one_line_and_status_1() {
    let dir = tempfile::tempdir().unwrap();
    let wc = dir.path().join("wc");
    std::fs::write(&wc, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&wc, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A pipe cannot hold this much: the example is writing when the reader goes away.
    let text = tempfile::NamedTempFile::new().unwrap();
    text.as_file().set_len(1 << 20).unwrap();
    let command = example("word_count").env("PATH", dir.path()).arg(text.path());
    assert_one_line_of_error(command, "wc exited with status 1");
}
