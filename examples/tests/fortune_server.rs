//! Tests of the example `fortune_server`: a client gets an answer or a close, whatever the program
//! does.

mod util;

use std::io::Read;
use std::net::TcpListener;

use tempfile::TempDir;
use util::{Server, client, example, run, script};

/// Starts a server whose program is this script.
fn serving(text: &str) -> (Server, u16, TempDir) {
    let dir = tempfile::tempdir().expect("a directory");
    let program = script(dir.path(), "fortune", text);
    let program = program.to_str().expect("its name is UTF-8");
    let server = Server::start("fortune_server", &["0", program]);
    let port = server.port();
    (server, port, dir)
}

/// Returns everything that a client receives until the server closes the connection.
fn ask(port: u16) -> String {
    let mut answer = String::new();
    client(port).read_to_string(&mut answer).expect("an answer, or a close");
    answer
}

#[test]
fn each_client_gets_what_the_program_prints() {
    let (server, port, _dir) = serving("echo 'All is well that ends.'");
    for _ in 0..3 {
        assert_eq!(ask(port), "All is well that ends.\n");
    }
    assert_eq!(server.stop(), Vec::<String>::new());
}

#[test]
fn clients_are_served_at_the_same_time() {
    let (server, port, _dir) = serving("sleep 0.3; echo $$");
    let mut clients: Vec<_> = (0..20).map(|_| client(port)).collect();
    let mut answers: Vec<String> = clients
        .iter_mut()
        .map(|client| {
            let mut answer = String::new();
            client.read_to_string(&mut answer).expect("an answer");
            answer
        })
        .collect();
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 20, "each has a process of its own");
    server.stop();
}

#[test]
fn a_program_that_is_missing_closes_the_connection() {
    let server = Server::start("fortune_server", &["0", "/there/is/no/fortune"]);
    let port = server.port();
    assert_eq!(ask(port), "");
    assert!(server.error().contains("/there/is/no/fortune"));
    assert_eq!(ask(port), "", "the server goes on");
    server.stop();
}

#[test]
fn a_program_that_complains_closes_the_connection() {
    let (server, port, _dir) = serving("echo half; echo trouble >&2; sleep 60");
    assert_eq!(ask(port), "");
    assert!(server.error().contains("trouble"));
    server.stop();
}

#[test]
fn a_client_that_does_not_wait_disturbs_nobody() {
    let (server, port, _dir) = serving("sleep 0.1; echo late");
    drop(client(port));
    assert_eq!(ask(port), "late\n");
    server.stop();
}

#[test]
fn a_port_that_is_taken_is_one_line_and_status_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let ended = run(example("fortune_server").arg(port.to_string()));
    assert_eq!((ended.status, ended.stderr.lines().count()), (1, 1), "{}", ended.stderr);
    assert!(ended.stderr.contains(&port.to_string()), "{}", ended.stderr);
}

#[test]
fn a_port_that_is_no_number_is_one_line_and_status_1() {
    let ended = run(example("fortune_server").arg("http"));
    assert_eq!(
        (ended.status, ended.stderr.as_str()),
        (1, "fortune_server: \"http\" is no port: invalid digit found in string\n")
    );
}

#[test]
fn it_can_ask_itself() {
    let ended = run(example("fortune_server").args(["--try", "0", "/bin/pwd"]));
    let here = std::env::current_dir().unwrap();
    assert_eq!((ended.status, ended.stdout.trim_end()), (0, here.to_str().unwrap()));
}
