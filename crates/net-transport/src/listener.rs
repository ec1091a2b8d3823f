//! Listeners: a socket on the loop accepts connections, and a factory builds a protocol for each
//! one.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::Deferred;
use procession_core::driver::{Reason, WithCell};
use procession_protocol::{Address, Factory};
use procession_reactor::driver::{EndWatch, EventHandler, Key, OnEnd, Outlasting, Ready};
use procession_reactor::{DelayedCall, Handle, Interest};
use rustix::io::Errno;

use crate::destination::{Destination, DestinationKind};
use crate::error::ListenError;
use crate::socket;
use crate::stream::{Stream, StreamFds};
use crate::unix_path::{BoundPath, check};

/// The most connections that wait to be accepted. The kernel has its own limit too.
const BACKLOG: i32 = 1024;

/// How many connections one event accepts. The others wait for the next turn.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a listener pauses when no descriptors or no memory are left.
const REST: Duration = Duration::from_millis(100);

/// A socket that listens. A clone is cheap.
///
/// Dropping it does not stop listening. [`stop_listening`](Self::stop_listening) does, and so does
/// a stop or a drop of the reactor.
#[derive(Clone)]
#[doc(alias = "IListeningPort")]
pub struct Listener(Rc<ListeningPort>);

impl Listener {
    /// Listens on a bound, nonblocking socket.
    pub(crate) fn start(
        reactor: &Handle,
        fd: OwnedFd,
        path: Option<BoundPath>,
        factory: Box<dyn Factory>,
    ) -> io::Result<Self> {
        // std listens already. The second call raises the backlog.
        let listens = rustix::net::listen(&fd, BACKLOG);
        let host = socket::host(&fd);
        let port = Rc::new_cyclic(|me: &Weak<ListeningPort>| ListeningPort {
            me: me.clone(),
            reactor: reactor.clone(),
            host,
            key: Cell::new(None),
            factory: WithCell::new(Some(factory)),
            rest: WithCell::new(None),
            path: WithCell::new(path),
            _end: reactor.io().watch_end(me.clone()),
        });
        let added = listens
            .map_err(io::Error::from)
            .and_then(|()| Ok(reactor.io().add_source(fd, Interest::READABLE, port.clone(), 0)?));
        match added {
            Ok(key) => {
                port.key.set(Some(key));
                Ok(Self(port))
            }
            Err(error) => {
                // Report the first error.
                port.path.take().map(BoundPath::remove).transpose().ok();
                Err(error)
            }
        }
    }

    /// Returns the address of the listener. If it was given port 0, this has the port that the
    /// kernel chose.
    #[doc(alias = "getHost")]
    #[doc(alias = "local_addr")]
    pub fn host(&self) -> Address {
        self.0.host.clone()
    }

    /// Returns the TCP port, or `None` for a Unix socket.
    #[doc(alias = "local_addr")]
    pub fn port(&self) -> Option<u16> {
        match &self.0.host {
            Address::Tcp(address) => Some(address.port()),
            _ => None,
        }
    }

    /// Returns whether the listener still listens.
    pub fn is_listening(&self) -> bool {
        self.0.key.get().is_some()
    }

    /// Stops listening at once. The socket is closed, and so are connections that it has not
    /// accepted. Accepted connections continue. A second call has no effect.
    ///
    /// The path of a Unix socket is removed if it still names this socket. The result comes in the
    /// next turn, after the factory was dropped. You need not wait for it.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if the path cannot be removed.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{NetTransports, Protocol, Reactor};
    ///
    /// struct Silent;
    /// impl Protocol for Silent {}
    ///
    /// let mut reactor = Reactor::new()?;
    /// let listener = reactor.listen_tcp("127.0.0.1:0", || Silent)?;
    /// let address = ("127.0.0.1", listener.port().unwrap());
    /// reactor.block_on(listener.stop_listening())?;
    /// reactor.listen_tcp(address, || Silent)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "stopListening")]
    pub fn stop_listening(&self) -> Deferred<(), io::Error> {
        let (promise, deferred) = Deferred::new();
        let removed = self.0.close();
        self.0.reactor.call_soon(move |_| promise.complete(removed));
        deferred
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("host", &self.0.host)
            .field("is_listening", &self.is_listening())
            .finish_non_exhaustive()
    }
}

/// A listening socket, shared by the loop and its [`Listener`] handles.
struct ListeningPort {
    me: Weak<Self>,
    reactor: Handle,
    host: Address,
    /// `None` after the socket was closed.
    key: Cell<Option<Key>>,
    /// `None` while it is called.
    factory: WithCell<Option<Box<dyn Factory>>>,
    /// The timer that ends a pause.
    rest: WithCell<Option<DelayedCall>>,
    /// The path to remove when the listener closes.
    path: WithCell<Option<BoundPath>>,
    /// Closes this at the end of the loop.
    _end: EndWatch,
}

impl ListeningPort {
    fn close(&self) -> io::Result<()> {
        let Some(key) = self.key.take() else { return Ok(()) };
        // Remove the path first: a process that finds it could still connect.
        let removed = self.path.take().map_or(Ok(()), BoundPath::remove);
        self.reactor.io().close(key);
        if let Some(rest) = self.rest.take() {
            rest.cancel();
        }
        drop(self.factory.take());
        removed
    }

