//! Helpers for the tests of the async child.
#![allow(dead_code, reason = "every test crate has all of this file and uses its own part")]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use procession_process_transport::{Child, Command, SpawnProcess};
use procession_reactor::Handle;

use crate::util::{Driver, WATCHDOG};

/// Starts a child on the current reactor.
pub(crate) fn start(command: Command) -> Child {
    Handle::current().spawn_child(command).expect("it starts")
}

/// Runs the future, for at most ten seconds.
pub(crate) fn block_on<T>(driver: &mut Driver, future: impl Future<Output = T>) -> T {
    let late = Handle::current().sleep(WATCHDOG);
    driver.reactor().block_on(async move {
        let (mut future, mut late) = (pin!(future), pin!(late));
        poll_fn(move |cx| {
            if let Poll::Ready(value) = future.as_mut().poll(cx) {
                return Poll::Ready(value);
            }
            assert!(late.as_mut().poll(cx).is_pending(), "not within the watchdog's time");
            Poll::Pending
        })
        .await
    })
}

/// Polls once. Returns whether the future is pending.
pub(crate) async fn is_pending<T>(future: &mut (impl Future<Output = T> + Unpin)) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx).is_pending())).await
}
