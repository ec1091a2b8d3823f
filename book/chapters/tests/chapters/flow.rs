//! Data at the speed of the slower side.

use std::error::Error;
use std::fs::File;
use std::path::Path;

use procession::prelude::*;
use procession::{Pace, Producer, ReadProducer};

// ANCHOR: file
/// Feeds a file of any size to a child, in little memory.
async fn lines_of(path: &Path) -> Result<u64, Box<dyn Error>> {
    struct Quiet;
    impl ProcessProtocol for Quiet {}

    let sink = Command::new("cat").stdout(Fd::null());
    let sink = Handle::current().spawn_process(Quiet, sink)?;
    let (producer, sent) = ReadProducer::new(File::open(path)?);
    sink.register_producer(0, Pace::Pull, producer)?;
    Ok(sent.await?) // stdin is closed at the end of the file
}
// ANCHOR_END: file

// ANCHOR: producer
/// Writes numbers, one a line, as fast as the child reads them.
struct Numbers {
    next: u64,
    last: u64,
}

impl Producer for Numbers {
    // Called each time the queue is empty.
    fn resume(&mut self, output: &Transport) {
        if self.next > self.last {
            output.unregister_producer();
            output.lose_connection();
            return;
        }
        output.write(format!("{}\n", self.next));
        self.next += 1;
    }

    fn pause(&mut self, _: &Transport) {} // only a push producer is paused

    fn stop(&mut self, _: &Transport) {} // the child closed its input, or died
}
// ANCHOR_END: producer

// ANCHOR: marks
/// Sends a child's output to a connection, and stops reading while the client is slow.
struct ToClient {
    client: Transport,
}

impl ProcessProtocol for ToClient {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.client.write(data);
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.client.lose_connection();
    }
}

/// The client's side: its queue of writes says when the child must wait.
struct Client {
    child: Process,
}

impl Protocol for Client {
    fn write_buffer_full(&mut self, _: &Transport) {
        self.child.pause(1);
    }

    fn write_buffer_drained(&mut self, _: &Transport) {
        self.child.resume(1);
    }
}
// ANCHOR_END: marks

// ANCHOR: async
async fn shout(text: &'static str) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut tr = Handle::current().spawn_child(Command::new("tr").args(["a-z", "A-Z"]))?;
    let mut input = tr.take_input(0).expect("it is a pipe");
    // A task of its own writes. Else both could wait for each other: the child for a reader, this
    // task for room in the pipe.
    let writer = Handle::current().spawn_local(async move {
        for _ in 0..1000 {
            input.write(text).await?; // waits while the queue is full
        }
        Ok::<_, procession::ChildError>(()) // the drop of `input` closes it
    });
    let mut shouted = Vec::new();
    while let Some(chunk) = tr.stdout().next().await {
        shouted.extend_from_slice(&chunk);
    }
    writer.await?;
    tr.ended().await?;
    Ok(shouted)
}
// ANCHOR_END: async

#[test]
fn a_file_of_any_size_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large");
    std::fs::write(&path, vec![b'x'; 3 << 20]).unwrap();
    assert_eq!(Reactor::new().unwrap().block_on(lines_of(&path)).unwrap(), 3 << 20);
}

#[test]
fn a_producer_writes_what_the_child_reads() {
    struct Sum(BytesMut, Promise<Bytes, procession::NoError>);
    impl ProcessProtocol for Sum {
        fn connection_made(&mut self, process: &Process) {
            let numbers = Numbers { next: 1, last: 100 };
            process.register_producer(0, Pace::Pull, numbers).unwrap();
        }
        fn out_received(&mut self, _: &Process, data: Bytes) {
            self.0.extend_from_slice(&data);
        }
        fn process_ended(&mut self, _: &Process, _: ExitReason) {
            self.1.complete(Ok(self.0.split().freeze()));
        }
    }
    let mut reactor = Reactor::new().unwrap();
    let (promise, count) = Deferred::new();
    reactor
        .spawn_process(Sum(BytesMut::new(), promise), Command::new("tail").args(["-n", "1"]))
        .unwrap();
    assert_eq!(reactor.block_on(count).unwrap(), "100\n");
}

#[test]
fn a_slow_client_pauses_the_child() {
    use procession::FakeConnection;
    let reactor = Reactor::new().unwrap();
    struct Quiet;
    impl ProcessProtocol for Quiet {}
    let child = reactor.spawn_process(Quiet, Command::new("cat").kill_on_drop(true)).unwrap();
    let mut connection = FakeConnection::new(Client { child: child.clone() });
    let client = connection.transport().clone();
    connection.hold_writes();
    let mut fake = FakeProcess::new(ToClient { client });
    fake.child_writes(1, vec![b'x'; 100_000]);
    connection.turn();
    connection.release_writes();
    connection.turn();
    assert_eq!(connection.written().len(), 100_000);
    fake.exit(0);
}

#[test]
fn a_task_writes_while_another_reads() {
    let shouted = Reactor::new().unwrap().block_on(shout("hello\n")).unwrap();
    assert_eq!(shouted.len(), 6000);
    assert!(shouted.starts_with(b"HELLO\n"));
}
