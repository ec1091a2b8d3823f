//! The listings of the book's cookbook as programs: `listings NAME` runs the listing of that name, and
//! `listings` prints all names.
//!
//! Each file in `cookbook/` is a whole program: its `main` runs if it is copied to `src/main.rs` of a
//! package that depends on `procession`. The book shows what is between the two `ANCHOR` comments.
//! `listings serve PORT` is the server that some listings start.

use std::env;
use std::io::{self, Write};
use std::net::TcpListener;
use std::process::{ExitCode, Termination};

mod cookbook;

fn main() -> ExitCode {
    let mut args = env::args().skip(1);
    let name = args.next().unwrap_or_default();
    if name.is_empty() {
        cookbook::LISTINGS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    if name == "serve" {
        return serve(&args.next().unwrap_or_default()).report();
    }
    match cookbook::LISTINGS.iter().find(|(listing, _)| *listing == name) {
        Some((_, start)) => start(),
        None => {
            eprintln!("listings: no listing is called {name:?}");
            ExitCode::FAILURE
        }
    }
}

/// Answers each connection to a port with one line, until it is killed.
fn serve(port: &str) -> io::Result<()> {
    for client in TcpListener::bind(format!("127.0.0.1:{port}"))?.incoming() {
        // A client that only looks whether the port is open is gone by now.
        client?.write_all(b"hello from the server\n").ok();
    }
    Ok(())
}
