//! The methods that this crate adds to a reactor's handle.
//!
//! Length: one trait, and most lines are the documentation of its methods.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

use procession_core::Deferred;
use procession_protocol::{Factory, Protocol, Transport};
use procession_reactor::Handle;
use sealed::Sealed;

use crate::destination::Destination;
use crate::error::{ConnectError, ListenError};
use crate::listener::{self, Listener};
use crate::stream::Stream;
use crate::{adopt, connect, stdio};

/// Connections, as methods of [`Handle`] and so of `Reactor`.
///
/// This trait is sealed: only this crate implements it, so later versions can add methods.
///
/// These rules hold for all of them:
///
/// - Only the loop calls a protocol. The exception is the `connection_made` of
///   [`stdio`](Self::stdio) and of its relatives.
/// - If a protocol panics, its connection is closed, the protocol is dropped, and the panic unwinds
///   out of the loop. Other connections continue when the loop does.
/// - Everything that the peer has sent is delivered before the loss of its connection. Nothing is
///   read after `lose_connection`.
/// - TCP connections have `TCP_NODELAY` set, because the write queue gathers small writes already.
/// - Children inherit no descriptor.
///
/// When the reactor stops, at the end of the *during* phase of its shutdown, listeners stop
/// listening, and attempts to connect fail. Each connection writes what the kernel takes at once,
/// and is closed. Its protocol gets `connection_lost` with `ConnectionAborted`, "the event loop
/// stopped", unless the connection was lost for another reason before. Data that the peer has sent
/// and that was not read is dropped. To finish work first, add a *before* trigger that returns a
/// `Deferred`: it delays all of this. A reactor that is dropped without a stop closes everything
/// too, and calls no protocol.
pub trait NetTransports: Sealed {
    /// Listens on a TCP address, and asks `factory` for a protocol for each connection.
    ///
    /// For port 0 the kernel chooses a port; [`Listener::port`] returns it. If a name has several
    /// addresses, the first one that can be bound is used. A name is looked up before this returns,
    /// which blocks the loop: give an address, or `"localhost"`. `SO_REUSEADDR` is set, so that a
    /// server can be restarted at once. When no descriptors are left, connections wait in the
    /// kernel until there are some. If the factory panics, that connection is closed, and the
    /// listener continues.
    ///
    /// # Errors
    ///
    /// [`ListenError`] if the lookup, the bind or the listen fails. Its kind is for instance
    /// `AddrInUse`, `AddrNotAvailable`, or `PermissionDenied` for ports below 1024.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Bytes, Handle, NetTransports, Protocol, Reactor, Transport};
    ///
    /// struct Greeter;
    ///
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         transport.write("hello\n");
    ///         transport.lose_connection(); // after the flush
    ///     }
    /// }
    ///
    /// struct Client;
    ///
    /// impl Protocol for Client {
    ///     fn data_received(&mut self, _: &Transport, data: Bytes) {
    ///         assert_eq!(data, "hello\n");
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.listen_tcp(("127.0.0.1", 0), || Greeter)?;
    /// let port = listener.port().unwrap();
    /// reactor.connect_tcp(("127.0.0.1", port), Client).detach();
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "listenTCP")]
    fn listen_tcp(
        &self,
        address: impl Into<Destination>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError>;

    /// Connects to a TCP address, or to a name, which is looked up on a separate thread.
    ///
    /// The addresses of a name are tried one after the other. When the connection is made, the
    /// protocol gets `connection_made`, and then the `Deferred` gives the transport. Dropping,
    /// cancelling or timing out the `Deferred` before that gives up the connection and drops the
    /// protocol. If this happens inside `connection_made`, the connection is aborted, and the
    /// protocol gets `connection_lost`. If you do not wait for the result, use
    /// [`detach`](Deferred::detach).
    ///
    /// # Errors
    ///
    /// The `Deferred` fails with [`ConnectError`], and the protocol is dropped without a callback.
    /// The kind is `ConnectionAborted` if the reactor stops first.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{NetTransports, Protocol, Reactor};
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    ///
    /// struct Client;
    /// impl Protocol for Client {}
    ///
    /// let mut reactor = Reactor::new()?;
    /// let closed = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    /// let transport = reactor.connect_tcp(closed, Client).timeout(Duration::from_secs(5));
    /// let error = reactor.block_on(transport).unwrap_err().error().unwrap();
    /// assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "connectTCP")]
    #[must_use = "dropping it gives the connection up; `detach` lets it go on"]
    fn connect_tcp(
        &self,
        destination: impl Into<Destination>,
        protocol: impl Protocol + 'static,
    ) -> Deferred<Transport, ConnectError>;

    /// Listens on a Unix stream socket, and asks `factory` for a protocol for each connection.
    ///
    /// The path must not exist. [`Listener::stop_listening`] removes it, and so does a stop or a
    /// drop of the reactor. The file of a program that was killed stays, and makes this fail: only
    /// the caller can know whether it may be removed.
    ///
    /// # Errors
    ///
    /// [`ListenError`] if the bind fails. Its kind is `AddrInUse` if the path exists, and
    /// `InvalidInput` if it is empty or longer than a socket address allows.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{NetTransports, Protocol, Reactor};
    ///
    /// struct Silent;
    /// impl Protocol for Silent {}
    ///
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("socket");
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.listen_unix(&path, || Silent)?;
    /// reactor.block_on(reactor.connect_unix(&path, Silent))?;
    /// reactor.block_on(listener.stop_listening())?;
    /// assert!(!path.exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "listenUNIX")]
    fn listen_unix(
        &self,
        path: impl AsRef<Path>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError>;

    /// Listens on a socket that somebody else has bound, and asks `factory` for a protocol for each
    /// connection: one that the service manager passed, or one that a program has bound before it gave up
    /// its rights.
    ///
    /// The socket is TCP or Unix. It may listen already. It becomes nonblocking, also for the other processes
    /// that have it. The path of a Unix socket stays when the listener stops.
    ///
    /// # Errors
    ///
    /// [`ListenError`], which names the descriptor's number, if it is no stream socket, or a connected one.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{NetTransports, Protocol, Reactor};
    ///
    /// struct Silent;
    /// impl Protocol for Silent {}
    ///
    /// let socket = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// let port = socket.local_addr()?.port();
    /// let reactor = Reactor::new()?;
    /// let listener = reactor.adopt_listener(socket, || Silent)?;
    /// assert_eq!(listener.port(), Some(port));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "adoptStreamPort")]
    #[doc(alias = "from_std")]
    fn adopt_listener(
        &self,
        socket: impl Into<OwnedFd>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError>;

    /// Uses a descriptor that is open already as a connection: a connected stream socket, or a serial line,
    /// a terminal or another descriptor that is read and written.
    ///
    /// `connection_made` is called before this returns. A socket becomes nonblocking, also for the other
    /// processes that have it; other descriptors are treated as those of [`stdio_on`](Self::stdio_on).
    ///
    /// # Errors
    ///
    /// If it is a socket that is not connected, or no stream socket (`InvalidInput`), if it cannot be read or
    /// written, and if no descriptors are left. The protocol is dropped without a callback.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{NetTransports, Protocol, Reactor, Transport};
    /// use std::io::{BufRead, BufReader};
    /// use std::os::unix::net::UnixStream;
    ///
    /// struct Greeter;
    /// impl Protocol for Greeter {
    ///     fn connection_made(&mut self, transport: &Transport) {
    ///         transport.write("hello\n");
    ///     }
    /// }
    ///
    /// let (ours, theirs) = UnixStream::pair()?;
    /// let mut reactor = Reactor::new()?;
    /// reactor.adopt_stream(Greeter, ours)?;
    /// reactor.turn(Some(std::time::Duration::ZERO))?;
    /// let mut line = String::new();
    /// BufReader::new(theirs).read_line(&mut line)?;
    /// assert_eq!(line, "hello\n");
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "adoptStreamConnection")]
    #[doc(alias = "from_std")]
    fn adopt_stream(
        &self,
        protocol: impl Protocol + 'static,
        stream: impl Into<OwnedFd>,
    ) -> io::Result<Transport>;

    /// Connects to a Unix stream socket, as [`connect_tcp`](Self::connect_tcp) does. It waits while
    /// the backlog of the listener is full.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails with [`ConnectError`], and the protocol is dropped without a callback.
    #[doc(alias = "connectUNIX")]
    #[must_use = "dropping it gives the connection up; `detach` lets it go on"]
    fn connect_unix(
        &self,
        path: impl AsRef<Path>,
        protocol: impl Protocol + 'static,
    ) -> Deferred<Transport, ConnectError>;

    /// Uses the program's own standard input and output as a connection.
    ///
    /// `connection_made` is called before this returns. The end of the input is `read_closed`. If
    /// the reader of the output goes away, that is `connection_lost` with `BrokenPipe`. Files and
    /// `/dev/null` are always ready to be read. Descriptors 0 and 1 themselves stay open, because
    /// Rust programs rely on them. Therefore the reader of the output sees its end only when the
    /// program ends.
    ///
    /// # Errors
    ///
    /// If descriptor 0 or 1 cannot be used: no descriptors are left, or one of the two is a
    /// directory (`IsADirectory`). The protocol is dropped without a callback.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call.
    ///
    /// # Platform
    ///
    /// On Linux, pipes and terminals are opened again, so that other users of the same open file
    /// description do not see it become nonblocking. On other systems, and for sockets, the shared
    /// open file description is nonblocking while the connection lasts.
    ///
    /// # Examples
    ///
    /// An echo server that another program starts:
    ///
    /// ```no_run
    /// # // Not run: it would read the standard input of the test.
    /// use procession::{Bytes, Handle, NetTransports, Protocol, Reactor, Transport};
    ///
    /// struct Echo;
    ///
    /// impl Protocol for Echo {
    ///     fn data_received(&mut self, transport: &Transport, data: Bytes) {
    ///         transport.write(data);
    ///     }
    ///
    ///     fn connection_lost(&mut self, _: &Transport, _: std::io::Result<()>) {
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let mut reactor = Reactor::new()?;
    /// reactor.call_when_running(|reactor| reactor.stdio(Echo));
    /// reactor.run()?;
    /// # std::io::Result::Ok(())
    /// ```
    #[doc(alias = "StandardIO")]
    fn stdio(&self, protocol: impl Protocol + 'static) -> io::Result<Transport>;

    /// Uses two descriptors as a connection, one to read and one to write, as [`stdio`](Self::stdio) uses 0
    /// and 1. They are closed at the end of the connection, so the other sides see that.
    ///
    /// # Errors
    ///
    /// As [`stdio`](Self::stdio).
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Bytes, Handle, NetTransports, Protocol, Reactor, Transport};
    /// use std::io::{self, Read, Write, pipe};
    ///
    /// struct Upper;
    /// impl Protocol for Upper {
    ///     fn data_received(&mut self, transport: &Transport, data: Bytes) {
    ///         transport.write(data.to_ascii_uppercase());
    ///     }
    ///     fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
    ///         Handle::current().stop();
    ///     }
    /// }
    ///
    /// let (read, mut to_it) = pipe()?;
    /// let (mut from_it, write) = pipe()?;
    /// let mut reactor = Reactor::new()?;
    /// reactor.stdio_on(Upper, read, write)?;
    /// to_it.write_all(b"hello")?;
    /// drop(to_it);
    /// reactor.run()?;
    /// let mut text = String::new();
    /// from_it.read_to_string(&mut text)?;
    /// assert_eq!(text, "HELLO");
    /// # std::io::Result::Ok(())
    /// ```
    fn stdio_on(
        &self,
        protocol: impl Protocol + 'static,
        read: impl Into<OwnedFd>,
        write: impl Into<OwnedFd>,
    ) -> io::Result<Transport>;
}

