//! Pure core: facts about a connection in (`on_*`), callbacks that are due and demands on the
//! descriptors out (`poll_*`).
//!
//! # Model
//!
//! A connection has an input and an output. Both are one socket, or they are two descriptors. Each
//! direction ends once; the connection is lost once, and nothing is open after that.
//!
//! Inputs: what reads, flushes and the poller found out, what the program asked for, the stop of the
//! loop, and that the connection is given up. They may come in any order; a fact that is late (data
//! after the end of the input, or after the close was asked for) or repeated (a second abort) is
//! ignored.
//!
//! Outputs: [`ConnectionEvent`]s, and [`Demand`]s on the driver, which it meets before it delivers
//! the next event. `Made` first; then any mix of `Data` and `Mark`; at most one `ReadClosed`, with no
//! `Data` after it; one `Lost`, last. Once the connection is given up there is no event at all.
//!
//! How a connection is lost:
//!
//! - The program closes it: when the queue is written, in order.
//! - Both directions have ended: in order.
//! - A read fails: for that reason.
//! - A write fails: for that reason. What the peer of a socket has sent by then is delivered first:
//!   the driver reads on, although no event will say so, until nothing is left.
//! - The peer has gone in both directions: for the reason that the kernel has. What the peer has
//!   sent by then is delivered first, and its end.
//! - The program aborts it, or the loop stops: at once, and for that reason.

use super::demand::{Demand, Demands};
use super::event::ConnectionEvent;
use crate::event::DataNow;
use bytes::Bytes;
use procession_core::{Mark, driver::Spent};
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::mem;

/// Decides what is due of a connection, and when it ends: the one place that does, for real
/// connections and fakes.
///
/// The module's page has the model.
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
    input: Input,
    /// The output has not ended.
    writing: bool,
    asked: Asked,
    /// A write failed, and what the peer has sent by then is still read. Implies not `writing`.
    failed: Option<io::Error>,
    /// The peer has gone in both directions, which no further event will tell.
    peer_gone: bool,
    /// `Lost` was queued, or the connection was given up: nothing is queued after it.
    lost: bool,
    demands: Demands,
    due: VecDeque<ConnectionEvent>,
}

/// What is known of the input.
#[derive(Debug)]
struct Input {
    /// It has not ended.
    open: bool,
    paused: bool,
    /// It can be read at any time, and no event says so.
    always_ready: bool,
}

/// What the program has asked for, to be done once everything is written. More replaces less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Nothing,
    /// The end of the output.
    ShutDown,
    /// The end of the connection; nothing is read any more.
    Close,
}

/// What is still demanded of a connection that is lost, before the close.
const OF_A_LOSS: Demands = Demands::of(&[Demand::ShutDown, Demand::Discard, Demand::Reset]);

impl ConnectionLifecycle {
    /// Starts the life of a connection over one descriptor that is read and written.
    pub fn of_socket() -> Self {
        Self {
            is_socket: true,
            input: Input { open: true, paused: false, always_ready: false },
            writing: true,
            asked: Asked::Nothing,
            failed: None,
            peer_gone: false,
            lost: false,
            demands: Demands::default(),
            due: VecDeque::from([ConnectionEvent::Made]),
        }
    }

    /// Starts the life of a connection over an input, and an output apart.
    pub fn of_pair() -> Self {
        Self { is_socket: false, ..Self::of_socket() }
    }

    /// The poller refuses the input, which can be read at any time.
    pub fn on_always_ready(&mut self) {
        self.input.always_ready = true;
    }

    /// The peer sent data. Empty data, and data that come after the end of the input or after the
    /// close was asked for, are handed back, to be dropped where nothing is borrowed.
    #[must_use = "drop it where nothing is borrowed"]
    pub fn on_data(&mut self, data: Bytes) -> Option<Bytes> {
        if data.is_empty() || !self.accepts() {
            return Some(data);
        }
        self.due.push_back(ConnectionEvent::Data(data));
        None
    }

