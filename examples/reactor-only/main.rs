//! The loop alone: a timer, a Unix socket and a signal, and no process anywhere.

use procession_reactor::{Interest, Reactor, Stopped};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

fn main() -> io::Result<()> {
    let mut reactor = Reactor::new()?;
    let (socket, mut peer) = UnixStream::pair()?;
    socket.set_nonblocking(true)?;
    reactor.register(socket, Interest::READABLE, |socket, _readiness| {
        let mut buffer = [0; 64];
        match socket.read(&mut buffer) {
            Ok(bytes) if bytes > 0 => {
                println!("read {}", buffer[..bytes].escape_ascii());
                socket.reactor().stop();
            }
            _ => socket.close(),
        }
    })?;
    reactor.call_later(Duration::from_millis(20), move |_| peer.write_all(b"hello"));
    // SIGINT and SIGTERM stop it as well.
    match reactor.run()? {
        Stopped::Signal(signal) => println!("stopped by {signal}"),
        _ => println!("stopped"),
    }
    Ok(())
}