    fn accept(&self, key: Key) -> AcceptOutcome {
        let accepted = self.reactor.io().with_owned(key, |fd: BorrowedFd<'_>| socket::accept(fd));
        match accepted {
            None => AcceptOutcome::Closed,
            Some(Ok((fd, peer))) => AcceptOutcome::Connection(fd, socket::address(peer)),
            Some(Err(Errno::AGAIN)) => AcceptOutcome::NoMore,
            Some(Err(error)) => match error {
                // The connection broke, or was gone before it was accepted. accept(2) also returns
                // pending network errors.
                Errno::CONNABORTED
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::PERM => AcceptOutcome::Lost,
                _ => AcceptOutcome::Failed,
            },
        }
    }

    /// Asks the factory for a protocol, and connects it.
    fn connect(&self, fd: OwnedFd, peer: Address) {
        let Some(mut factory) = self.factory.take() else { return };
        let built = catch_unwind(AssertUnwindSafe(|| factory.build_protocol(&peer)));
        if self.key.get().is_some() {
            self.factory.replace(Some(factory));
        } else {
            drop(factory);
        }
        let protocol = match built {
            Ok(Some(protocol)) => protocol,
            Ok(None) => return, // refused: this drops and closes it
            Err(panic) => {
                drop(fd);
                resume_unwind(panic);
            }
        };
        if matches!(self.host, Address::Tcp(_)) {
            socket::send_at_once(&fd);
        }
        let host = socket::host(&fd);
        let opened = Stream::open(&self.reactor, StreamFds::Socket(fd), peer, host, protocol);
        // If the poller has no memory left, the connection is closed. There is nobody to report it
        // to.
        if let Ok(stream) = opened {
            stream.made();
        }
    }

    /// Pauses the events of the socket. Waiting connections would otherwise cause an event in every
    /// turn.
    fn rest(&self, key: Key) {
        // This only removes a watch, so it cannot fail for lack of memory.
        self.reactor.io().set_interest(key, Interest::PAUSED).ok();
        let me = self.me.clone();
        let over = self.reactor.call_later(REST, move |reactor| {
            let Some(me) = me.upgrade() else { return };
            let Some(key) = me.key.get() else { return };
            if reactor.io().set_interest(key, Interest::READABLE).is_err() {
                me.rest(key);
            }
        });
        self.rest.replace(Some(over));
    }
}

/// The outcome of one accept.
enum AcceptOutcome {
    Connection(OwnedFd, Address),
    /// The connection was lost before it was accepted. There may be others.
    Lost,
    NoMore,
    /// No descriptors or no memory are left.
    Failed,
    Closed,
}

impl OnEnd for ListeningPort {
    fn stopped(self: Rc<Self>) {
        // A path that cannot be removed stays, because nobody can receive the error.
        self.close().ok();
    }

    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        if self.reactor.io().is_inherited() {
            drop(self.path.take()); // the original listens on
        }
        self.close().ok(); // as above
    }
}

impl EventHandler for ListeningPort {
    fn ready(self: Rc<Self>, _: &Handle, ready: Ready) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.accept(ready.key) {
                AcceptOutcome::Connection(fd, peer) => self.connect(fd, peer),
                AcceptOutcome::Lost => {}
                AcceptOutcome::NoMore | AcceptOutcome::Closed => return,
                AcceptOutcome::Failed => return self.rest(ready.key),
            }
        }
    }
}

/// Listens on the first address that can be bound, with `SO_REUSEADDR`.
pub(crate) fn listen_tcp(
    reactor: &Handle,
    address: Destination,
    factory: Box<dyn Factory>,
) -> Result<Listener, ListenError> {
    let name = address.to_string();
    bind_tcp(address)
        .and_then(|listener| Listener::start(reactor, listener.into(), None, factory))
        .map_err(|error| ListenError::new(name, error))
}

fn bind_tcp(address: Destination) -> io::Result<TcpListener> {
    let addresses: Vec<SocketAddr> = match address.0 {
        DestinationKind::Address(address) => vec![address],
        DestinationKind::Name(host, port) => (host.as_str(), port).to_socket_addrs()?.collect(),
        DestinationKind::Bad(_) => return Err(DestinationKind::refusal()),
    };
    if addresses.is_empty() {
        return Err(DestinationKind::no_address());
    }
    let listener = TcpListener::bind(&addresses[..])?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens on a path that does not exist yet.
pub(crate) fn listen_unix(
    reactor: &Handle,
    path: &Path,
    factory: Box<dyn Factory>,
) -> Result<Listener, ListenError> {
    bind_unix(path)
        .and_then(|(fd, bound)| Listener::start(reactor, fd, Some(bound), factory))
        .map_err(|error| ListenError::new(Reason::bare_or_quoted(path), error))
}

fn bind_unix(path: &Path) -> io::Result<(OwnedFd, BoundPath)> {
    check(path)?;
    let listener = UnixListener::bind(path)?;
    let bound = BoundPath::new(path)?;
    listener.set_nonblocking(true)?;
    Ok((listener.into(), bound))
}
