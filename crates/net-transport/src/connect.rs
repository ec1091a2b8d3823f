//! Outgoing connections. A task of the loop looks the name up, tries one address after the other,
//! and passes the socket to a stream.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use procession_core::driver::{Reason, WithCell};
use procession_core::{Deferred, Promise};
use procession_protocol::{Address, Protocol, Transport};
use procession_reactor::driver::{EventHandler, Key, OnEnd, Ready};
use procession_reactor::{Handle, Interest, JoinHandle};
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, SocketAddrUnix, sockopt};

use crate::destination::{Destination, DestinationKind};
use crate::error::{ConnectError, Failure};
use crate::resolve::resolve;
use crate::socket;
use crate::stopped::stopped;
use crate::stream::{Stream, StreamFds};
use crate::unix_path::check;

/// How long to wait before another attempt, if the backlog of a Unix listener is full.
const ASK_AGAIN: Duration = Duration::from_millis(5);
const ASK_AGAIN_MAX: Duration = Duration::from_millis(200);

pub(crate) fn connect_tcp(
    reactor: &Handle,
    destination: Destination,
    protocol: Box<dyn Protocol>,
) -> Deferred<Transport, ConnectError> {
    let name = destination.to_string();
    start(reactor, name, dial_tcp(reactor.clone(), destination), protocol)
}

pub(crate) fn connect_unix(
    reactor: &Handle,
    path: PathBuf,
    protocol: Box<dyn Protocol>,
) -> Deferred<Transport, ConnectError> {
    let name = Reason::bare_or_quoted(&path);
    start(reactor, name, dial_unix(reactor.clone(), path), protocol)
}

/// Runs the dialling as a task. When it succeeds, connects the protocol first, and then gives the
/// result.
fn start(
    reactor: &Handle,
    destination: String,
    dialled: impl Future<Output = Result<(OwnedFd, Address), Failure>> + 'static,
    protocol: Box<dyn Protocol>,
) -> Deferred<Transport, ConnectError> {
    let (promise, deferred) = Deferred::new();
    let promise = Rc::new(promise);
    let result = Rc::clone(&promise);
    let handle = reactor.clone();
    let attempt = Rc::new(ConnectAttempt {
        destination: destination.clone(),
        result: Rc::downgrade(&promise),
        task: WithCell::new(None),
    });
    let me: Rc<dyn OnEnd> = attempt.clone();
    let end_watch = reactor.io().watch_end(Rc::downgrade(&me));
    let task = reactor.spawn_local(async move {
        let dialled = dialled.await;
        drop(end_watch); // from here on the stream is enrolled
        let opened = dialled.and_then(|(fd, peer)| {
            let host = socket::host(&fd);
            Ok(Stream::open(&handle, StreamFds::Socket(fd), peer, host, protocol)?)
        });
        match opened {
            Ok(stream) => {
                stream.made();
                let transport = stream.transport();
                if result.is_cancelled() {
                    transport.abort_connection(); // it was cancelled inside `connection_made`
                }
                result.complete(Ok(transport));
            }
            Err(error) => result.complete(Err(ConnectError::new(destination, error))),
        }
    });
    attempt.task.replace(Some(task));
    promise.on_cancel(move || attempt.give_up());
    deferred
}

/// A connection attempt. Its result keeps it alive until the result is given.
struct ConnectAttempt {
    destination: String,
    result: Weak<Promise<Transport, ConnectError>>,
    task: WithCell<Option<JoinHandle<()>>>,
}

impl ConnectAttempt {
    /// Makes the loop drop the protocol and the opened descriptors.
    fn give_up(&self) {
        let task = self.task.take();
        if let Some(task) = task {
            task.cancel();
        }
    }
}

impl OnEnd for ConnectAttempt {
    fn stopped(self: Rc<Self>) {
        let Some(result) = self.result.upgrade() else { return };
        self.give_up();
        let destination = self.destination.clone();
        result.complete(Err(ConnectError::new(destination, stopped())));
    }
}

async fn dial_tcp(
    reactor: Handle,
    destination: Destination,
) -> Result<(OwnedFd, Address), Failure> {
    let addresses = match destination.0 {
        DestinationKind::Address(address) => vec![address],
        DestinationKind::Name(host, port) => resolve(host, port).await?,
        DestinationKind::Bad(_) => return Err(DestinationKind::refusal().into()),
    };
    let mut failed = DestinationKind::no_address();
    for address in addresses {
        match dial_address(&reactor, &address).await {
            Ok(fd) => return Ok((fd, Address::Tcp(address))),
            Err(error) => failed = error,
        }
    }
    Err(failed.into())
}

async fn dial_address(reactor: &Handle, address: &SocketAddr) -> io::Result<OwnedFd> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let fd = socket::stream(family)?;
    socket::send_at_once(&fd);
    dial(reactor, fd, address).await
}

async fn dial_unix(reactor: Handle, path: PathBuf) -> Result<(OwnedFd, Address), Failure> {
    check(&path)?;
    let address = SocketAddrUnix::new(&path)?;
    let mut wait = ASK_AGAIN;
    loop {
        let fd = socket::stream(AddressFamily::UNIX)?;
        match dial(&reactor, fd, &address).await {
            Ok(fd) => return Ok((fd, Address::Unix(Some(path)))),
            // The backlog is full. No event reports when there is room again.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                reactor.sleep(wait).await;
                wait = (wait * 2).min(ASK_AGAIN_MAX);
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn dial(reactor: &Handle, fd: OwnedFd, address: &impl SocketAddrArg) -> io::Result<OwnedFd> {
    match rustix::net::connect(&fd, address) {
        Ok(()) => return Ok(fd),
        // POSIX: a connect that a signal interrupts continues in the background.
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let pending = PendingSocket::new(reactor, fd)?;
    pending.writable().await;
    let fd = pending.into_fd().ok_or(ErrorKind::NotConnected)?;
    match sockopt::socket_error(&fd)? {
        Ok(()) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

/// A socket that is connecting. Dropping it closes the socket.
struct PendingSocket {
    reactor: Handle,
    key: Key,
    waiter: Rc<WritableWaiter>,
}

#[derive(Default)]
struct WritableWaiter {
    done: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl PendingSocket {
    fn new(reactor: &Handle, fd: OwnedFd) -> io::Result<Self> {
        let waiter = Rc::<WritableWaiter>::default();
        let key = reactor.io().add_source(fd, Interest::WRITABLE, waiter.clone(), 0)?;
        Ok(Self { reactor: reactor.clone(), key, waiter })
    }

    async fn writable(&self) {
        poll_fn(|context| {
            if self.waiter.done.get() {
                return Poll::Ready(());
            }
            let old = self.waiter.waker.replace(Some(context.waker().clone()));
            drop(old);
            Poll::Pending
        })
        .await;
    }

    fn into_fd(self) -> Option<OwnedFd> {
        self.reactor.io().take_fd(self.key)
    }
}

impl Drop for PendingSocket {
    fn drop(&mut self) {
        self.reactor.io().close(self.key);
    }
}

impl EventHandler for WritableWaiter {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        // Without this the source would report in every turn until the task has run.
        reactor.io().set_interest(ready.key, Interest::PAUSED).ok();
        self.done.set(true);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
