//! The howto's word count, tested without a process, as a user would write it.

use bytes::{Bytes, BytesMut};
use procession_core::{Deferred, Promise};
use procession_protocol::{ExitReason, FakeProcess, Process, ProcessProtocol, ProcessTerminated};

#[derive(Debug, PartialEq)]
struct Counts {
    lines: u32,
    words: u32,
    bytes: u32,
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum CountError {
    #[error(transparent)]
    Terminated(#[from] ProcessTerminated),
    #[error("wc wrote no counts")]
    NoCounts,
}

impl Counts {
    fn parse(output: &[u8]) -> Result<Self, CountError> {
        let text = str::from_utf8(output).map_err(|_| CountError::NoCounts)?;
        let mut numbers = text.split_whitespace().map_while(|word| word.parse().ok());
        let mut next = || numbers.next().ok_or(CountError::NoCounts);
        Ok(Self { lines: next()?, words: next()?, bytes: next()? })
    }
}

struct WordCount {
    text: Bytes,
    output: BytesMut,
    counts: Promise<Counts, CountError>,
}

impl WordCount {
    fn new(text: &'static str, counts: Promise<Counts, CountError>) -> Self {
        Self { text: text.into(), output: BytesMut::new(), counts }
    }
}

impl ProcessProtocol for WordCount {
    fn connection_made(&mut self, process: &Process) {
        process.write(self.text.clone());
        process.close_stdin();
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.output.extend_from_slice(&data);
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        self.counts
            .complete(reason.map_err(CountError::from).and_then(|_| Counts::parse(&self.output)));
    }
}

#[test]
fn the_howtos_word_count_is_tested_without_a_process() {
    let (promise, result) = Deferred::new();
    let mut fake = FakeProcess::new(WordCount::new("a b\n", promise));
    assert_eq!(fake.written(0), "a b\n");
    fake.child_writes(1, "      1       2       4\n");
    fake.exit(0);
    assert_eq!(result.try_take(), Some(Ok(Counts { lines: 1, words: 2, bytes: 4 })));
}

#[test]
fn a_word_count_that_is_killed_fails_with_the_signal() {
    let (promise, result) = Deferred::new();
    let mut fake = FakeProcess::new(WordCount::new("a b\n", promise));
    fake.exit_by_signal(procession_core::Signal::KILL);
    let error = result.try_take().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "ended by signal 9 (SIGKILL)");
}