    /// Does the same, but where nothing else is due the data are handed over at once, as
    /// [`poll_event`](Self::poll_event) would after it.
    #[inline]
    pub fn on_data_now(&mut self, data: Bytes) -> DataNow {
        if self.due.is_empty() && !data.is_empty() && self.accepts() {
            return DataNow::Due(data);
        }
        self.on_data(data).map_or(DataNow::Queued, DataNow::Refused)
    }

    /// A read found nothing: what the peer had sent was delivered.
    pub fn on_nothing_to_read(&mut self) {
        if self.accepts()
            && let Some(error) = self.failed.take()
        {
            self.lose(Err(error));
        }
    }

    /// The peer sends no more.
    pub fn on_read_end(&mut self) {
        if !self.accepts() {
            return;
        }
        if let Some(error) = self.failed.take() {
            return self.lose(Err(error));
        }
        if !self.writing {
            return self.lose(Ok(()));
        }
        if self.peer_gone {
            return self.demands.add(Demand::AskReason);
        }
        self.end_input();
        self.demands.add(Demand::EndReading);
    }

    /// A read failed.
    pub fn on_read_failed(&mut self, error: io::Error) {
        if self.accepts() {
            let reason = self.failed.take().unwrap_or(error);
            self.lose(Err(reason));
        }
    }

    /// The write queue crossed a limit.
    pub fn on_mark(&mut self, mark: Mark) {
        if self.writing && !self.lost && matches!(mark, Mark::Full | Mark::Drained) {
            self.due.push_back(ConnectionEvent::Mark(mark));
        }
    }

    /// A flush left something in the queue: the output takes no more for now.
    pub fn on_flush_blocked(&mut self) {
        if self.asked == Asked::Close && self.input.open && !self.lost {
            self.demands.add(Demand::StopReading);
        }
    }

    /// A flush left nothing in the queue, which takes nothing more; or there is no queue any more.
    pub fn on_flush_done(&mut self) {
        match self.asked {
            Asked::Close => {
                let reason = self.failed.take().map_or(Ok(()), Err);
                self.discard_input();
                self.lose(reason);
            }
            Asked::ShutDown if self.writing && !self.lost => {
                self.writing = false;
                self.demands.add(Demand::ShutDown);
                if !self.input.open {
                    self.lose(Ok(()));
                }
            }
            Asked::ShutDown | Asked::Nothing => {}
        }
    }

    /// A write failed.
    pub fn on_write_failed(&mut self, error: io::Error) {
        if !self.writing || self.lost {
            return;
        }
        let is_read = self.input.open && self.asked != Asked::Close;
        if self.is_socket && is_read {
            self.writing = false;
            self.failed = Some(error);
            self.demands.add(Demand::EndWriting);
        } else {
            self.lose(Err(error));
        }
    }

    /// The poller saw that the peer of an output is gone: of a socket in both directions.
    ///
    /// Where something is still read, also of a paused input, the reads find it out.
    pub fn on_peer_gone(&mut self) {
        if !self.writing || self.lost {
            return;
        }
        match (self.is_socket, self.input.open) {
            (false, _) => self.lose(Err(ErrorKind::BrokenPipe.into())),
            (true, true) => self.peer_gone = true,
            (true, false) => self.demands.add(Demand::AskReason),
        }
    }

    /// The connection has gone in both directions, and this is what the kernel says of it.
    pub fn on_gone(&mut self, reason: io::Result<()>) {
        if self.accepts() && reason.is_ok() {
            // As for a peer whose end comes before its hang-up.
            self.end_input();
        }
        self.lose(reason);
    }

    /// The program wants the connection closed once everything is written. Returns whether a flush
    /// is due for that.
    pub fn on_close_asked(&mut self) -> bool {
        !self.lost && mem::replace(&mut self.asked, Asked::Close) != Asked::Close
    }

