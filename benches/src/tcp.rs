//! The blocking client of the TCP rows. It is the same for every server.

use std::io::{Read, Write};
use std::net::TcpStream;

use anyhow::Result;

use crate::clock::Stopwatch;

const MESSAGE: [u8; 64] = [b'x'; 64];

/// Connections to one server.
#[derive(Debug)]
pub struct Client(Vec<TcpStream>);

impl Client {
    /// Connects, and waits for one message to come back over each connection.
    ///
    /// # Errors
    ///
    /// If a connection cannot be made, or its message does not come back.
    pub fn connect(port: u16, connections: u64) -> Result<Self> {
        let connect = |_| {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            anyhow::Ok(stream)
        };
        let mut client = Self((0..connections).map(connect).collect::<Result<_>>()?);
        client.round(1)?;
        Ok(client)
    }

    /// Sends `count` messages over each connection, and waits for all connections after each
    /// message. Returns the microseconds of one message.
    ///
    /// # Errors
    ///
    /// If a connection is lost.
    pub fn round(&mut self, count: u64) -> Result<f64> {
        let mut answer = MESSAGE;
        let watch = Stopwatch::start();
        for _ in 0..count {
            for stream in &mut self.0 {
                stream.write_all(&MESSAGE)?;
            }
            for stream in &mut self.0 {
                stream.read_exact(&mut answer)?;
            }
        }
        Ok(watch.micros_each(count * self.0.len() as u64))
    }
}
