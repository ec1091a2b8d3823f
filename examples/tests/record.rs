//! Tests of the example `record`: what happens on its terminal is in the file, in time, and is played back.

mod util;

use std::fs;
use std::time::Duration;

use procession::prelude::*;
use procession::{Dialogue, DialogueError, Found, Pattern, StartDialogue, line};
use serde_json::Value;
use util::{bound, example, run};

fn limit() -> Duration {
    bound(Duration::from_secs(10))
}

/// One line of a recording.
type Event = (f64, String, String);

/// Returns the header and the events.
fn read(file: &str) -> (Value, Vec<Event>) {
    let text = fs::read_to_string(file).expect("a recording");
    let (header, events) = text.split_once('\n').expect("it has a header");
    let events = events.lines().map(|event| serde_json::from_str(event).expect("an event"));
    (serde_json::from_str(header).expect("it is JSON"), events.collect())
}

/// Returns all text of a kind.
fn all(events: &[Event], kind: &str) -> String {
    events.iter().filter(|event| event.1 == kind).map(|event| event.2.as_str()).collect()
}

/// Runs `record` with these arguments on a terminal of 24 rows and 80 columns, and talks to it.
#[track_caller]
fn on_terminal(args: &[&str], talk: impl AsyncFnOnce(&mut Dialogue) -> Result<(), DialogueError>) {
    let mut reactor = Reactor::new().expect("a reactor");
    let command = example("record").args(args).env("PS1", "ready> ").env_remove("ENV");
    let command = command.env("LC_ALL", "C.UTF-8").pty(Pty::new().size(24, 80));
    let mut record = reactor.dialogue(command).expect("it starts");
    if let Err(error) = reactor.block_on(talk(&mut record)) {
        panic!("{error}");
    }
}

fn temporary() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("recording.cast");
    (folder, file.to_str().expect("it is text").to_owned())
}

/// Case DG-28.
#[test]
fn a_session_is_recorded_with_its_input_and_its_sizes() {
    let (_folder, file) = temporary();
    on_terminal(&["--input", &file, "/bin/sh", "-i"], async |record| {
        record.expect("ready> ").within(limit()).await?;
        record.send_line("stty size; printf 'na\\303'; printf '\\257ve\\n'").await?;
        record.expect("24 80\r\nnaïve\r\n").within(limit()).await?;
        record.process().resize(50, 132).expect("a terminal");
        // The size arrives by a signal: the shell sees it some time later.
        let size = loop {
            record.expect("ready> ").within(limit()).await?;
            record.send_line("stty size").await?;
            let size = record.expect(line(r"^\d+ \d+$")).within(limit()).await?;
            if size.text() != "24 80" {
                break size;
            }
        };
        assert_eq!(size.text(), "50 132");
        record.send_line("exit 7").await?;
        let error = record.ended().await.expect_err("the status of the shell");
        assert!(error.to_string().ends_with(" exited with status 7"), "{error}");
        Ok(())
    });
    let (header, events) = read(&file);
    assert_eq!(header["version"], 2);
    assert_eq!((&header["width"], &header["height"]), (&80.into(), &24.into()));
    assert_eq!(header["command"], "/bin/sh -i");
    assert!(events.iter().all(|event| ["o", "i", "r"].contains(&event.1.as_str())), "{events:?}");
    assert!(events.windows(2).all(|pair| pair[0].0 <= pair[1].0), "{events:?}");
    assert_eq!(all(&events, "r"), "132x50");
    assert!(all(&events, "i").starts_with("stty size; printf"), "{events:?}");
    assert!(all(&events, "i").ends_with("exit 7\r"), "{events:?}");
    let output = all(&events, "o");
    assert!(output.starts_with("ready> ") && output.contains("24 80\r\nnaïve\r\n"), "{output:?}");
    assert!(output.contains("50 132\r\n"), "{output:?}");
}

/// Case DG-29.
#[test]
fn a_recording_without_input_has_no_password() {
    let (_folder, file) = temporary();
    let script = "stty -echo; printf 'Password: '; read p; stty echo; echo; echo ${#p} typed";
    on_terminal(&[&file, "/bin/sh", "-c", script], async |record| {
        record.expect("Password: ").within(limit()).await?;
        // The terminal of `record` itself is in raw mode.
        record.send_secret("open sesame").await?;
        let Found { before, .. } = record.expect(Pattern::end()).within(limit()).await?;
        assert_eq!(before, "\r\n11 typed\r\n");
        assert!(record.ended().await.is_ok());
        Ok(())
    });
    let (_, events) = read(&file);
    assert_eq!(all(&events, "o"), "Password: \r\n11 typed\r\n");
    assert!(events.iter().all(|event| event.1 == "o"), "{events:?}");
}

/// Case DG-30.
#[test]
fn a_recording_is_played_back_in_time() {
    let (_folder, file) = temporary();
    let recorded =
        run(example("record").args([&file, "sh", "-c", "echo one; sleep 0.4; echo two"]));
    assert_eq!((recorded.status, recorded.stdout.as_str()), (0, "one\r\ntwo\r\n"), "{recorded:?}");
    let (_, events) = read(&file);
    // It counts from before the start of the program, which sleeps before its last output.
    let last = events.last().expect("an event").0;
    assert!((0.4..0.4 + limit().as_secs_f64()).contains(&last), "{events:?}");

    let mut reactor = Reactor::new().expect("a reactor");
    let handle = reactor.handle();
    let begun = handle.now();
    let mut play = reactor.dialogue(example("record").args(["--play", &file])).expect("it starts");
    let took = reactor.block_on(async {
        play.expect("one\r\n").within(limit()).await?;
        play.expect("two\r\n").within(limit()).await?;
        let took = handle.now() - begun;
        play.expect(Pattern::end()).within(limit()).await?;
        Ok::<_, DialogueError>(took)
    });
    let took = took.unwrap_or_else(|error| panic!("{error}")).as_secs_f64();
    assert!((last..last + limit().as_secs_f64()).contains(&took), "{took} s for {last} s");

    drop((play, reactor));
    let ended = run(example("record").args(["--play", "Cargo.toml"]));
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{ended:?}");
}
