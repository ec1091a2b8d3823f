//! Pure core: facts about a connection in (`on_*`), callbacks that are due and demands on the
//! descriptors out (`poll_*`).
//!
//! # Model
//!
//! A connection has an input and an output. Both are one socket, or they are two descriptors. Each
//! direction ends once; the connection is lost once, and nothing is open after that.
//!
//! Inputs: the results of reads, of flushes and of the poller; the program's requests; whether a producer
//! holds the output open; the stop of the loop; and that the driver gives the connection up. They may come in any order. A fact that is late
//! (data after the end of the input, or after a close was requested) or repeated (a second abort) is
//! ignored.
//!
//! Outputs: [`ConnectionEvent`]s, and [`Demand`]s, which the driver meets before it delivers the next
//! event. `Made` comes first; then any mix of `Data` and `Mark`; at most one `ReadClosed`, with no
//! `Data` after it; one `Lost`, last. After the connection is given up there is no event.
//!
//! A connection is lost in one of these ways:
//!
//! - The program closes it, when the producer is done and the queue is written, or both directions have
//!   ended: without an error.
//! - A read or a write fails: with that error. Before the error of a write, the data that the peer of a
//!   socket has sent are delivered: the driver reads, without events, until nothing is left.
//! - The peer has gone in both directions: with the kernel's reason. Before that, the data that the
//!   peer has already sent are delivered, and its end.
//! - The program aborts it, or the loop stops: at once, with that reason.

use std::io::{self, ErrorKind};
use std::mem;

use bytes::Bytes;
use procession_core::{Mark, driver::Spent};

use super::demand::{Demand, Demands};
use super::directions::{InputState, OutputState, RequestedEnd};
use super::due::{DueEvents, Notice};
use super::event::ConnectionEvent;
use crate::event::DataNow;

/// Decides which callbacks of a connection are due, and when it ends. Real connections and fakes both
/// use it.
///
/// The first comment of the source file has the model.
///
/// # Examples
///
/// ```
/// use procession::ConnectionEvent;
/// use procession::driver::protocol::{ConnectionLifecycle, Demand};
///
/// let mut connection = ConnectionLifecycle::of_socket();
/// assert!(matches!(connection.poll_event(), Some(ConnectionEvent::Made)));
/// connection.on_read_end(); // the peer has shut its direction down
/// assert_eq!(connection.poll_demand(), Some(Demand::EndReading));
/// assert!(matches!(connection.poll_event(), Some(ConnectionEvent::ReadClosed)));
/// connection.on_close_asked();
/// connection.on_flush_done();
/// assert_eq!(connection.poll_demand(), Some(Demand::Close));
/// assert!(matches!(connection.poll_event(), Some(ConnectionEvent::Lost(Ok(())))));
/// ```
#[derive(Debug)]
pub struct ConnectionLifecycle {
    /// One descriptor is read and written.
    is_socket: bool,
    input: InputState,
    output: OutputState,
    asked: RequestedEnd,
    /// A write failed, and the data that the peer has sent are still read. Implies that the output has
    /// ended.
    failed: Option<io::Error>,
    /// The peer has gone in both directions; no further event reports this.
    peer_gone: bool,
    /// `Lost` was queued, or the connection was given up: nothing is queued after it.
    lost: bool,
    demands: Demands,
    due: DueEvents,
}

/// The demands that stay after a connection is lost, before its close.
const KEPT_AFTER_LOSS: Demands = Demands::of(&[Demand::ShutDown, Demand::Discard, Demand::Reset]);

impl ConnectionLifecycle {
    /// Creates the lifecycle of a new connection over one descriptor that is read and written.
    pub fn of_socket() -> Self {
        Self {
            is_socket: true,
            input: InputState { open: true, paused: false, always_ready: false },
            output: OutputState { open: true, held: false },
            asked: RequestedEnd::Nothing,
            failed: None,
            peer_gone: false,
            lost: false,
            demands: Demands::default(),
            due: DueEvents::new(Notice::Made),
        }
    }

    /// Creates the lifecycle of a new connection over an input and a separate output.
    pub fn of_pair() -> Self {
        Self { is_socket: false, ..Self::of_socket() }
    }

    /// Notes that the poller refuses the input, which can be read at any time.
    pub fn on_always_ready(&mut self) {
        self.input.always_ready = true;
    }

