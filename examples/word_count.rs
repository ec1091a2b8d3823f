//! Counts the lines, words and characters of a text with `wc`: `word_count [FILE]`.
//!
//! FILE may have any size: the program reads the next chunk when the write queue has sent the last
//! one. Without FILE it counts the howto's sentence.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::process::ExitCode;

use anyhow::{Context, Result};
use procession::ProcessTerminated;
use procession::prelude::*;

const CHUNK_BYTES: usize = 64 << 10;

/// The output of `wc`.
#[derive(Debug, PartialEq)]
struct Counts {
    lines: u64,
    words: u64,
    bytes: u64,
}

#[derive(Debug, thiserror::Error)]
enum CountError {
    #[error("cannot read the text")]
    Read(#[from] io::Error),
    #[error("wc {0}")]
    Ended(#[from] ProcessTerminated),
    #[error("wc printed {0:?}")]
    Parse(String),
}

impl Counts {
    fn parse(output: &[u8]) -> Result<Self, CountError> {
        let text = String::from_utf8_lossy(output);
        let numbers: Vec<u64> =
            text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        match numbers[..] {
            [lines, words, bytes] => Ok(Self { lines, words, bytes }),
            _ => Err(CountError::Parse(text.into_owned())),
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Lines: {}", self.lines)?;
        writeln!(f, "Words: {}", self.words)?;
        write!(f, "Characters: {}", self.bytes)
    }
}

struct WordCount {
    text: Box<dyn Read>,
    output: BytesMut,
    failed: Option<io::Error>,
    counts: Promise<Counts, CountError>,
}

impl WordCount {
    /// Writes one chunk. When the write queue has sent it, `child_write_buffer_drained` writes the
    /// next one.
    fn feed(&mut self, process: &Process) {
        let mut chunk = vec![0; CHUNK_BYTES];
        match self.text.read(&mut chunk) {
            Ok(0) => process.close_stdin(),
            Ok(bytes) => {
                chunk.truncate(bytes);
                process.write(chunk);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.feed(process),
            Err(error) => {
                self.failed = Some(error);
                process.close_stdin();
            }
        }
    }
}

impl ProcessProtocol for WordCount {
    fn connection_made(&mut self, process: &Process) {
        self.feed(process);
    }

    fn child_write_buffer_drained(&mut self, process: &Process, _: ChildFd) {
        self.feed(process);
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.output.extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.counts.complete(match self.failed.take() {
            Some(error) => Err(error.into()),
            None => reason.map_err(CountError::from).and_then(|_| Counts::parse(&self.output)),
        });
    }
}

fn run() -> Result<Stopped> {
    let text: Box<dyn Read> = match std::env::args_os().nth(1) {
        Some(path) => {
            Box::new(File::open(&path).with_context(|| format!("cannot open {}", path.display()))?)
        }
        None => Box::new(&b"accessing protocols through Twisted is fun!\n"[..]),
    };
    let reactor = Reactor::new()?;
    let (counts, result) = Deferred::new();
    let protocol = WordCount { text, output: BytesMut::new(), failed: None, counts };
    reactor.spawn_process(protocol, Command::new("wc"))?;
    reactor.run_main(async {
        let counts = result.await?;
        println!("Received counts from wc.\n{counts}");
        Ok(())
    })
}

fn main() -> ExitCode {
    procession_examples::end("word_count", run())
}
