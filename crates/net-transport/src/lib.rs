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
//! use std::error::Error;
//! use std::io::{self, Write};
//! use std::net::{TcpListener, TcpStream};
//! use std::thread;
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
//!
//! fn main() -> Result<(), Box<dyn Error>> {
//!     // The server and the client are threads here.
//!     let server = TcpListener::bind("127.0.0.1:0")?;
//!     let port = server.local_addr()?.port();
//!     thread::spawn(move || server.accept().and_then(|(mut peer, _)| peer.write_all(b"hello")));
//!
//!     let mut reactor = Reactor::new()?;
//!     let proxy = reactor.listen_tcp(("127.0.0.1", 0), move || Proxy { port })?;
//!     let port = proxy.port().ok_or("not TCP")?;
//!     let client = move || io::read_to_string(TcpStream::connect(("127.0.0.1", port))?);
//!     let answer = reactor.defer_to_thread(client);
//!     assert_eq!(reactor.block_on(answer)??, "hello");
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//!
//! * [`ConnectError`] has the destination, the step that failed, and the reason. The protocol was dropped without
//!   a callback.
//! * [`ListenError`] has the address and the reason. The factory was dropped.
//! * [`adopt_stream`](NetTransports::adopt_stream) and [`stdio`](NetTransports::stdio) fail with an
//!   [`io::Error`](std::io::Error).
//!
//! A connection that breaks later is no error of a verb: `connection_lost` gets the reason.
//!
//! # Panics
//!
//! No verb panics by itself. A panic of a protocol unwinds out of the loop, or, from `connection_made`, out of
//! [`adopt_stream`](NetTransports::adopt_stream) and [`stdio`](NetTransports::stdio). Its connection is
//! closed, and the loop can go on.
//!
//! # Platform
//!
//! | On | What differs |
//! |---|---|
//! | Linux | the path of a Unix socket has at most 107 bytes; [`stdio`](NetTransports::stdio) opens pipes and terminals again, so that other users of them do not see them nonblocking |
//! | macOS, FreeBSD, NetBSD | it compiles, and nobody has run it there; the path has at most 103 bytes; the open file of [`stdio`](NetTransports::stdio) is nonblocking for all while the connection lasts |
//!
//! The tests pass with musl and as 32-bit programs.
//!
//! # Costs
//!
//! Counts do not depend on the machine, and tests hold their limits:
//!
//! * An answer to a message takes three system calls: the wait, a read and a write. It takes the server at
//!   most 1,450 instructions, which is at most 0.7 of tokio's.
//! * A loop whose connections are idle makes no system call.
//! * A write queue has no limit unless one is set (`Transport::set_write_hard_limit`); above 64 KiB it pauses
//!   its producer.
//! * Each name that is looked up takes a thread until the answer comes (`getaddrinfo(3)` blocks). An address
//!   takes none.
//!
//! # What this crate does not do
//!
//! * It has no TLS, no datagrams and no HTTP, only byte streams.
//! * It does not race the addresses of a name (RFC 8305), and does not reconnect.
//! * It starts no threads, except one for each name that it looks up.
//! * It does not know processes. `Transport::into_fd` gives a socket to one, and
//!   `Transport::forward` sends to one what a peer sends.
//!
//! # References
//!
//! [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html),
//! [unix(7)](https://man7.org/linux/man-pages/man7/unix.7.html).

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
