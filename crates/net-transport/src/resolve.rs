//! Looks names up on a separate thread, because getaddrinfo(3) can block for seconds.

use std::future::poll_fn;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use crate::error::Failure;

/// The state that the thread and the loop share.
#[derive(Default)]
struct Lookup {
    result: Option<io::Result<Vec<SocketAddr>>>,
    waker: Option<Waker>,
}

/// Returns the addresses of a name, in the order in which they should be tried.
///
/// Each lookup has its own thread. If the future is dropped, nobody waits for the thread.
pub(crate) async fn resolve(host: String, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    let lookup = Arc::<Mutex<Lookup>>::default();
    let theirs = Arc::clone(&lookup);
    let thread = thread::Builder::new().name("procession-resolve".to_owned());
    let started = thread.spawn(move || {
        let result = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        let waker = {
            let mut lookup = lock(&theirs);
            lookup.result = Some(result);
            lookup.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    });
    started.map_err(|reason| Failure { failed: "no thread to look the name up", reason })?;
    let addresses = poll_fn(|context| {
        let mut lookup = lock(&lookup);
        match lookup.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                let old = lookup.waker.replace(context.waker().clone());
                drop(lookup);
                drop(old);
                Poll::Pending
            }
        }
    })
    .await?;
    Ok(addresses)
}

fn lock(lookup: &Mutex<Lookup>) -> MutexGuard<'_, Lookup> {
    lookup.lock().unwrap_or_else(PoisonError::into_inner)
}
