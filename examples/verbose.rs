//! Prints each callback when it is called: the howto's verbose example.
//!
//! As in the howto, `close_stdin` is called inside the loop of writes. What the same callback
//! writes after that is still sent. The environment is empty, as in the howto.

use std::process::ExitCode;

use procession::prelude::*;

const VERSE: &str = "Aleph-null bottles of beer on the wall,\n\
                     Aleph-null bottles of beer,\n\
                     Take one down and pass it around,\n\
                     Aleph-null bottles of beer on the wall.\n";

struct Verbose {
    verses: usize,
    data: BytesMut,
}

impl ProcessProtocol for Verbose {
    fn connection_made(&mut self, process: &Process) {
        println!("connectionMade!");
        for _ in 0..self.verses {
            process.write(VERSE);
            process.close_stdin(); // tell them we're done
        }
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        println!("outReceived! with {} bytes!", data.len());
        self.data.extend_from_slice(&data);
    }

    fn err_received(&mut self, _: &Process, data: Bytes) {
        println!("errReceived! with {} bytes!", data.len());
    }

    fn in_connection_lost(&mut self, _: &Process) {
        println!("inConnectionLost! stdin is closed! (we probably did it)");
    }

    fn out_connection_lost(&mut self, _: &Process) {
        println!("outConnectionLost! The child closed their stdout!");
        // Now is the time to examine what they wrote.
        let text = String::from_utf8_lossy(&self.data);
        let lines = text.split_whitespace().next().unwrap_or("no");
        println!("I saw {lines} lines");
    }

    fn err_connection_lost(&mut self, _: &Process) {
        println!("errConnectionLost! The child closed their stderr.");
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        match reason {
            Ok(_) => println!("processEnded, status 0"),
            Err(terminated) => match terminated.exit_code() {
                Some(code) => println!("processEnded, status {code}"),
                None => println!("processEnded, {terminated}"),
            },
        }
        println!("quitting");
        Handle::current().stop();
    }
}

fn run() -> anyhow::Result<Stopped> {
    let mut reactor = Reactor::new()?;
    let verbose = Verbose { verses: 10, data: BytesMut::new() };
    reactor.spawn_process(verbose, Command::new("wc").env_clear())?;
    let stopped = reactor.run()?;
    println!("Main loop terminated.");
    Ok(stopped)
}

fn main() -> ExitCode {
    procession_examples::end("verbose", run())
}