    /// Queues data from the peer. Returns empty data, and data after the end of the input or after a
    /// requested close; drop those while nothing is borrowed.
    #[must_use = "drop it while nothing is borrowed"]
    pub fn on_data(&mut self, data: Bytes) -> Option<Bytes> {
        if data.is_empty() || !self.accepts() {
            return Some(data);
        }
        self.due.push(ConnectionEvent::Data(data));
        None
    }

    /// Does the same as [`on_data`](Self::on_data); but if no event is due, it returns the data at
    /// once, as [`poll_event`](Self::poll_event) would.
    #[inline]
    pub fn on_data_now(&mut self, data: Bytes) -> DataNow {
        if self.due.is_empty() && !data.is_empty() && self.accepts() {
            return DataNow::Due(data);
        }
        self.on_data(data).map_or(DataNow::Queued, DataNow::Refused)
    }

    /// Notes that a read found nothing: all data from the peer were delivered.
    pub fn on_nothing_to_read(&mut self) {
        if self.accepts()
            && let Some(error) = self.failed.take()
        {
            self.lose(Err(error));
        }
    }

    /// Notes that the peer sends no more data.
    pub fn on_read_end(&mut self) {
        if !self.accepts() {
            return;
        }
        if let Some(error) = self.failed.take() {
            return self.lose(Err(error));
        }
        if !self.output.open {
            return self.lose(Ok(()));
        }
        if self.peer_gone {
            return self.demands.add(Demand::AskReason);
        }
        self.end_input();
        self.demands.add(Demand::EndReading);
    }

    /// Notes that a read failed.
    pub fn on_read_failed(&mut self, error: io::Error) {
        if self.accepts() {
            let reason = self.failed.take().unwrap_or(error);
            self.lose(Err(reason));
        }
    }

    /// Notes that the write queue crossed a limit.
    #[inline]
    pub fn on_mark(&mut self, mark: Mark) {
        if self.output.open && !self.lost {
            self.due.notify(Notice::Mark(mark));
        }
    }

    /// Notes that a flush left data in the queue: the output accepts no more for now.
    pub fn on_flush_blocked(&mut self) {
        if self.is_closing() && self.input.open && !self.lost {
            self.demands.add(Demand::StopReading);
        }
    }

    /// Notes that a flush emptied a queue that accepts no more data, or that there is no queue any more.
    ///
    /// Ignored while the output is [held](Self::on_held).
    pub fn on_flush_done(&mut self) {
        match self.asked {
            _ if self.output.is_waiting() => {}
            RequestedEnd::Close => {
                let reason = self.failed.take().map_or(Ok(()), Err);
                self.discard_input();
                self.lose(reason);
            }
            RequestedEnd::ShutDown if self.output.open && !self.lost => {
                self.output.open = false;
                self.demands.add(Demand::ShutDown);
                if !self.input.open {
                    self.lose(Ok(()));
                }
            }
            RequestedEnd::ShutDown | RequestedEnd::Nothing => {}
        }
    }

    /// Notes that a write failed.
    pub fn on_write_failed(&mut self, error: io::Error) {
        if !self.output.open || self.lost {
            return;
        }
        let is_read = self.input.open && self.asked != RequestedEnd::Close;
        if self.is_socket && is_read {
            self.output.open = false;
            self.failed = Some(error);
            self.demands.add(Demand::EndWriting);
        } else {
            self.lose(Err(error));
        }
    }

    /// Notes that the poller saw that the peer of the output is gone (for a socket, both directions).
    ///
    /// If the input is still open, even if it is paused, the reads find that out.
    pub fn on_peer_gone(&mut self) {
        if !self.output.open || self.lost {
            return;
        }
        match (self.is_socket, self.input.open) {
            (false, _) => self.lose(Err(ErrorKind::BrokenPipe.into())),
            (true, true) => self.peer_gone = true,
            (true, false) => self.demands.add(Demand::AskReason),
        }
    }

    /// Notes that both directions have gone, with the reason that the kernel gave.
    pub fn on_gone(&mut self, reason: io::Result<()>) {
        if self.accepts() && reason.is_ok() {
            // The same events as for a peer whose end comes before its hang-up.
            self.end_input();
        }
        self.lose(reason);
    }

