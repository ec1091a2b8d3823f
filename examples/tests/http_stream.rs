//! Tests of the example `http_stream`: a client gets the output as it comes, and the program ends
//! with its group when the client goes.

mod util;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use util::{Server, client, runs, until};

/// Sends a request and returns the lines of the answer as they come.
fn ask(port: u16) -> BufReader<TcpStream> {
    let mut client = client(port);
    client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").expect("it listens");
    BufReader::new(client)
}

/// Returns the rest of the first line that begins so.
fn line(answer: &mut impl BufRead, begins: &str) -> String {
    let mut lines = answer.lines().map(|line| line.expect("the server answers"));
    lines.find_map(|line| line.strip_prefix(begins).map(str::to_owned)).expect("a line")
}

/// Case TO-08.
#[test]
fn a_client_gets_the_output_as_it_comes_and_its_going_ends_the_group() {
    let script = "echo leader $$; sleep 600 & echo member $!; wait";
    let server = Server::start("http_stream", &["0", "sh", "-c", script]);
    let port = server.port();
    let ids = |answer: &mut BufReader<TcpStream>| {
        ["leader ", "member "].map(|who| line(answer, who).parse::<u32>().expect("a number"))
    };
    let (mut first, mut second) = (ask(port), ask(port));
    // The lines arrive while the program runs.
    let (gone, there) = (ids(&mut first), ids(&mut second));
    assert!(gone.iter().chain(&there).all(|pid| runs(*pid)));
    drop(first);
    until("the group ends", || !gone.iter().any(|pid| runs(*pid)));
    assert!(there.iter().all(|pid| runs(*pid)), "the other client is still there");
    // A signal ends what is left, and then the server.
    assert_eq!(server.stop(), Vec::<String>::new());
    until("the other group ends", || !there.iter().any(|pid| runs(*pid)));
}

#[test]
fn a_program_that_ends_ends_its_answer() {
    let server = Server::start("http_stream", &["0", "sh", "-c", "seq 100000"]);
    let mut client = client(server.port());
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.0 200 OK"), "{head}");
    assert!(body.lines().eq((1..=100_000).map(|number| number.to_string())));
    server.stop();
}

#[test]
fn a_program_that_is_missing_is_an_error_of_the_server() {
    let server = Server::start("http_stream", &["0", "/there/is/no/program"]);
    let mut client = client(server.port());
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.0 500 "), "{answer}");
    assert!(
        answer.ends_with("cannot execute \"/there/is/no/program\": No such file or directory\n")
    );
    server.stop();
}
