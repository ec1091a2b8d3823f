//! The stream of a monitor's events: a queue of bounded length.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use procession_core::driver::WithCell;

use super::event::MonitorEvent;

/// How many events wait at most.
const MOST: usize = 1024;

/// The events of a [`RunningMonitor`](crate::RunningMonitor), from when it was asked for them. It ends
/// when the monitor has stopped.
#[must_use = "a stream does nothing until it is polled"]
pub struct MonitorEvents(Rc<EventQueue>);

/// The queue of one stream.
pub(super) struct EventQueue(WithCell<QueueState>);

#[derive(Default)]
struct QueueState {
    events: VecDeque<MonitorEvent>,
    /// How many events were discarded since the last one that was taken.
    skipped: u64,
    is_closed: bool,
    waker: Option<Waker>,
}

impl EventQueue {
    pub(super) fn new() -> Rc<Self> {
        Rc::new(Self(WithCell::new(QueueState::default())))
    }

    /// Adds an event. If the queue is full, the oldest one is discarded and counted.
    pub(super) fn push(&self, event: MonitorEvent) {
        let (old, waker) = self.0.with(|queue| {
            let old = (queue.events.len() >= MOST).then(|| queue.events.pop_front()).flatten();
            queue.skipped += u64::from(old.is_some());
            queue.events.push_back(event);
            (old, queue.waker.take())
        });
        drop(old);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn close(&self) {
        let waker = self.0.with(|queue| {
            queue.is_closed = true;
            queue.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl MonitorEvents {
    pub(super) fn new(queue: Rc<EventQueue>) -> Self {
        Self(queue)
    }

    /// Waits for the next event; `None` when the monitor has stopped.
    pub async fn next(&mut self) -> Option<MonitorEvent> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// Takes the next event, if there is one by now.
    pub fn try_next(&mut self) -> Option<MonitorEvent> {
        self.0.0.with(|queue| {
            let mut event = queue.events.pop_front()?;
            event.skipped = std::mem::take(&mut queue.skipped);
            Some(event)
        })
    }
}

impl Stream for MonitorEvents {
    type Item = MonitorEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<MonitorEvent>> {
        if let Some(event) = self.try_next() {
            return Poll::Ready(Some(event));
        }
        let waker = context.waker().clone(); // foreign code, so before the borrow
        let (is_closed, old) = self.0.0.with(|queue| (queue.is_closed, queue.waker.replace(waker)));
        drop(old);
        if is_closed { Poll::Ready(None) } else { Poll::Pending }
    }
}

impl fmt::Debug for MonitorEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorEvents").finish_non_exhaustive()
    }
}
