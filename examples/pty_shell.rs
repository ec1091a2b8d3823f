//! Serves a shell on its own terminal to each TCP connection: `pty_shell [--try] [PORT
//! [SHELL]]`.
//!
//! PORT is 10998 by default. For 0 the kernel chooses a free port. The server prints the port that
//! it uses. SHELL is `sh` by default. `telnet localhost 10998` is a client. The server asks it to
//! send each key at once, and to report the size of its window, now and at each change (RFC 854,
//! 857, 858 and 1073). With `--try` the server is its own client once, prints what it receives and
//! stops.
//!
//! The server listens only on the loopback address, but asks for no password: everybody with an
//! account on this machine can act as you. This is an example; stop it with SIGINT after use.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use procession::prelude::*;

const PORT: u16 = 10998;
const SHELL: &str = "sh";
/// The window's size until the client reports one.
const ROWS: u16 = 24;
const COLUMNS: u16 = 80;
/// The time between SIGHUP and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// Telnet's "interpret as command", and its commands.
const IAC: u8 = 255;
const DONT: u8 = 254;
const DO: u8 = 253;
const WILL: u8 = 251;
const SUBNEGOTIATION: u8 = 250;
const END: u8 = 240;
/// The telnet options that this program uses.
const ECHO: u8 = 1;
const SUPPRESS_GO_AHEAD: u8 = 3;
const WINDOW_SIZE: u8 = 31;
/// What the server asks the client for.
const GREETING: [u8; 9] = [IAC, WILL, ECHO, IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, WINDOW_SIZE];

/// Removes telnet's commands from the data of a client.
#[derive(Default)]
struct Telnet {
    state: TelnetState,
    /// Rows and columns, if the client reported a change.
    size: Option<(u16, u16)>,
}

#[derive(Default)]
enum TelnetState {
    #[default]
    Data,
    /// After a carriage return. A line feed or a NUL may follow.
    Return,
    Command,
    Option,
    Subnegotiation(Vec<u8>),
    SubnegotiationCommand(Vec<u8>),
}

impl Telnet {
    /// Returns the bytes that the user typed.
    fn receive(&mut self, data: &[u8]) -> Vec<u8> {
        let mut typed = Vec::with_capacity(data.len());
        for byte in data {
            self.state = self.step(*byte, &mut typed);
        }
        typed
    }

    fn step(&mut self, byte: u8, typed: &mut Vec<u8>) -> TelnetState {
        match (std::mem::take(&mut self.state), byte) {
            (TelnetState::Return, b'\n' | 0) => TelnetState::Data,
            (TelnetState::Data | TelnetState::Return, IAC) => TelnetState::Command,
            (TelnetState::Command, SUBNEGOTIATION) => TelnetState::Subnegotiation(Vec::new()),
            (TelnetState::Command, WILL..=DONT) => TelnetState::Option,
            (TelnetState::Command, command) => {
                if command == IAC {
                    typed.push(IAC);
                }
                TelnetState::Data
            }
            (TelnetState::Data | TelnetState::Return, typed_byte) => {
                typed.push(typed_byte);
                if typed_byte == b'\r' { TelnetState::Return } else { TelnetState::Data }
            }
            (TelnetState::Option, _) => TelnetState::Data,
            (TelnetState::Subnegotiation(options), IAC) => {
                TelnetState::SubnegotiationCommand(options)
            }
            (TelnetState::SubnegotiationCommand(options), END) => {
                if let [WINDOW_SIZE, c1, c0, r1, r0] = options[..] {
                    self.size = Some((u16::from_be_bytes([r1, r0]), u16::from_be_bytes([c1, c0])));
                }
                TelnetState::Data
            }
            (
                TelnetState::Subnegotiation(mut options)
                | TelnetState::SubnegotiationCommand(mut options),
                byte,
            ) => {
                // Every subnegotiation that this program understands is shorter.
                if options.len() < 16 {
                    options.push(byte);
                }
                TelnetState::Subnegotiation(options)
            }
        }
    }
}

/// Doubles each byte that would begin a command.
fn escape(output: Bytes) -> Bytes {
    if !output.contains(&IAC) {
        return output;
    }
    let twice = |byte: &u8| std::iter::repeat_n(*byte, if *byte == IAC { 2 } else { 1 });
    output.iter().flat_map(twice).collect()
}

/// The protocol of the client's connection.
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
            // If the shell has ended, it needs no size.
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

/// The protocol of the shell.
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

/// A client that reports a window of 50 rows and 132 columns, and asks the shell for its size.
struct Try {
    output: BytesMut,
    ended: Promise<Bytes, io::Error>,
}

impl Protocol for Try {
    fn connection_made(&mut self, transport: &Transport) {
        let size = [0, 132, 0, 50];
        let options = [&[IAC, SUBNEGOTIATION, WINDOW_SIZE], &size[..], &[IAC, END]].concat();
        transport.write(options);
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
    // Print this when the loop runs, because from then on signals stop the server.
    reactor.call_when_running(move |_| println!("listening on port {port}"));
    Ok(reactor.run()?)
}

fn main() -> ExitCode {
    procession_examples::end("pty_shell", run())
}
