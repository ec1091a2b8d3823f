//! Answers each TCP connection with the output of `fortune`: `fortune_server [--try] [PORT
//! [PROGRAM]]`.
//!
//! PORT is 10999 by default. For 0 the kernel chooses a free port. The server prints the port that
//! it uses. PROGRAM is `/usr/games/fortune` by default. A client gets an answer, or the server
//! closes the connection: if the program is missing, writes to its standard error or takes too
//! long. `nc localhost 10999` is a client. With `--try` the server connects to itself once, prints
//! the answer and stops. SIGINT, SIGTERM and SIGHUP stop it.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use procession::get_process_output;
use procession::prelude::*;

const PORT: u16 = 10999;
const FORTUNE: &str = "/usr/games/fortune";
const PATIENCE: Duration = Duration::from_secs(10);

struct FortuneQuoter {
    program: String,
}

impl Protocol for FortuneQuoter {
    fn connection_made(&mut self, transport: &Transport) {
        let transport = transport.clone();
        get_process_output(self.program.as_str()).timeout(PATIENCE).done(move |output| {
            match output {
                Ok(quote) => transport.write(quote),
                Err(error) => eprintln!("fortune_server: no answer: {error}"),
            }
            transport.lose_connection();
        });
    }
}

/// A client that collects data until the server closes the connection.
struct Ask {
    answer: BytesMut,
    answered: Promise<Bytes, io::Error>,
}

impl Protocol for Ask {
    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.answer.extend_from_slice(&data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        self.answered.complete(reason.map(|()| self.answer.split().freeze()));
    }
}

fn ask(reactor: Reactor, port: u16) -> Result<Stopped> {
    let (answered, answer) = Deferred::new();
    let client = Ask { answer: BytesMut::new(), answered };
    reactor.connect_tcp(("127.0.0.1", port), client).detach();
    reactor.run_main(async {
        print!("{}", String::from_utf8_lossy(&answer.await?));
        Ok(())
    })
}

fn run() -> Result<Stopped> {
    let mut args: Vec<String> = std::env::args().skip(1).collect();
    let is_try = args.first().is_some_and(|arg| arg == "--try");
    let mut args = args.drain(usize::from(is_try)..);
    let port = match args.next() {
        Some(port) => port.parse().with_context(|| format!("{port:?} is no port"))?,
        None => PORT,
    };
    let program = args.next().unwrap_or_else(|| FORTUNE.to_owned());

    let mut reactor = Reactor::new()?;
    let quoter = move || FortuneQuoter { program: program.clone() };
    let listener = reactor.listen_tcp(("127.0.0.1", port), quoter)?;
    let port = listener.port().context("TCP has ports")?;
    if is_try {
        return ask(reactor, port);
    }
    // Print this when the loop runs, because from then on signals stop the server.
    reactor.call_when_running(move |_| println!("listening on port {port}"));
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    procession_examples::end("fortune_server", run())
}
