//! What a `Run` can be asked for, and how it fails.

use std::error::Error;
use std::time::Duration;

use procession::prelude::*;

// ANCHOR: input
async fn sorted(lines: String) -> Result<String, Box<dyn Error>> {
    let sort = Run::new("sort").arg("-r").stdin(lines).timeout(Duration::from_secs(5));
    Ok(sort.check().await?.stdout_utf8()?.to_owned())
}
// ANCHOR_END: input

// ANCHOR: codes
async fn differs(left: &str, right: &str) -> Result<bool, Box<dyn Error>> {
    // 0: equal, 1: different, 2: trouble.
    let cmp = Run::new("cmp").args(["-s", left, right]).ok_codes([0, 1]).await?;
    Ok(cmp.exit_code() == Some(1))
}
// ANCHOR_END: codes

// ANCHOR: errors
async fn failures() {
    let runs = [
        Run::new("no-such-program"),
        Run::new("ls").arg("/no/such/file").check(),
        Run::new("sleep").arg("60").timeout(Duration::from_millis(50)),
    ];
    for run in runs {
        match run.await {
            Ok(outcome) => println!("{}", outcome.reason_text()),
            Err(error) => println!("{error}"),
        }
    }
}
// ANCHOR_END: errors

// ANCHOR: lines
async fn follow() -> Result<u64, Box<dyn Error>> {
    let mut count = 0;
    let mut lines = Run::new("seq").arg("3").check().lines();
    while let Some(line) = lines.next().await {
        println!("{}: {}", line.stream, line.escape_ascii());
        count += 1;
    }
    lines.outcome().await?; // the end: here, any but status 0 is an error
    Ok(count)
}
// ANCHOR_END: lines

#[test]
fn the_input_arrives_and_the_output_comes_back() {
    let mut reactor = Reactor::new().unwrap();
    assert_eq!(reactor.block_on(sorted("a\nb\n".to_owned())).unwrap(), "b\na\n");
}

#[test]
fn one_is_no_error_of_cmp() {
    let mut reactor = Reactor::new().unwrap();
    assert!(!reactor.block_on(differs("Cargo.toml", "Cargo.toml")).unwrap());
    assert!(reactor.block_on(differs("Cargo.toml", "src/lib.rs")).unwrap());
    assert!(reactor.block_on(differs("Cargo.toml", "no/such/file")).is_err());
}

#[test]
fn each_failure_is_a_line() {
    Reactor::new().unwrap().block_on(failures());
}

#[test]
fn lines_come_one_by_one() {
    assert_eq!(Reactor::new().unwrap().block_on(follow()).unwrap(), 3);
}