    /// The program wants the output ended once everything is written. Returns whether a flush is due
    /// for that.
    pub fn on_shutdown_asked(&mut self) -> bool {
        let is_new = self.writing && !self.lost && self.asked == Asked::Nothing;
        if is_new {
            self.asked = Asked::ShutDown;
        }
        is_new
    }

    /// The program pauses the input.
    pub fn on_paused(&mut self) {
        self.input.paused = true;
    }

    /// The program resumes the input.
    pub fn on_resumed(&mut self) {
        self.input.paused = false;
    }

    /// The program wants an end at once. What was due is dropped, but for `Made`.
    ///
    /// What is returned is to be dropped where nothing is borrowed.
    pub fn on_abort(&mut self) -> Spent {
        if self.lost {
            return Spent::new();
        }
        let is_new = matches!(self.due.front(), Some(ConnectionEvent::Made));
        let spent = self.drop_due();
        if is_new {
            self.due.push_back(ConnectionEvent::Made);
        }
        if self.is_socket {
            self.demands.add(Demand::Reset);
        }
        self.lose(Err(io::Error::new(ErrorKind::ConnectionAborted, "aborted by this side")));
        spent
    }

    /// The loop stops, for this reason, after a last flush. What has arrived is delivered to nobody.
    pub fn on_stop(&mut self, reason: io::Error) {
        let reason = self.failed.take().unwrap_or(reason);
        self.discard_input();
        self.lose(Err(reason));
    }

    /// The connection is given up: its protocol panicked, its loop is gone, or its descriptor was
    /// handed out. There are no more events.
    ///
    /// What was due is returned, to be dropped where nothing is borrowed.
    pub fn on_given_up(&mut self) -> Spent {
        if !self.lost {
            self.close();
        }
        self.drop_due()
    }

    /// Takes the callback that is due next.
    #[inline]
    pub fn poll_event(&mut self) -> Option<ConnectionEvent> {
        self.due.pop_front()
    }

    /// Returns whether an event is due: whether [`poll_event`](Self::poll_event) gives one.
    #[inline]
    pub fn has_event(&self) -> bool {
        !self.due.is_empty()
    }

    /// Takes what the driver is to do next. To be polled after each fact.
    #[inline]
    pub fn poll_demand(&mut self) -> Option<Demand> {
        self.demands.poll()
    }

    /// Returns whether data would be delivered.
    #[inline]
    pub fn accepts(&self) -> bool {
        self.input.open && self.asked != Asked::Close && !self.lost
    }

    /// Returns whether the driver is to read: data would be delivered, and the input is not paused.
    #[inline]
    pub fn reads(&self) -> bool {
        self.accepts() && !self.input.paused
    }

    /// Returns whether the driver is to read although no event will say so: the input is always
    /// ready, or a write failed and the rest is to be delivered before the loss.
    #[inline]
    pub fn reads_without_events(&self) -> bool {
        (self.input.always_ready || self.failed.is_some()) && self.reads()
    }

    /// Returns whether a write failed, and what the peer has sent by then is still read.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Returns whether the connection is lost or was given up; `Lost` may still be due.
    #[inline]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The input has ended: the protocol hears of it.
    fn end_input(&mut self) {
        self.input.open = false;
        self.due.push_back(ConnectionEvent::ReadClosed);
    }

    fn discard_input(&mut self) {
        if self.is_socket && self.input.open && !self.lost {
            self.demands.add(Demand::Discard);
        }
    }

    fn lose(&mut self, reason: io::Result<()>) {
        if !self.lost {
            self.close();
            self.due.push_back(ConnectionEvent::Lost(reason));
        }
    }

    fn close(&mut self) {
        self.lost = true;
        self.writing = false;
        self.failed = None;
        self.demands.keep(OF_A_LOSS);
        self.demands.add(Demand::Close);
    }

    fn drop_due(&mut self) -> Spent {
        let mut spent = Spent::new();
        spent.extend(self.due.drain(..).filter_map(|event| match event {
            ConnectionEvent::Data(data) => Some(data),
            _ => None,
        }));
        spent
    }
}
