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
//! * It does not know processes; `Transport::into_fd` gives a socket to one, and `Transport::forward`
//!   moves what a peer sends to one.
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
//!
//! # Forwarding
//!
//! A proxy: what either side sends is moved to the other (`Transport::forward`) and passes through no
//! protocol. One that has sent its last may still be answered.
//!
//! ```
//! use procession_net_transport::NetTransports;
//! use procession_protocol::{Protocol, Target, Transport};
//! use procession_reactor::{Handle, Reactor};
//!
//! /// What comes from behind the proxy.
//! struct Behind;
//!
//! impl Protocol for Behind {
//!     fn read_closed(&mut self, _: &Transport) {} // and not closed
//! }
//!
//! struct Proxy {
//!     port: u16,
//! }
//!
//! impl Protocol for Proxy {
//!     fn connection_made(&mut self, client: &Transport) {
//!         client.pause(); // until there is somebody to send it to
//!         let client = client.clone();
//!         let server = Handle::current().connect_tcp(("127.0.0.1", self.port), Behind);
//!         server.done(move |server| match server {
//!             Ok(server) => {
//!                 client.forward(Target::connection(&server)).detach();
//!                 server.forward(Target::connection(&client)).detach();
//!                 client.resume();
//!             }
//!             Err(_) => client.abort_connection(),
//!         });
//!     }
//!
//!     fn read_closed(&mut self, _: &Transport) {}
//! }
//! # use bytes::{Bytes, BytesMut};
//! # use procession_core::{Deferred, Promise};
//! #
//! # struct Shout(BytesMut);
//! #
//! # impl Protocol for Shout {
//! #     fn data_received(&mut self, _: &Transport, data: Bytes) {
//! #         self.0.extend_from_slice(&data);
//! #     }
//! #
//! #     fn read_closed(&mut self, transport: &Transport) {
//! #         transport.write(self.0.to_ascii_uppercase());
//! #         transport.lose_connection();
//! #     }
//! # }
//! #
//! # struct Client(Promise<Bytes, std::io::Error>);
//! #
//! # impl Protocol for Client {
//! #     fn connection_made(&mut self, transport: &Transport) {
//! #         transport.write("hello");
//! #         transport.shutdown_write();
//! #     }
//! #
//! #     fn data_received(&mut self, _: &Transport, data: Bytes) {
//! #         self.0.complete(Ok(data));
//! #     }
//! # }
//! #
//! # let mut reactor = Reactor::new()?;
//! # let server = reactor.listen_tcp(("127.0.0.1", 0), || Shout(BytesMut::new()))?;
//! # let port = server.port().ok_or("not TCP")?;
//!
//! let proxy = reactor.listen_tcp(("127.0.0.1", 0), move || Proxy { port })?;
//! # let (promise, answer) = Deferred::new();
//! # let port = proxy.port().ok_or("not TCP")?;
//! # reactor.connect_tcp(("127.0.0.1", port), Client(promise)).detach();
//! # assert_eq!(reactor.block_on(answer)?, "HELLO");
//! # Ok::<(), Box<dyn std::error::Error>>(())
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
pub use crate::error::{ConnectError, ListenError};
pub use crate::listener::Listener;
pub use crate::net_transports::NetTransports;
