//! Starts a server, and waits until its port accepts connections.

// ANCHOR: listing
use std::env;
use std::error::Error;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;

use procession::{Command, Reactor, Ready, Stopped};

fn main() -> Result<Stopped, Box<dyn Error>> {
    let port: u16 = env::var("PORT")?.parse()?;
    // Put your server here. This is one that answers each connection with a line.
    let server = Command::new(env::current_exe()?).args(["serve", &port.to_string()]);
    Reactor::new()?.run_main(async move {
        let _server = Ready::tcp(port).start(server, Duration::from_secs(10)).await?;
        let mut answer = String::new();
        TcpStream::connect(("127.0.0.1", port))?.read_to_string(&mut answer)?;
        print!("{answer}");
        Ok(()) // the drop of the server ends it
    })
}
// ANCHOR_END: listing

listing!();
