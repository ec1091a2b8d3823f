//! Passes a listening socket to a server, as systemd does, and takes it there.

// ANCHOR: listing
use std::env;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use procession::{Command, Fd, listen_fds};

fn main() -> Result<(), Box<dyn Error>> {
    // The server takes what it was given. It need not be root to serve port 80.
    if let Some((name, fd)) = listen_fds()?.pop() {
        let (mut client, _) = TcpListener::from(fd).accept()?;
        client.write_all(format!("hello from {name}\n").as_bytes())?;
        return Ok(());
    }
    // The manager binds the socket and starts the server: here, this program again.
    let http = TcpListener::bind("127.0.0.1:0")?;
    let address = http.local_addr()?;
    let mut server = Command::new(env::current_exe()?)
        .args(env::args_os().skip(1))
        .stderr(Fd::inherit(io::stderr()))
        .listen_fds([("http", http)])
        .spawn()?;

    let mut answer = String::new();
    TcpStream::connect(address)?.read_to_string(&mut answer)?;
    print!("{answer}");
    server.wait()??;
    Ok(())
}
// ANCHOR_END: listing

listing!();
