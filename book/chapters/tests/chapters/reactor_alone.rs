//! The loop without children.

// ANCHOR: socket
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use procession_reactor::{Handle, Interest, Reactor, Signal, Stopped};

fn main() -> std::io::Result<Stopped> {
    let (socket, peer) = UnixDatagram::pair()?;
    socket.set_nonblocking(true)?;
    let mut reactor = Reactor::new()?;
    reactor.register(socket, Interest::READABLE, |socket, _| {
        let mut message = [0; 64];
        if let Ok(length) = socket.recv(&mut message) {
            println!("{}", message[..length].escape_ascii());
            socket.reactor().stop();
        }
    })?;
    reactor.call_later(Duration::from_millis(10), move |_| peer.send(b"hello"));
    reactor.run() // until `stop` or a signal
}
// ANCHOR_END: socket

// ANCHOR: timers
async fn timers(handle: &Handle) -> u64 {
    let late = handle.call_later(Duration::from_secs(3600), |_| println!("too late"));
    late.cancel();
    let mut ticks = 0;
    for _ in 0..3 {
        handle.sleep(Duration::from_millis(5)).await;
        ticks += 1;
    }
    let never = std::future::pending::<()>();
    assert!(handle.timeout(Duration::from_millis(5), never).await.is_err());
    ticks
}
// ANCHOR_END: timers

// ANCHOR: threads
async fn in_a_thread(handle: &Handle) -> u32 {
    let sum = handle.defer_to_thread(|| (1..=100).sum());
    sum.await.expect("the system has another thread")
}

/// Stops the loop from another thread. A `Handle` cannot be sent; a `Remote` can.
fn stop_soon(handle: &Handle) {
    let remote = handle.remote();
    std::thread::spawn(move || remote.call(|handle| handle.stop()));
}
// ANCHOR_END: threads

// ANCHOR: signals
fn on_hang_up(handle: &Handle) -> std::io::Result<procession_reactor::SignalWatch> {
    handle.on_signal(Signal::HUP, |_| println!("read the configuration again"))
}
// ANCHOR_END: signals

#[test]
fn a_message_arrives() {
    assert_eq!(main().unwrap(), Stopped::Called);
}

#[test]
fn time_passes_and_a_limit_is_kept() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    assert_eq!(reactor.block_on(timers(&handle)), 3);
}

#[test]
fn a_thread_answers() {
    let mut reactor = Reactor::new().unwrap();
    let handle = reactor.handle();
    assert_eq!(reactor.block_on(in_a_thread(&handle)), 5050);
    stop_soon(&handle);
    assert_eq!(reactor.run().unwrap(), Stopped::Called);
}

#[test]
fn a_signal_can_be_watched() {
    let reactor = Reactor::new().unwrap();
    assert_eq!(on_hang_up(&reactor).unwrap().signal(), Signal::HUP);
}
