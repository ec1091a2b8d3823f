//! Tests of the example `verbose`: it prints each callback of the howto's transcript once, in a
//! valid order.

mod util;

use std::os::unix::fs::PermissionsExt;

use util::{example, run};

/// The transcript, in groups whose lines keep their order. Lines of different groups may be
/// interleaved.
const STREAMS: [&[&str]; 3] = [
    &["inConnectionLost! stdin is closed! (we probably did it)"],
    &[
        "outReceived! with 24 bytes!",
        "outConnectionLost! The child closed their stdout!",
        "I saw 40 lines",
    ],
    &["errConnectionLost! The child closed their stderr."],
];
const LAST: [&str; 3] = ["processEnded, status 0", "quitting", "Main loop terminated."];

#[test]
fn every_callback_of_the_transcript_comes_once_in_the_order_of_its_stream() {
    let ended = run(example("verbose"));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let lines: Vec<_> = ended.stdout.lines().collect();
    let (first, rest) = lines.split_first().unwrap();
    assert_eq!(*first, "connectionMade!");
    let (middle, last) = rest.split_at(rest.len().saturating_sub(LAST.len()));
    assert_eq!(last, LAST);
    for stream in STREAMS {
        let found: Vec<_> = middle.iter().copied().filter(|line| stream.contains(line)).collect();
        assert_eq!(found, stream, "{}", ended.stdout);
    }
    assert_eq!(middle.len(), STREAMS.iter().map(|stream| stream.len()).sum(), "{}", ended.stdout);
}

#[test]
fn the_environment_of_the_child_is_empty() {
    let dir = tempfile::tempdir().unwrap();
    let wc = dir.path().join("wc");
    std::fs::write(&wc, "#!/bin/sh\ncat >/dev/null\necho ${MARK-no} 0 0\n").unwrap();
    std::fs::set_permissions(&wc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    let ended = run(example("verbose").env("PATH", path).env("MARK", "marked"));
    assert!(ended.stdout.contains("I saw no lines"), "{}", ended.stdout);
}

#[test]
fn without_wc_on_the_path_there_is_one_line_and_status_1() {
    let empty = tempfile::tempdir().unwrap();
    let ended = run(example("verbose").env("PATH", empty.path()));
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.starts_with("verbose: "), "{}", ended.stderr);
}
