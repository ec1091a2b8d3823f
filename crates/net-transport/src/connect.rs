//! Connecting: a task of the loop that looks up, tries one address after the other, and hands the
//! socket to a stream.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::rc::{Rc, Weak};
use std::task::{Poll, Waker};
use std::time::Duration;

use procession_core::message::bare_or_quoted;
use procession_core::{Deferred, Promise, WithCell};
use procession_protocol::{Address, Protocol, Transport};
use procession_reactor::{EventHandler, Handle, Interest, JoinHandle, Key, OnStop, Ready};
use rustix::io::Errno;
use rustix::net::addr::SocketAddrArg;
use rustix::net::{AddressFamily, SocketAddrUnix, sockopt};

use crate::destination::{Destination, Kind};
use crate::error::{ConnectError, Failure};
use crate::resolve::resolve;
use crate::socket;
use crate::stopped::stopped;
use crate::stream::{Ends, Stream};
use crate::unix_path::check;

/// How long to wait before a Unix listener whose backlog is full is asked again.
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
    let name = bare_or_quoted(&path);
    start(reactor, name, dial_unix(reactor.clone(), path), protocol)
}

/// Runs the dialling as a task; the protocol is connected first, then the result is given.
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
    let attempt = Rc::new(Attempt {
        destination: destination.clone(),
        result: Rc::downgrade(&promise),
        task: WithCell::new(None),
    });
    let me: Rc<dyn OnStop> = attempt.clone();
    let enrolled = reactor.enrol(Rc::downgrade(&me));
    let task = reactor.spawn_local(async move {
        let dialled = dialled.await;
        drop(enrolled); // from here on it is the stream's
        let opened = dialled.and_then(|(fd, peer)| {
            let host = socket::host(&fd);
            Ok(Stream::open(&handle, Ends::Socket(fd), peer, host, protocol)?)
        });
        match opened {
            Ok(stream) => {
                stream.made();
                let transport = stream.transport();
                if result.is_cancelled() {
                    transport.abort_connection(); // inside of `connection_made`
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

/// A connection that is not made yet; kept by its result until that is there.
struct Attempt {
    destination: String,
    result: Weak<Promise<Transport, ConnectError>>,
    task: WithCell<Option<JoinHandle<()>>>,
}

impl Attempt {
    /// Has the loop drop the protocol and what was opened.
    fn give_up(&self) {
        let task = self.task.take();
        if let Some(task) = task {
            task.cancel();
        }
    }
}

impl OnStop for Attempt {
    fn on_stop(self: Rc<Self>) {
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
        Kind::Address(address) => vec![address],
        Kind::Name(host, port) => resolve(host, port).await?,
        Kind::Bad(_) => {
            let error = "neither an address nor a name, with a port";
            return Err(io::Error::new(ErrorKind::InvalidInput, error).into());
        }
    };
    let mut failed = io::Error::new(ErrorKind::NotFound, "the name has no address");
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
            // The backlog is full, of which no event would tell.
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
        // An interrupted connect goes on in the background, as POSIX has it.
        Err(Errno::INPROGRESS | Errno::INTR) => {}
        Err(error) => return Err(error.into()),
    }
    let pending = Pending::new(reactor, fd)?;
    pending.writable().await;
    let fd = pending.into_fd().ok_or(ErrorKind::NotConnected)?;
    match sockopt::socket_error(&fd)? {
        Ok(()) => Ok(fd),
        Err(error) => Err(error.into()),
    }
}

/// A socket whose connection is under way; closed if it is dropped.
struct Pending {
    reactor: Handle,
    key: Key,
    waiter: Rc<Waiter>,
}

#[derive(Default)]
struct Waiter {
    done: Cell<bool>,
    waker: WithCell<Option<Waker>>,
}

impl Pending {
    fn new(reactor: &Handle, fd: OwnedFd) -> io::Result<Self> {
        let waiter = Rc::<Waiter>::default();
        let key = reactor.add_source(fd, Interest::WRITABLE, waiter.clone(), 0)?;
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
        self.reactor.take_fd(self.key)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.reactor.close(self.key);
    }
}

impl EventHandler for Waiter {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        // It reports until the task has run, which would be in vain.
        reactor.set_interest(ready.key, Interest::PAUSED).ok();
        self.done.set(true);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
