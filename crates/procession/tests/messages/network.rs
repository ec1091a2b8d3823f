//! Errors of connections and listeners.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use procession::core::Failed;
use procession::prelude::{ConnectError, NetTransports, Protocol, Reactor};

use crate::{Row, row};

struct Quiet;

impl Protocol for Quiet {}

pub(crate) fn rows() -> Vec<Row> {
    let mut reactor = Reactor::new().expect("a reactor");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its number");
    let busy = reactor.listen_tcp(address, || Quiet).map(drop).expect_err("it fails");
    let none = reactor.listen_tcp(&[] as &[SocketAddr], || Quiet).map(drop).expect_err("it fails");
    let lookup = reactor.listen_tcp("no port", || Quiet).map(drop).expect_err("it fails");
    let unix = reactor.listen_unix("/no/such/socket", || Quiet).map(drop).expect_err("it fails");
    let empty = reactor.listen_unix("", || Quiet).map(drop).expect_err("it fails");
    drop(taken);
    let refused = failed(reactor.block_on(reactor.connect_tcp(address, Quiet)));
    let bad = failed(reactor.block_on(reactor.connect_tcp("no port", Quiet)));
    let path = Path::new("/no/such/socket");
    let missing = failed(reactor.block_on(reactor.connect_unix(path, Quiet)));
    vec![
        row("ListenError", &busy, format!("cannot listen on {address}: Address already in use")),
        row(
            "ListenError",
            &lookup,
            "cannot look up the address to listen on: invalid socket address",
        ),
        row(
            "ListenError",
            &none,
            "cannot look up the address to listen on: the name has no address",
        ),
        row("ListenError", &unix, "cannot listen on /no/such/socket: No such file or directory"),
        row("ListenError", &empty, "cannot listen on \"\": the path is empty"),
        row("ConnectError", &refused, format!("cannot connect to {address}: Connection refused")),
        row(
            "ConnectError",
            &bad,
            "cannot connect to \"no port\": neither an address nor a name, with a port",
        ),
        row(
            "ConnectError",
            &missing,
            "cannot connect to /no/such/socket: No such file or directory",
        ),
    ]
}

fn failed<T>(result: Result<T, Failed<ConnectError>>) -> ConnectError {
    result.map(drop).expect_err("it fails").error().expect("an error of its own")
}
