//! The howto's word count.

// ANCHOR: protocol
use procession::ProcessTerminated;
use procession::prelude::*;

struct WordCount {
    text: Bytes,
    output: BytesMut,
    counts: Promise<Vec<u64>, ProcessTerminated>,
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
        let output = String::from_utf8_lossy(&self.output);
        let numbers = output.split_whitespace().filter_map(|word| word.parse().ok());
        self.counts.complete(reason.map(|_| numbers.collect()));
    }
}
// ANCHOR_END: protocol

// ANCHOR: main
fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
    run_main(async {
        let (counts, result) = Deferred::new();
        let text = "accessing protocols through Twisted is fun!\n".into();
        let protocol = WordCount { text, output: BytesMut::new(), counts };
        Handle::current().spawn_process(protocol, "wc")?;
        println!("Received counts from wc.");
        for (name, count) in ["Lines", "Words", "Characters"].iter().zip(result.await?) {
            println!("{name}: {count}");
        }
        Ok(())
    })
}
// ANCHOR_END: main

#[test]
fn it_counts() {
    assert_eq!(main().unwrap(), Stopped::Finished);
}

// ANCHOR: test
#[test]
fn the_counts_of_wc_are_parsed() {
    let (counts, result) = Deferred::new();
    let (text, output) = ("a b\n".into(), BytesMut::new());
    let mut fake = FakeProcess::new(WordCount { text, output, counts });
    assert_eq!(fake.written(0), "a b\n");
    fake.child_writes(1, "      1       2       4\n");
    fake.exit(0);
    assert_eq!(result.try_take(), Some(Ok(vec![1, 2, 4])));
}
// ANCHOR_END: test
