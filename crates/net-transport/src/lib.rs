//! TCP and Unix stream connections on procession's event loop: servers, clients, and the program's
//! own standard input and output.
//!
//! [`NetTransports`] adds `listen_tcp`, `connect_tcp`, `listen_unix`, `connect_unix` and `stdio` to
//! a reactor's `Handle`. Each connection has a `Protocol`, which hears what happens, and acts on it
//! through a `Transport`. Writes queue and never block: what a callback has written leaves in one
//! system call when it returns.
//!
//! # What this crate does not do
//!
//! * No TLS, no datagrams, no HTTP: byte streams only.
//! * It does not race the addresses of a name (RFC 8305), and does not reconnect.
//! * It starts no thread but one for each name that is looked up.
//! * It does not know processes; `Transport::into_fd` gives a socket to one.
//!
//! # Example
//!
//! ```
//! use bytes::Bytes;
//! use procession_core::{Deferred, Promise};
//! use procession_net_transport::NetTransports;
//! use procession_protocol::{Protocol, Transport};
//! use procession_reactor::Reactor;
//!
//! struct Echo;
//!
//! impl Protocol for Echo {
//!     fn data_received(&mut self, transport: &Transport, data: Bytes) {
//!         transport.write(data);
//!     }
//! }
//!
//! struct Client(Promise<Bytes, std::io::Error>);
//!
//! impl Protocol for Client {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         transport.write("accessing protocols");
//!     }
//!
//!     fn data_received(&mut self, transport: &Transport, data: Bytes) {
//!         self.0.complete(Ok(data));
//!         transport.lose_connection();
//!     }
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut reactor = Reactor::new()?;
//!     let listener = reactor.listen_tcp(("127.0.0.1", 0), || Echo)?;
//!     let (promise, echoed) = Deferred::new();
//!     let port = listener.port().ok_or("not TCP")?;
//!     reactor.connect_tcp(("localhost", port), Client(promise)).detach();
//!     assert_eq!(reactor.block_on(echoed)?, "accessing protocols");
//!     Ok(())
//! }
//! ```

#![warn(clippy::print_stdout, clippy::print_stderr)]
#![forbid(unsafe_code)]

mod connect;
mod destination;
mod error;
mod listener;
mod net_transports;
mod resolve;
mod socket;
mod stdio;
mod stopped;
mod stream;
mod unix_path;

pub use crate::destination::Destination;
pub use crate::error::ConnectError;
pub use crate::listener::Listener;
pub use crate::net_transports::NetTransports;