    /// Notes that the program requests a close after everything is written. Returns whether a flush is
    /// due for that.
    pub fn on_close_asked(&mut self) -> bool {
        !self.lost && mem::replace(&mut self.asked, RequestedEnd::Close) != RequestedEnd::Close
    }

    /// Notes that the program requests the end of the output after everything is written. Returns
    /// whether a flush is due for that.
    pub fn on_shutdown_asked(&mut self) -> bool {
        let is_new = self.output.open && !self.lost && self.asked == RequestedEnd::Nothing;
        if is_new {
            self.asked = RequestedEnd::ShutDown;
        }
        is_new
    }

    /// Notes that a producer writes to the output, or is done. Until it is done, a requested end of the
    /// output or of the connection waits, and the input is still read.
    pub fn on_held(&mut self, held: bool) {
        self.output.held = held;
    }

    /// Notes that the program pauses the input.
    pub fn on_paused(&mut self) {
        self.input.paused = true;
    }

    /// Notes that the program resumes the input.
    pub fn on_resumed(&mut self) {
        self.input.paused = false;
    }

    /// Notes that the program aborts the connection. Every event that was due is dropped, except `Made`.
    ///
    /// Drop the returned data while nothing is borrowed.
    pub fn on_abort(&mut self) -> Spent {
        if self.lost {
            return Spent::new();
        }
        let is_new = self.due.has_made();
        let spent = self.due.clear();
        if is_new {
            self.due.notify(Notice::Made);
        }
        if self.is_socket {
            self.demands.add(Demand::Reset);
        }
        self.lose(Err(io::Error::new(ErrorKind::ConnectionAborted, "aborted by this side")));
        spent
    }

    /// Notes that the loop stops, for this reason, after a last flush. Unread data are not delivered.
    pub fn on_stop(&mut self, reason: io::Error) {
        let reason = self.failed.take().unwrap_or(reason);
        self.discard_input();
        self.lose(Err(reason));
    }

    /// Notes that the driver gives the connection up: the protocol panicked, the loop is gone, or the
    /// program took the descriptor. There are no more events.
    ///
    /// Returns the data that were due; drop them while nothing is borrowed.
    pub fn on_given_up(&mut self) -> Spent {
        if !self.lost {
            self.close();
        }
        self.due.clear()
    }

    /// Takes the next callback that is due.
    #[inline]
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.due.pop()
    }

    /// Returns whether an event is due: whether [`poll_event`](Self::poll_event) returns one.
    #[inline]
    pub fn has_event(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes the next demand on the driver. Poll it after each fact.
    #[inline]
    pub fn poll_demand(&mut self) -> Option<Demand> {
        self.demands.poll()
    }

    /// Returns whether data would be delivered.
    #[inline]
    pub fn accepts(&self) -> bool {
        self.input.open && !self.is_closing() && !self.lost
    }

    /// Returns whether the driver should read: data would be delivered, and the input is not paused.
    #[inline]
    pub fn reads(&self) -> bool {
        self.accepts() && !self.input.paused
    }

    /// Returns whether the driver should read without an event of the poller: the input is always
    /// ready, or a write failed and unread data must be delivered before the loss.
    #[inline]
    pub fn reads_without_events(&self) -> bool {
        (self.input.always_ready || self.failed.is_some()) && self.reads()
    }

    /// Returns whether a write failed, and the data that the peer has sent are still read.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Returns whether the connection is lost or given up; `Lost` may still be due.
    #[inline]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// Returns whether the program requested a close that does not wait for a producer.
    #[inline]
    fn is_closing(&self) -> bool {
        self.asked == RequestedEnd::Close && !self.output.is_waiting()
    }

    /// Ends the input and reports that to the protocol.
    fn end_input(&mut self) {
        self.input.open = false;
        self.due.notify(Notice::ReadClosed);
    }

    fn discard_input(&mut self) {
        if self.is_socket && self.input.open && !self.lost {
            self.demands.add(Demand::Discard);
        }
    }

    fn lose(&mut self, reason: io::Result<()>) {
        if !self.lost {
            self.close();
            self.due.push(ConnectionEvent::Lost(reason));
        }
    }

    fn close(&mut self) {
        self.lost = true;
        self.output.open = false;
        self.failed = None;
        self.demands.keep(KEPT_AFTER_LOSS);
        self.demands.add(Demand::Close);
    }
}
