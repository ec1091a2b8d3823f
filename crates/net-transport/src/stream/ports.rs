//! A connection as source and sink of forwardings, for the reactor's
//! [`forward`](procession_reactor::driver::Forward).

use std::cell::Cell;
use std::io::{self, ErrorKind};
use std::rc::{Rc, Weak};

use bytes::Bytes;
use procession_core::{Deferred, WriteError};
use procession_protocol::{ForwardError, Target};
use procession_reactor::Handle;
use procession_reactor::driver::{Forward, Key, Machine, ReadEvent, SinkPort, SourcePort};

use super::state::StreamState;
use super::transport::Stream;

/// Starts to forward what the peer sends.
pub(super) fn forward(source: &Rc<Stream>, target: Target) -> Deferred<u64, ForwardError> {
    begin(source, target).unwrap_or_else(|error| Deferred::ready(Err(failed(0, error))))
}

fn failed(moved: u64, error: io::Error) -> ForwardError {
    ForwardError::new(moved, error).of("the connection's input")
}

fn begin(source: &Rc<Stream>, target: Target) -> io::Result<Deferred<u64, ForwardError>> {
    if source.is_cut_off.get() {
        return Err(WriteError::ReactorGone.into());
    }
    if let Some(why) = source.state.with(StreamState::forward_refusal) {
        return Err(io::Error::new(ErrorKind::InvalidInput, why));
    }
    let reactor = source.driver.reactor();
    let sink = <dyn SinkPort>::of_target(reactor, target.into_fd())?;
    let input = Rc::new(InputPort { stream: Rc::downgrade(source), failed: Cell::new(None) });
    let (promise, deferred) = Deferred::new();
    Forward::start(reactor, input, sink, move |moved, result| {
        promise.complete(result.map(|()| moved).map_err(|error| failed(moved, error)));
    })?;
    Ok(deferred)
}

/// Calls with the state of a connection, if it still exists.
fn with<R>(stream: &Weak<Stream>, call: impl FnOnce(&mut StreamState, &Handle) -> R) -> Option<R> {
    let stream = stream.upgrade()?;
    Some(stream.state.with(|state| call(state, stream.driver.reactor())))
}

/// The receiving side of a connection.
struct InputPort {
    stream: Weak<Stream>,
    /// The error of the last read: the reason of the loss.
    failed: Cell<Option<io::Error>>,
}

impl SourcePort for InputPort {
    fn key(&self) -> Option<Key> {
        with(&self.stream, |state, _| state.input_key()).flatten()
    }

    fn begin(&self, forward: &Rc<Forward>) -> bool {
        let Some(stream) = self.stream.upgrade() else { return false };
        let paused = stream.state.with(|state| state.set_forward(forward));
        stream.forward_later();
        paused
    }

    fn read(&self) -> ReadEvent {
        with(&self.stream, StreamState::read_raw).flatten().unwrap_or(ReadEvent::End)
    }

    fn watch(&self, watched: bool) {
        let Some(stream) = self.stream.upgrade() else { return };
        stream.state.with(|state| state.watch_source(stream.driver.reactor(), watched));
        stream.forward_later();
    }

    /// The data that was not received is lost. Both the result and the protocol get the error.
    fn on_read_failed(&self, error: io::Error) -> Option<io::Error> {
        self.failed.set(Some(copy_of(&error)));
        Some(error)
    }

    fn close_source(&self, ended: bool) {
        let Some(stream) = self.stream.upgrade() else { return };
        let failed = self.failed.take();
        let reactor = stream.driver.reactor();
        stream.state.with(|state| state.forward_ends(reactor, ended, failed)).settle();
        stream.queue_flush();
    }
}

fn copy_of(error: &io::Error) -> io::Error {
    error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error)
}

/// The sending side of a connection.
pub(super) struct OutputPort {
    stream: Weak<Stream>,
}

impl OutputPort {
    pub(super) fn new(stream: Weak<Stream>) -> Self {
        Self { stream }
    }
}

impl SinkPort for OutputPort {
    fn key(&self) -> Option<Key> {
        with(&self.stream, |state, _| state.output_key()).flatten()
    }

    fn feed(&self, forward: &Rc<Forward>) -> io::Result<()> {
        let stream = self.stream.upgrade().ok_or(WriteError::Closed)?;
        let fed = stream.state.with(|state| state.feed(forward));
        Ok(fed.map_err(|error| stream.write_error(error))?)
    }

    /// The connection flushes its queue itself.
    fn write(&self, data: &mut Bytes) -> io::Result<()> {
        let stream = self.stream.upgrade().ok_or(WriteError::Closed)?;
        let written = stream.state.with(|state| state.write(data));
        written.map_err(|error| stream.write_error(error))?;
        stream.queue_flush();
        Ok(())
    }

    fn queued(&self) -> usize {
        with(&self.stream, |state, _| state.queued()).unwrap_or(0)
    }

    fn wait_for_room(&self) -> bool {
        with(&self.stream, StreamState::wait_for_room).unwrap_or(true)
    }

    fn finish(&self) {
        let Some(stream) = self.stream.upgrade() else { return };
        let over = stream.state.with(StreamState::feed_ends);
        drop(over);
        stream.queue_flush();
    }
}
