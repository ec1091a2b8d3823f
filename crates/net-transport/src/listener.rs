//! Listening: a socket in the loop that accepts, and asks a factory for a protocol each time.

use std::cell::Cell;
use std::fmt;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::message::bare_or_quoted;
use procession_core::{Deferred, WithCell};
use procession_protocol::{Address, Factory};
use procession_reactor::{
    DelayedCall, Enrolled, EventHandler, Handle, Interest, Key, OnStop, Ready,
};
use rustix::io::Errno;

use crate::error::ListenError;
use crate::socket;
use crate::stream::{Ends, Stream};
use crate::unix_path::{BoundPath, check};

/// The most connections that wait to be accepted; the kernel has a limit of its own.
const BACKLOG: i32 = 1024;

/// How many connections one event accepts; the others wait for the next turn.
const ACCEPTS_PER_TURN: usize = 64;

/// How long a listener rests when there are no descriptors left, or no memory.
const REST: Duration = Duration::from_millis(100);

/// A socket that listens; a cheap clone.
///
/// Dropping it does nothing: [`stop_listening`](Self::stop_listening) ends it, and so does a reactor
/// that stops or is dropped.
#[derive(Clone)]
#[doc(alias = "IListeningPort")]
pub struct Listener(Rc<Port>);

impl Listener {
    /// Listens on a bound, nonblocking socket.
    fn start(
        reactor: &Handle,
        fd: OwnedFd,
        path: Option<BoundPath>,
        factory: Box<dyn Factory>,
    ) -> io::Result<Self> {
        // std listens already; once more raises the backlog.
        let listens = rustix::net::listen(&fd, BACKLOG);
        let host = socket::host(&fd);
        let port = Rc::new_cyclic(|me: &Weak<Port>| Port {
            me: me.clone(),
            reactor: reactor.clone(),
            host,
            key: Cell::new(None),
            factory: WithCell::new(Some(factory)),
            rest: WithCell::new(None),
            path: WithCell::new(path),
            _enrolled: reactor.enrol(me.clone()),
        });
        let added = listens
            .map_err(io::Error::from)
            .and_then(|()| reactor.add_source(fd, Interest::READABLE, port.clone(), 0));
        match added {
            Ok(key) => {
                port.key.set(Some(key));
                Ok(Self(port))
            }
            Err(error) => {
                // The first error is the one to tell.
                port.path.take().map(BoundPath::remove).transpose().ok();
                Err(error)
            }
        }
    }

    /// The address that is listened on, with the port that the kernel has chosen for port 0.
    #[doc(alias = "getHost")]
    pub fn host(&self) -> Address {
        self.0.host.clone()
    }

    /// The TCP port; `None` for a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match &self.0.host {
            Address::Tcp(address) => Some(address.port()),
            _ => None,
        }
    }

    /// Tells whether it still listens.
    pub fn is_listening(&self) -> bool {
        self.0.key.get().is_some()
    }

    /// Stops listening, now: the socket is closed, and so is what it had not accepted. Connections
    /// that were accepted go on. Twice is harmless.
    ///
    /// The path of a Unix socket is removed, if it still names this socket. The result comes in the
    /// next turn, when the factory is dropped; nobody needs to wait for it.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if the path cannot be removed.
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

/// A listening socket, for the loop and behind its [`Listener`] handles.
struct Port {
    me: Weak<Self>,
    reactor: Handle,
    host: Address,
    /// `None` once it was closed.
    key: Cell<Option<Key>>,
    /// Moved out while it is called.
    factory: WithCell<Option<Box<dyn Factory>>>,
    /// Ends the rest.
    rest: WithCell<Option<DelayedCall>>,
    /// To be removed at the end.
    path: WithCell<Option<BoundPath>>,
    /// In the list of what is closed when the reactor stops.
    _enrolled: Enrolled,
}

impl Port {
    fn close(&self) -> io::Result<()> {
        let Some(key) = self.key.take() else { return Ok(()) };
        // The path goes first: whoever finds it could connect.
        let removed = self.path.take().map_or(Ok(()), BoundPath::remove);
        self.reactor.close(key);
        if let Some(rest) = self.rest.take() {
            rest.cancel();
        }
        drop(self.factory.take());
        removed
    }

