//! Tests of the examples `lsp_client`, which starts `lsp_server`, `json_lines` and `traced`.

mod util;

use util::{example, feed, run};

#[test]
fn requests_are_matched_by_their_ids_and_the_server_is_started_again() {
    let ended = run(example("lsp_client"));
    let expected = "talks to \"lsp_server\"\n\
                    2 + 3 = 5\n\
                    the other one: \"late\"\n\
                    sleep: timed out\n\
                    crash: the server ended: exited with status 3\n\
                    after start 2: 20 + 22 = 42\n\
                    the server ended: true\n";
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), (expected, ""));
    assert_eq!(ended.status, 0);
}

#[test]
fn a_program_that_is_no_server_is_an_error() {
    let ended = run(example("lsp_client").args(["echo", "no frame"]));
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.starts_with("lsp_client: the server ended: "), "{}", ended.stderr);
}

#[test]
fn a_server_refuses_what_is_no_frame() {
    let ended = feed(example("lsp_server"), "Content-Length: 5\r\n\r\n{}");
    assert!(ended.stderr.starts_with("lsp_server: cannot read frames"), "{}", ended.stderr);
}

#[test]
fn json_values_are_read_a_line_at_a_time() {
    let values = "echo '{\"message\":\"one\"}'; echo '{\"message\":\"two\"}'";
    let ended = run(example("json_lines").args(["sh", "-c", values]));
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "one\ntwo\n", ""));

    let ended = run(example("json_lines").args(["sh", "-c", "echo '{}'; echo '{'; sleep 100"]));
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "(no message)\n"));
    assert!(ended.stderr.starts_with("json_lines: no JSON: {: EOF"), "{}", ended.stderr);

    let fails = run(example("json_lines").args(["sh", "-c", "echo oops >&2; exit 3"]));
    assert!(fails.stderr.starts_with("oops\njson_lines: sh -c "), "{}", fails.stderr);
    assert!(fails.stderr.contains("exited with status 3"), "{}", fails.stderr);
}

#[test]
fn a_subscriber_sees_children_and_no_argument() {
    let ended = run(example("traced"));
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    for part in ["child{program=echo pid=", "exited", "timed out", "failed, and is tried again"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
    assert!(!ended.stderr.contains("secret"), "{}", ended.stderr);
}