/// A supertrait that nobody outside can name.
mod sealed {
    #[expect(unnameable_types, reason = "this is what seals")]
    pub trait Sealed {}

    impl Sealed for super::Handle {}
}

impl NetTransports for Handle {
    fn listen_tcp(
        &self,
        address: impl Into<Destination>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError> {
        listener::listen_tcp(self, address.into(), Box::new(factory))
    }

    fn connect_tcp(
        &self,
        destination: impl Into<Destination>,
        protocol: impl Protocol + 'static,
    ) -> Deferred<Transport, ConnectError> {
        connect::connect_tcp(self, destination.into(), Box::new(protocol))
    }

    fn listen_unix(
        &self,
        path: impl AsRef<Path>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError> {
        listener::listen_unix(self, path.as_ref(), Box::new(factory))
    }

    fn connect_unix(
        &self,
        path: impl AsRef<Path>,
        protocol: impl Protocol + 'static,
    ) -> Deferred<Transport, ConnectError> {
        connect::connect_unix(self, path.as_ref().to_path_buf(), Box::new(protocol))
    }

    fn adopt_listener(
        &self,
        socket: impl Into<OwnedFd>,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError> {
        adopt::listener(self, socket.into(), Box::new(factory))
    }

    fn adopt_stream(
        &self,
        protocol: impl Protocol + 'static,
        stream: impl Into<OwnedFd>,
    ) -> io::Result<Transport> {
        Ok(made(&adopt::stream(self, stream.into(), Box::new(protocol))?))
    }

    fn stdio(&self, protocol: impl Protocol + 'static) -> io::Result<Transport> {
        Ok(made(&stdio::open(self, Box::new(protocol))?))
    }

    fn stdio_on(
        &self,
        protocol: impl Protocol + 'static,
        read: impl Into<OwnedFd>,
        write: impl Into<OwnedFd>,
    ) -> io::Result<Transport> {
        let (read, write) = (read.into(), write.into());
        Ok(made(&stdio::over(self, read.as_fd(), write.as_fd(), Box::new(protocol))?))
    }
}

fn made(stream: &Rc<Stream>) -> Transport {
    stream.made();
    stream.transport()
}
