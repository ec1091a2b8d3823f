//! Serves a shell on a terminal of its own to each TCP connection: `pty_shell [--try] [PORT
//! [SHELL]]`.
//!
//! PORT is 10998 unless given; 0 is any that is free, and the one in use is printed. SHELL is `sh`
//! unless given. `telnet localhost 10998` is a client: the server asks it to send each key at once
//! and to tell the size of its window, now and whenever that changes (RFC 854, 857, 858 and 1073).
//! With `--try` the server is its own client once, prints what it gets and stops.
//!
//! It listens on the loopback address only, but asks nobody for a password: whoever has an account
//! on this machine can be you. It is an example, to be stopped with SIGINT when it was seen.

use anyhow::{Context, Result};
use procession::prelude::*;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

const PORT: u16 = 10998;
const SHELL: &str = "sh";
/// The size of a window before its client tells it.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
/// Between the hang-up and KILL.
const GRACE: Duration = Duration::from_secs(2);

/// What telnet calls "interpret as command", and its commands.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const END: u8 = 240;
/// The options that are used here.
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const WINDOW_SIZE: u8 = 31;
/// What a client is asked for.
const GREETING: [u8; 9] = [IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, WINDOW_SIZE];

/// Takes telnet's commands out of what a client sends.
#[derive(Default)]
struct Telnet {
    state: State,
    /// Rows and columns, once they are known to have changed.
    size: Option<(u16, u16)>,
}

#[derive(Default)]
enum State {
    #[default]
    Data,
    /// After a carriage return, which a line feed or a NUL may follow.
    Return,
    Command,
    Option,
    Subnegotiation(Vec<u8>),
    SubnegotiationCommand(Vec<u8>),
}

impl Telnet {
    /// Returns what was typed.
    fn receive(&mut self, data: &[u8]) -> Vec<u8> {
        let mut typed = Vec::with_capacity(data.len());
        for byte in data {
            self.state = self.step(*byte, &mut typed);
        }
        typed
    }

    fn step(&mut self, byte: u8, typed: &mut Vec<u8>) -> State {
        match (std::mem::take(&mut self.state), byte) {
            (State::Return, b'\n' | 0) => State::Data,
            (State::Data | State::Return, IAC) => State::Command,
            (State::Command, SUBNEGOTIATION) => State::Subnegotiation(Vec::new()),
            (State::Command, WILL..=DONT) => State::Option,
            (State::Command, command) => {
                if command == IAC {
                    typed.push(IAC);
                }
                State::Data
            }
            (State::Data | State::Return, typed_byte) => {
                typed.push(typed_byte);
                if typed_byte == b'\r' { State::Return } else { State::Data }
            }
            (State::Option, _) => State::Data,
            (State::Subnegotiation(told), IAC) => State::SubnegotiationCommand(told),
            (State::SubnegotiationCommand(told), END) => {
                if let [WINDOW_SIZE, c1, c0, r1, r0] = told[..] {
                    self.size = Some((u16::from_be_bytes([r1, r0]), u16::from_be_bytes([c1, c0])));
                }
                State::Data
            }
            (State::Subnegotiation(mut told) | State::SubnegotiationCommand(mut told), byte) => {
                // Nothing that is understood here is longer.
                if told.len() < 16 {
                    told.push(byte);
                }
                State::Subnegotiation(told)
            }
        }
    }
}

/// A byte that would begin a command is doubled.
fn escape(output: Bytes) -> Bytes {
    if !output.contains(&IAC) {
        return output;
    }
    let twice = |byte: &u8| std::iter::repeat_n(*byte, if *byte == IAC { 2 } else { 1 });
    output.iter().flat_map(twice).collect()
}

/// The client's side.
struct Session {
    shell: String,
    telnet: Telnet,
    process: Option<Process>,
}

impl Protocol for Session {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(GREETING.to_vec());
        let shell = Command::new(&self.shell)
            .pty(Pty::new().size(ROWS, COLUMNS))
            .env("TERM", "xterm-256color")
            .kill_on_drop(true);
        match Handle::current().spawn_process(Screen { transport: transport.clone() }, shell) {
            Ok(process) => self.process = Some(process),
            Err(error) => {
                transport.write(format!("{error}\r\n"));
                transport.lose_connection();
            }
        }
    }

    fn data_received(&mut self, _: &Transport, data: Bytes) {
        let typed = self.telnet.receive(&data);
        let Some(process) = &self.process else { return };
        if let Some((rows, columns)) = self.telnet.size.take() {
            // The shell may be gone: then it needs no size.
            process.resize(rows, columns).ok();
        }
        process.write(typed);
    }

    fn write_buffer_full(&mut self, _: &Transport) {
        self.process.iter().for_each(|process| process.pause(1));
    }

    fn write_buffer_drained(&mut self, _: &Transport) {
        self.process.iter().for_each(|process| process.resume(1));
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        let Some(process) = self.process.take() else { return };
        process.resume(1);
        process.lose_connection();
        process.terminate(Signal::HUP, GRACE).done(drop);
    }
}

/// The shell's side.
struct Screen {
    transport: Transport,
}

impl ProcessProtocol for Screen {
    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.transport.write(escape(data));
    }

    fn child_write_buffer_full(&mut self, _: &Process, _: ChildFd) {
        self.transport.pause();
    }

    fn child_write_buffer_drained(&mut self, _: &Process, _: ChildFd) {
        self.transport.resume();
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        self.transport.lose_connection();
    }
}

/// A client with a window of 50 rows and 132 columns, which asks the shell for it.
struct Try {
    output: BytesMut,
    ended: Promise<Bytes, io::Error>,
}

impl Protocol for Try {
    fn connection_made(&mut self, transport: &Transport) {
        let size = [0, 132, 0, 50];
        let told = [&[IAC, SUBNEGOTIATION, WINDOW_SIZE], &size[..], &[IAC, END]].concat();
        transport.write(told);
        transport.write("PS1=; echo; stty size; test -t 0 && echo a terminal; exit\r\n");
    }

    fn data_received(&mut self, _: &Transport, data: Bytes) {
        self.output.extend_from_slice(&data);
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        self.ended.complete(reason.map(|()| self.output.split().freeze()));
    }
}

fn try_it(reactor: Reactor, port: u16) -> Result<Stopped> {
    let (ended, output) = Deferred::new();
    reactor.connect_tcp(("127.0.0.1", port), Try { output: BytesMut::new(), ended }).detach();
    reactor.run_main(async {
        let output = output.await?;
        let screen = output.strip_prefix(&GREETING).context("this is no server of ours")?;
        print!("{}", String::from_utf8_lossy(screen).replace("\r\n", "\n"));
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
    let shell = args.next().unwrap_or_else(|| SHELL.to_owned());

    let mut reactor = Reactor::new()?;
    let session =
        move || Session { shell: shell.clone(), telnet: Telnet::default(), process: None };
    let listener = reactor.listen_tcp(("127.0.0.1", port), session)?;
    let port = listener.port().context("TCP has ports")?;
    if is_try {
        return try_it(reactor, port);
    }
    // Once it runs signals stop it.
    reactor.call_when_running(move |_| println!("listening on port {port}"));
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    procession_examples::end("pty_shell", run())
}
