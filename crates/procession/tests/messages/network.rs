//! Errors of connections and listeners.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use procession::Failed;
use procession::{ConnectError, ListenError, NetTransports, Protocol, Reactor};

use crate::{Row, row};

struct Quiet;

impl Protocol for Quiet {}

pub(crate) fn rows() -> Vec<Row> {
    let mut reactor = Reactor::new().expect("a reactor");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its number");
    let busy = reactor.listen_tcp(address, || Quiet).map(drop).expect_err("it fails");
    let lookup = reactor.listen_tcp("no port", || Quiet).map(drop).expect_err("it fails");
    let unix = reactor.listen_unix("/no/such/socket", || Quiet).map(drop).expect_err("it fails");
    let empty = reactor.listen_unix("", || Quiet).map(drop).expect_err("it fails");
    let odd = listened(&reactor, Path::new("/no/such/so\ncket"));
    let split = listened(&reactor, Path::new("/tmp/a\0b"));
    drop(taken);
    let refused = failed(reactor.block_on(reactor.connect_tcp(address, Quiet)));
    let bad = failed(reactor.block_on(reactor.connect_tcp("no port", Quiet)));
    let path = Path::new("/no/such/socket");
    let missing = failed(reactor.block_on(reactor.connect_unix(path, Quiet)));
    let mut connect = |path| failed(reactor.block_on(reactor.connect_unix(path, Quiet)));
    let odd_peer = connect("/no/such/so\u{1b}[2Jcket");
    let split_peer = connect("/tmp/a\0b");
    let quoted = connect(r#"/no/such/"so"\cket"#);
    let raw = failed(
        reactor.block_on(reactor.connect_unix(Path::new(OsStr::from_bytes(b"/\xff/x")), Quiet)),
    );
    let no_path = failed(reactor.block_on(reactor.connect_unix("", Quiet)));
    let host = failed(reactor.block_on(reactor.connect_tcp(("a\0\nb", 80), Quiet)));
    vec![
        row(
            "ListenError",
            &odd,
            r#"cannot listen on "/no/such/so\ncket": No such file or directory"#,
        ),
        row("ListenError", &split, r#"cannot listen on "/tmp/a\0b": the path holds a zero byte"#),
        row(
            "ConnectError",
            &odd_peer,
            r#"cannot connect to "/no/such/so\u{1b}[2Jcket": No such file or directory"#,
        ),
        row(
            "ConnectError",
            &split_peer,
            r#"cannot connect to "/tmp/a\0b": the path holds a zero byte"#,
        ),
        row(
            "ConnectError",
            &quoted,
            r#"cannot connect to "/no/such/\"so\"\\cket": No such file or directory"#,
        ),
        row("ConnectError", &raw, r#"cannot connect to "/\xFF/x": No such file or directory"#),
        row("ConnectError", &no_path, r#"cannot connect to "": the path is empty"#),
        row(
            "ConnectError",
            &host,
            r#"cannot connect to "a\0\nb":80: file name contained an unexpected NUL byte"#,
        ),
        row("ListenError", &busy, format!("cannot listen on {address}: Address already in use")),
        row(
            "ListenError",
            &lookup,
            "cannot listen on \"no port\": neither an address nor a name, with a port",
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

fn listened(reactor: &Reactor, path: &Path) -> ListenError {
    reactor.listen_unix(path, || Quiet).map(drop).expect_err("it fails")
}

fn failed<T>(result: Result<T, Failed<ConnectError>>) -> ConnectError {
    result.map(drop).expect_err("it fails").error().expect("an error of its own")
}
