//! A TCP server that sends back what it receives: epoll, read, write.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use anyhow::Result;
use rustix::event::epoll::{CreateFlags, Event, EventData, EventFlags, add, create, wait};

use crate::job::{Job, Ready};

/// Listens on loopback, and serves until the process is killed.
pub(super) fn echo_server(_: &Job) -> Result<Ready> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    Ok(Ready::server(port, move || serve(&listener)))
}

fn serve(listener: &TcpListener) -> Result<f64> {
    let poller = create(CreateFlags::CLOEXEC)?;
    add(&poller, listener, EventData::new_u64(0), EventFlags::IN)?;
    let mut streams: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [Event { flags: EventFlags::empty(), data: EventData::new_u64(0) }; 1024];
    let mut buffer = vec![0; 64 << 10];
    loop {
        let count = wait(&poller, &mut events, None)?;
        for event in &events[..count] {
            let key = event.data.u64();
            if let Some(stream) = streams.get_mut(&key) {
                match stream.read(&mut buffer) {
                    Ok(0) => drop(streams.remove(&key)),
                    Ok(bytes) => stream.write_all(&buffer[..bytes])?,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error.into()),
                }
                continue;
            }
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let key = u64::try_from(stream.as_raw_fd())?;
                add(&poller, &stream, EventData::new_u64(key), EventFlags::IN)?;
                streams.insert(key, stream);
            }
        }
    }
}
