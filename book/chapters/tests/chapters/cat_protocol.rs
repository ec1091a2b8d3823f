//! The smallest protocol.

// ANCHOR: main
use procession::prelude::*;

struct Hello;

impl ProcessProtocol for Hello {
    fn connection_made(&mut self, process: &Process) {
        process.write("hello\n");
        process.close_stdin();
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        println!("cat said {data:?}");
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        match reason {
            Ok(done) => println!("cat {done}"),
            Err(terminated) => println!("cat {terminated}"),
        }
        Handle::current().stop();
    }
}

fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
    let mut reactor = Reactor::new()?;
    reactor.spawn_process(Hello, "cat")?;
    Ok(reactor.run()?)
}
// ANCHOR_END: main

#[test]
fn it_stops_by_itself() {
    assert_eq!(main().unwrap(), Stopped::Called);
}
