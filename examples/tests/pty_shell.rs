//! Tests of the example `pty_shell`: each connection has a shell on a terminal, and nothing is left
//! of it.

mod util;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use util::{Server, client, example, high_water_bytes, run, runs, until};

/// WILL ECHO, WILL SUPPRESS-GO-AHEAD, DO NAWS.
const GREETING: [u8; 9] = [255, 251, 1, 255, 251, 3, 255, 253, 31];
const MOST_RSS_BYTES: u64 = 32 << 20;

/// A connection whose shell does not echo what is typed, and has no prompt.
struct Session {
    stream: TcpStream,
    screen: Vec<u8>,
}

impl Session {
    fn new(port: u16) -> Self {
        let mut session = Self { stream: client(port), screen: Vec::new() };
        let mut greeting = [0; GREETING.len()];
        session.stream.read_exact(&mut greeting).expect("a greeting");
        assert_eq!(greeting, GREETING);
        session.type_in(b"stty -echo; PS1= PS2=; echo re''ady\r");
        session.until("ready\r\n");
        session
    }

    fn type_in(&mut self, typed: &[u8]) {
        self.stream.write_all(typed).expect("it listens");
    }

    /// Returns what the terminal shows, up to and including this text.
    fn until(&mut self, wanted: &str) -> String {
        let found = |screen: &[u8]| {
            let at = screen.windows(wanted.len()).position(|shown| shown == wanted.as_bytes());
            at.map(|at| at + wanted.len())
        };
        loop {
            if let Some(end) = found(&self.screen) {
                return self.take(end);
            }
            self.read(wanted);
        }
    }

    fn take(&mut self, bytes: usize) -> String {
        String::from_utf8_lossy(&self.screen.drain(..bytes).collect::<Vec<_>>()).into_owned()
    }

    fn read(&mut self, wanted: &str) {
        let mut buffer = [0; 4096];
        let read = self.stream.read(&mut buffer);
        let shown = String::from_utf8_lossy(&self.screen);
        let bytes = match read {
            Ok(bytes) => bytes,
            // A stop and a continuation of the process interrupt its read.
            Err(error) if error.kind() == ErrorKind::Interrupted => return,
            Err(error) => panic!("no {wanted:?} in {shown:?}: {error}"),
        };
        assert!(bytes > 0, "it ends before {wanted:?}: {shown}");
        self.screen.extend_from_slice(&buffer[..bytes]);
    }

    /// Returns the shell's pid.
    fn pid(&mut self) -> u32 {
        self.type_in(b"echo pid $$ .\r");
        let shown = self.until(" .\r\n");
        let pid = shown.trim().strip_prefix("pid ").and_then(|rest| rest.strip_suffix(" ."));
        pid.and_then(|pid| pid.parse().ok()).unwrap_or_else(|| panic!("no pid in {shown:?}"))
    }
}

#[test]
fn the_window_has_each_size_that_the_client_reports() {
    let server = Server::start("pty_shell", &["0"]);
    let mut session = Session::new(server.port());
    session.type_in(b"stty size; echo .\r");
    assert_eq!(session.until(".\r\n"), "24 80\r\n.\r\n");
    for (rows, columns) in [(50, 132), (10, 20)] {
        session.type_in(&[255, 250, 31, 0, columns, 0, rows, 255, 240]);
        session.type_in(b"stty size; echo .\r\n");
        assert_eq!(session.until(".\r\n"), format!("{rows} {columns}\r\n.\r\n"));
    }
    server.stop();
}

#[test]
fn ctrl_c_interrupts_and_ctrl_d_ends() {
    let server = Server::start("pty_shell", &["0"]);
    let mut session = Session::new(server.port());
    let pid = session.pid();
    session.type_in(b"cat; echo not this\rcat is there\r");
    session.until("cat is there\r\n");
    // The interrupt discards what is typed before the shell is ready again. The shell reports that
    // by a new line.
    session.type_in(b"\x03");
    session.until("\r\n");
    session.type_in(b"echo a''fter\r");
    assert_eq!(session.until("after\r\n"), "after\r\n");
    session.type_in(b"\x04");
    session.stream.read_to_end(&mut session.screen).expect("the server closes");
    assert!(!runs(pid));
    server.stop();
}

#[test]
fn a_client_that_goes_takes_its_shell_with_it_and_no_other() {
    let server = Server::start("pty_shell", &["0"]);
    let port = server.port();
    let (mut goes, mut stays) = (Session::new(port), Session::new(port));
    let pid = goes.pid();
    goes.type_in(b"trap '' HUP; echo deaf\r");
    goes.until("deaf\r\n");
    drop(goes);
    until("the shell is gone", || !runs(pid));
    let pid = stays.pid();
    assert!(runs(pid));
    server.stop();
    until("the other shell is gone with the server", || !runs(pid));
}

#[test]
fn bytes_that_telnet_would_take_for_commands_pass_both_ways() {
    let server = Server::start("pty_shell", &["0"]);
    let mut session = Session::new(server.port());
    session.type_in(b"stty raw; echo now; head -c 1 | od -An -tu1; printf '\\377.'\r");
    session.until("now\n");
    session.type_in(&[255, 255]);
    session.until("255\n");
    while session.screen.len() < 3 {
        session.read("a byte, doubled");
    }
    assert_eq!(session.screen[..3], *b"\xff\xff.");
    server.stop();
}

#[test]
fn a_client_that_does_not_read_stops_the_shell_and_not_the_memory() {
    let server = Server::start("pty_shell", &["0"]);
    let port = server.port();
    let (mut floods, mut other) = (Session::new(port), Session::new(port));
    let pid = floods.pid();
    floods.type_in(b"exec yes\r");
    // The client does not read, and a socket cannot hold this much. The other client is served all
    // the time.
    for _ in 0..200 {
        other.pid();
    }
    let peak = high_water_bytes(server.pid()).unwrap();
    assert!(peak < MOST_RSS_BYTES, "{peak} bytes");
    drop(floods);
    until("yes is gone", || !runs(pid));
    server.stop();
}

#[test]
fn a_missing_shell_is_reported_to_the_client() {
    let server = Server::start("pty_shell", &["0", "/there/is/no/shell"]);
    let mut shown = Vec::new();
    client(server.port()).read_to_end(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown[GREETING.len()..]);
    assert!(shown.contains("/there/is/no/shell") && shown.ends_with("\r\n"), "{shown}");
    server.stop();
}

#[test]
fn it_can_try_itself() {
    let ended = run(example("pty_shell").args(["--try", "0"]));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    assert!(ended.stdout.contains("50 132\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("a terminal\n"), "{}", ended.stdout);
}
