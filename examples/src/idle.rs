//! What the examples `hosted` and `in_calloop` do with a reactor inside another loop: they keep it idle,
//! and measure how long a byte takes to it.

use std::cell::RefCell;
use std::io::Read;
use std::iter;
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::{DelayedCall, Registration};

/// How many bytes are measured.
pub const BYTES: usize = 10;

/// The time between two bytes.
pub const APART: Duration = Duration::from_millis(20);

/// A silent child, a socket and a timer: with these a reactor is idle, but not empty.
#[derive(Debug)]
pub struct Idle {
    cat: Process,
    timer: DelayedCall,
    socket: Registration,
    arrivals: Rc<RefCell<Vec<Duration>>>,
}

struct Silent;

impl ProcessProtocol for Silent {}

impl Idle {
    /// Gives the reactor these three. Also returns the other end of the socket, and calls
    /// `all_arrived` when [`BYTES`] bytes have come from there.
    ///
    /// # Errors
    ///
    /// If the system has no child or no descriptor left.
    pub fn new(
        handle: &Handle,
        all_arrived: impl Fn() + 'static,
    ) -> Result<(Self, UnixStream), anyhow::Error> {
        let cat = handle.spawn_process(Silent, "cat")?;
        let timer = handle.call_later(Duration::from_secs(3600), |_| ());
        let (socket, outside) = UnixStream::pair()?;
        socket.set_nonblocking(true)?;
        let arrivals = Rc::new(RefCell::new(Vec::new()));
        let arrived = Rc::clone(&arrivals);
        let socket = handle.register(socket, Interest::READABLE, move |socket, _| {
            let Ok(count @ 1..) = socket.read(&mut [0; 16]) else { return socket.close() };
            // On a busy machine several bytes may arrive at once.
            let mut arrived = arrived.borrow_mut();
            arrived.extend(iter::repeat_n(socket.reactor().now(), count));
            if arrived.len() == BYTES {
                all_arrived();
            }
        })?;
        Ok((Self { cat, timer, socket, arrivals }, outside))
    }

    /// Prints how many bytes have arrived, and the median of the times since their departures. Closes
    /// everything.
    pub fn finish(self, departures: &[Duration]) {
        let arrivals = self.arrivals.borrow();
        let pairs = arrivals.iter().zip(departures);
        let mut times: Vec<_> = pairs.map(|(to, from)| *to - *from).collect();
        times.sort();
        let median = times.get(times.len() / 2).map_or(0, Duration::as_micros);
        println!("{} bytes arrived, in {median} us each", arrivals.len());
        self.socket.close();
        self.timer.cancel();
        self.cat.close_stdin();
    }
}
