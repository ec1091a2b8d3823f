//! Pipelines, and bytes that do not pass through the program.

use std::error::Error;
use std::fs::File;

use procession::prelude::*;
use procession::{Pipeline, Target};

// ANCHOR: pipeline
async fn longest_words(text: File) -> Result<(), Box<dyn Error>> {
    let pipeline = Pipeline::new()
        .stage(Command::new("tr").args(["-s", " ", "\\n"]).stdin(Fd::inherit(text)))
        .stage("sort")
        .stage(Command::new("head").args(["-n", "3"]).stdout(Fd::inherit(std::io::stdout())));
    let running = Handle::current().spawn_pipeline(pipeline)?;
    for end in running.ended().await? {
        match end {
            // `head` does not read to the end, so SIGPIPE is how a stage before it may end.
            Err(why) if why.signal() != Some(Signal::PIPE) => return Err(why.into()),
            _ => {}
        }
    }
    Ok(())
}
// ANCHOR_END: pipeline

// ANCHOR: last
async fn sorted() -> Result<Bytes, Box<dyn Error>> {
    let pipeline = Pipeline::new().stage(Command::new("printf").arg("b\\na\\n")).stage("sort");
    let (sorted, ends) = Handle::current().pipeline_output(pipeline)?.await?;
    ends.into_iter().collect::<Result<Vec<_>, _>>()?; // a stage that failed is an error
    Ok(sorted)
}
// ANCHOR_END: last

// ANCHOR: forward
/// Stores what a program prints in a file, inside the kernel.
async fn store(program: Command, file: File) -> Result<u64, Box<dyn Error>> {
    struct Quiet;
    impl ProcessProtocol for Quiet {}

    let child = Handle::current().spawn_process(Quiet, program)?;
    let moved = child.forward(1, Target::fd(file));
    Ok(moved.await?) // the number of bytes
}
// ANCHOR_END: forward

#[test]
fn a_stage_that_stops_reading_is_no_failure() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    std::fs::write(&path, "accessing protocols through Twisted is fun!\n").unwrap();
    let mut reactor = Reactor::new().unwrap();
    reactor.block_on(longest_words(File::open(path).unwrap())).unwrap();
}

#[test]
fn the_output_of_the_last_stage_is_kept() {
    assert_eq!(Reactor::new().unwrap().block_on(sorted()).unwrap(), "a\nb\n");
}

#[test]
fn a_file_gets_every_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers");
    let file = File::create(&path).unwrap();
    let seq = Command::new("seq").arg("100000");
    let moved = Reactor::new().unwrap().block_on(store(seq, file)).unwrap();
    assert_eq!(moved, std::fs::metadata(path).unwrap().len());
    assert_eq!(moved, 588_895);
}