    fn accept(&self, key: Key) -> Accepted {
        let accepted = self.reactor.with_fd(key, |fd: BorrowedFd<'_>| socket::accept(fd));
        match accepted {
            None => Accepted::Closed,
            Some(Ok((fd, peer))) => Accepted::Connection(fd, socket::address(peer)),
            Some(Err(Errno::AGAIN)) => Accepted::NoMore,
            Some(Err(error)) => match error {
                // The connection was gone before it was accepted, or broke: accept(2) hands out
                // errors of the network, too.
                Errno::CONNABORTED
                | Errno::INTR
                | Errno::PROTO
                | Errno::NETDOWN
                | Errno::NETUNREACH
                | Errno::HOSTDOWN
                | Errno::HOSTUNREACH
                | Errno::NOPROTOOPT
                | Errno::OPNOTSUPP
                | Errno::PERM => Accepted::Lost,
                _ => Accepted::Failed,
            },
        }
    }

    /// Asks the factory, and connects the protocol that it gives.
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
            Ok(None) => return, // refused: closed here
            Err(panic) => {
                drop(fd);
                resume_unwind(panic);
            }
        };
        if matches!(self.host, Address::Tcp(_)) {
            socket::send_at_once(&fd);
        }
        let host = socket::host(&fd);
        let opened = Stream::open(&self.reactor, Ends::Socket(fd), peer, host, protocol);
        // Without memory in the poller the connection is closed, which is all that can be said.
        if let Ok(stream) = opened {
            stream.made();
        }
    }

    /// Leaves the poller for a while: the connections that wait would have it report for ever.
    fn rest(&self, key: Key) {
        // Fewer watches cannot fail for want of memory.
        self.reactor.set_interest(key, Interest::PAUSED).ok();
        let me = self.me.clone();
        let over = self.reactor.call_later(REST, move |reactor| {
            let Some(me) = me.upgrade() else { return };
            let Some(key) = me.key.get() else { return };
            if reactor.set_interest(key, Interest::READABLE).is_err() {
                me.rest(key);
            }
        });
        self.rest.replace(Some(over));
    }
}

/// What one accept came to.
enum Accepted {
    Connection(OwnedFd, Address),
    /// One that was lost before; there may be others.
    Lost,
    NoMore,
    /// No descriptor or no memory is left.
    Failed,
    Closed,
}

impl OnStop for Port {
    fn on_stop(self: Rc<Self>) {
        // As when the reactor is dropped.
        self.close().ok();
    }
}

impl EventHandler for Port {
    fn ready(self: Rc<Self>, _: &Handle, ready: Ready) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.accept(ready.key) {
                Accepted::Connection(fd, peer) => self.connect(fd, peer),
                Accepted::Lost => {}
                Accepted::NoMore | Accepted::Closed => return,
                Accepted::Failed => return self.rest(ready.key),
            }
        }
    }

    fn reactor_dropped(self: Rc<Self>) {
        if self.reactor.is_inherited() {
            drop(self.path.take()); // the original listens on
        }
        // A path that cannot be removed stays: there is nobody to be told.
        self.close().ok();
    }
}

/// Listens on the first of the addresses that can be had, with `SO_REUSEADDR`.
pub(crate) fn listen_tcp(
    reactor: &Handle,
    address: impl ToSocketAddrs,
    factory: Box<dyn Factory>,
) -> Result<Listener, ListenError> {
    let addresses: Vec<SocketAddr> = match address.to_socket_addrs() {
        Ok(addresses) => addresses.collect(),
        Err(error) => return Err(ListenError::new(String::new(), error)),
    };
    let listener = bind_tcp(&addresses)
        .and_then(|listener| Listener::start(reactor, listener.into(), None, factory));
    listener.map_err(|error| {
        let names: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        ListenError::new(names.join(" or "), error)
    })
}

fn bind_tcp(addresses: &[SocketAddr]) -> io::Result<TcpListener> {
    if addresses.is_empty() {
        return Err(io::Error::new(ErrorKind::NotFound, "the name has no address"));
    }
    let listener = TcpListener::bind(addresses)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Listens on a path that does not exist.
pub(crate) fn listen_unix(
    reactor: &Handle,
    path: &Path,
    factory: Box<dyn Factory>,
) -> Result<Listener, ListenError> {
    bind_unix(path)
        .and_then(|(fd, bound)| Listener::start(reactor, fd, Some(bound), factory))
        .map_err(|error| ListenError::new(bare_or_quoted(path), error))
}

fn bind_unix(path: &Path) -> io::Result<(OwnedFd, BoundPath)> {
    check(path)?;
    let listener = UnixListener::bind(path)?;
    let bound = BoundPath::new(path)?;
    listener.set_nonblocking(true)?;
    Ok((listener.into(), bound))
}
