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
/// Reads the output of the last stage.
struct Last {
    output: BytesMut,
    result: Promise<Bytes, procession::NoError>,
}

impl ProcessProtocol for Last {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.output.extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.result.complete(Ok(self.output.split().freeze()));
    }
}

async fn sorted() -> Result<Bytes, Box<dyn Error>> {
    let (result, sorted) = Deferred::new();
    let pipeline = Pipeline::new()
        .stage(Command::new("printf").arg("b\\na\\n"))
        .stage_with(Last { output: BytesMut::new(), result }, "sort");
    Handle::current().spawn_pipeline(pipeline)?;
    Ok(sorted.await?)
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
fn the_last_stage_has_a_protocol() {
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
