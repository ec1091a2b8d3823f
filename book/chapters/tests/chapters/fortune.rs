//! A server that answers each connection with the output of a program.

// ANCHOR: server
use std::time::Duration;

use procession::get_process_output;
use procession::prelude::*;

struct FortuneQuoter {
    program: &'static str,
}

impl Protocol for FortuneQuoter {
    fn connection_made(&mut self, transport: &Transport) {
        let transport = transport.clone();
        let fortune = get_process_output(self.program).timeout(Duration::from_secs(10));
        fortune.done(move |output| {
            if let Ok(quote) = output {
                transport.write(quote);
            }
            transport.lose_connection();
        });
    }
}

fn serve(reactor: &Handle, program: &'static str) -> Result<Listener, procession::ListenError> {
    reactor.listen_tcp(("127.0.0.1", 0), move || FortuneQuoter { program })
}
// ANCHOR_END: server

// ANCHOR: client
struct Ask {
    answer: BytesMut,
    answered: Promise<Bytes, std::io::Error>,
}

impl Protocol for Ask {
    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.answer.extend_from_slice(&data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: std::io::Result<()>) {
        self.answered.complete(reason.map(|()| self.answer.split().freeze()));
    }
}
// ANCHOR_END: client

#[test]
fn a_client_gets_the_output_of_the_program() {
    let mut reactor = Reactor::new().unwrap();
    let listener = serve(&reactor, "pwd").unwrap();
    let (answered, answer) = Deferred::new();
    let ask = Ask { answer: BytesMut::new(), answered };
    reactor.connect_tcp(("127.0.0.1", listener.port().unwrap()), ask).detach();
    assert!(reactor.block_on(answer).unwrap().starts_with(b"/"));
}
