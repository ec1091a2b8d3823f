//! The verbs that this crate adds to a reactor's handle.

use std::io;
use std::net::ToSocketAddrs;
use std::path::Path;

use procession_core::Deferred;
use procession_protocol::{Factory, Protocol, Transport};
use procession_reactor::Handle;

use crate::connect;
use crate::destination::Destination;
use crate::error::{ConnectError, ListenError};
use crate::listener::{self, Listener};
use crate::stdio;
use sealed::Sealed;

/// Connections, as methods of [`Handle`] and so of `Reactor`.
///
/// This trait is sealed: nobody else implements it, so methods may be added.
///
/// All of them: a protocol is called from the loop only, but for the `connection_made` of
/// [`stdio`](Self::stdio). Its panic unwinds out of the loop, after its connection was closed and
/// it was dropped; others go on when the loop does. What the peer has sent is delivered before the
/// loss of its connection, and nothing is read after `lose_connection`. TCP connections have
/// `TCP_NODELAY` set, for the write queue gathers small writes already. No descriptor is inherited
/// by children.
///
/// When the reactor stops, at the end of the *during* phase of its shutdown, listeners stop
/// listening, attempts to connect fail, and of each connection what the kernel takes at once is
/// written; then it is closed, and its protocol hears `connection_lost` with `ConnectionAborted`, "the
/// event loop stopped", unless it was lost for a reason of its own. What the peer has sent and was
/// not read is dropped. A *before* trigger that returns a `Deferred` holds this up, for those who want
/// to finish first. A reactor that is dropped without a stop closes everything too, and tells no
/// protocol.
pub trait NetTransports: Sealed {
    /// Listens on a TCP address, and asks `factory` for a protocol for each connection.
    ///
    /// Port 0 is one of the kernel's choice: [`Listener::port`] tells. Of several addresses it is
    /// the first that can be had. A name is looked up at once, and blocks meanwhile: give an
    /// address, or `"localhost"`. `SO_REUSEADDR` is set, so that a server can be started again at
    /// once. When there are no descriptors left, connections wait in the kernel until there are.
    /// A panic of the factory closes that connection; the listener goes on.
    ///
    /// # Errors
    ///
    /// [`ListenError`], of looking up, binding and listening: of kind `AddrInUse`, `AddrNotAvailable`,
    /// `PermissionDenied` for ports below 1024.
    ///
    /// # Examples
    ///
    /// ```
    /// use bytes::Bytes;
    /// use procession_net_transport::NetTransports;
    /// use procession_protocol::{Protocol, Transport};
    /// use procession_reactor::{Handle, Reactor};
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
        address: impl ToSocketAddrs,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError>;

    /// Connects to a TCP address, or to a name, which is looked up in a thread of its own.
    ///
    /// The addresses of a name are tried one after the other. Once connected, the protocol hears
    /// `connection_made`, and then the result is the transport. Dropping, cancelling or timing out
    /// the `Deferred` before that gives the connection up and drops the protocol: inside of
    /// `connection_made` it aborts the connection, which the protocol still hears.
    /// [`detach`](Deferred::detach) is for those who do not wait.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails with [`ConnectError`]; the protocol is dropped and heard nothing. Of kind
    /// `ConnectionAborted` if the reactor stops before.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use std::time::Duration;
    /// use procession_net_transport::NetTransports;
    /// use procession_protocol::Protocol;
    /// use procession_reactor::Reactor;
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
    /// The path must not exist; it is removed by [`Listener::stop_listening`], and when the reactor
    /// stops or is dropped. A file that a program left behind when it was killed is in the way:
    /// whether it may be removed is the caller's to know.
    ///
    /// # Errors
    ///
    /// [`ListenError`], of binding: of kind `AddrInUse` if the path exists, `InvalidInput` if it is empty or longer
    /// than a socket address.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession_net_transport::NetTransports;
    /// use procession_protocol::Protocol;
    /// use procession_reactor::Reactor;
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

    /// Connects to a Unix stream socket, as [`connect_tcp`](Self::connect_tcp) does; waits while the
    /// backlog of the listener is full.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails with [`ConnectError`]; the protocol is dropped and heard nothing.
    #[doc(alias = "connectUNIX")]
    #[must_use = "dropping it gives the connection up; `detach` lets it go on"]
    fn connect_unix(
        &self,
        path: impl AsRef<Path>,
        protocol: impl Protocol + 'static,
    ) -> Deferred<Transport, ConnectError>;

    /// Uses the program's own standard input and output as a connection.
    ///
    /// `connection_made` is called before this returns. The end of the input is `read_closed`; a
    /// reader of the output that goes away is `connection_lost` with `BrokenPipe`. Files and
    /// `/dev/null` are always ready to be read. Descriptors 0 and 1 themselves stay open, as Rust
    /// programs count on them: whoever reads the output sees its end when the program ends.
    ///
    /// # Errors
    ///
    /// 0 or 1 cannot be used: no descriptors are left, or one is a directory (`IsADirectory`). The
    /// protocol is dropped and heard nothing.
    ///
    /// # Panics
    ///
    /// A panic of `connection_made` unwinds out of this call.
    ///
    /// # Platform
    ///
    /// On Linux pipes and terminals get a description of their own, so that nobody else finds them
    /// nonblocking. Elsewhere, and for sockets, the one that is shared is nonblocking as long as
    /// the connection lasts.
    ///
    /// # Examples
    ///
    /// An echo server that another program starts:
    ///
    /// ```no_run
    /// # // Not run: it would read the standard input of the test.
    /// use bytes::Bytes;
    /// use procession_net_transport::NetTransports;
    /// use procession_protocol::{Protocol, Transport};
    /// use procession_reactor::{Handle, Reactor};
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
        address: impl ToSocketAddrs,
        factory: impl Factory + 'static,
    ) -> Result<Listener, ListenError> {
        listener::listen_tcp(self, address, Box::new(factory))
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

    fn stdio(&self, protocol: impl Protocol + 'static) -> io::Result<Transport> {
        let stream = stdio::open(self, Box::new(protocol))?;
        stream.made();
        Ok(stream.transport())
    }
}
