//! The howto's verbose example: it prints each callback.

// ANCHOR: protocol
use procession::prelude::*;

const VERSE: &str = "Aleph-null bottles of beer on the wall,\n\
                     Aleph-null bottles of beer,\n\
                     Take one down and pass it around,\n\
                     Aleph-null bottles of beer on the wall.\n";

#[derive(Default)]
struct Verbose {
    data: BytesMut,
}

impl ProcessProtocol for Verbose {
    fn connection_made(&mut self, process: &Process) {
        println!("connection_made!");
        for _ in 0..10 {
            process.write(VERSE);
        }
        process.close_stdin(); // tell it that we are done
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        println!("out_received! with {} bytes!", data.len());
        self.data.extend_from_slice(&data);
    }

    fn err_received(&mut self, _: &Process, data: Bytes) {
        println!("err_received! with {} bytes!", data.len());
    }

    fn in_connection_lost(&mut self, _: &Process) {
        println!("in_connection_lost! stdin is closed! (we probably did it)");
    }

    fn out_connection_lost(&mut self, _: &Process) {
        println!("out_connection_lost! The child closed its stdout!");
        let text = String::from_utf8_lossy(&self.data);
        println!("I saw {} lines", text.split_whitespace().next().unwrap_or("no"));
    }

    fn err_connection_lost(&mut self, _: &Process) {
        println!("err_connection_lost! The child closed its stderr.");
    }

    fn process_exited(&mut self, _: &Process, reason: ExitReason) {
        println!("process_exited, status {:?}", reason.exit_code());
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        println!("process_ended, status {:?}", reason.exit_code());
        println!("quitting");
        Handle::current().stop();
    }
}
// ANCHOR_END: protocol

// ANCHOR: main
fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
    let mut reactor = Reactor::new()?;
    reactor.spawn_process(Verbose::default(), "wc")?;
    let stopped = reactor.run()?;
    println!("Main loop terminated.");
    Ok(stopped)
}
// ANCHOR_END: main

#[test]
fn it_quits() {
    assert_eq!(main().unwrap(), Stopped::Called);
}
