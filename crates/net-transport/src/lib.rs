//! TCP and Unix stream connections on procession's event loop: servers, clients, and the program's
//! own standard input and output.
//!
//! [`NetTransports`] adds `listen_tcp`, `connect_tcp`, `listen_unix`, `connect_unix` and `stdio` to
//! a reactor's `Handle`. Each connection has a `Protocol`, which receives the callbacks, and a
//! `Transport`, through which the protocol acts. Writes are queued and never block: when a callback
//! returns, one system call sends everything that it wrote.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | serve | [`listen_tcp`](NetTransports::listen_tcp), [`listen_unix`](NetTransports::listen_unix): a [`Listener`] |
//! | connect | [`connect_tcp`](NetTransports::connect_tcp), [`connect_unix`](NetTransports::connect_unix): a `Deferred` of a `Transport` |
//! | take over what is open | [`adopt_listener`](NetTransports::adopt_listener), [`adopt_stream`](NetTransports::adopt_stream) |
//! | speak on the standard streams | [`stdio`](NetTransports::stdio), [`stdio_on`](NetTransports::stdio_on) |
//! | stop | [`Listener::stop_listening`] |
//!
//! # What this crate does not do
//!
//! * It has no TLS, no datagrams and no HTTP, only byte streams.
//! * It does not race the addresses of a name (RFC 8305), and does not reconnect.
//! * It starts no threads, except one for each name that it looks up.
//! * It does not know processes. `Transport::into_fd` gives a socket to one, and
//!   `Transport::forward` sends to one what a peer sends.
//!
//! # Example
//!
//! ```
//! use procession::{Bytes, Deferred, NetTransports, Promise, Protocol, Reactor, Transport};
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
//! A proxy forwards what each side sends to the other side (`Transport::forward`). The data passes
//! through no protocol. A side that has sent its last byte may still receive an answer.
//!
//! ```
//! use procession::{Handle, NetTransports, Protocol, Reactor, Target, Transport};
//!
//! /// The protocol of the connection to the server behind the proxy.
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
//! # use procession::{Bytes, BytesMut, Deferred, Promise};
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

mod adopt;
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
