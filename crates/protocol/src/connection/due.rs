//! The callbacks of a connection that are due, in their order.

use std::collections::VecDeque;

use procession_core::Mark;
use procession_core::driver::Spent;

use super::event::ConnectionEvent;

/// The events that are due.
#[derive(Debug)]
pub(super) struct DueEvents {
    /// The first one, if it has no data. It needs no allocation, and nearly every event is delivered
    /// before the next one is due.
    first: Option<Notice>,
    rest: VecDeque<ConnectionEvent>,
}

/// An event without data.
#[derive(Debug, Clone, Copy)]
pub(super) enum Notice {
    Made,
    ReadClosed,
    Mark(Mark),
}

impl DueEvents {
    pub(super) fn new(first: Notice) -> Self {
        Self { first: Some(first), rest: VecDeque::new() }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_empty()
    }

    /// Returns whether `Made` is due.
    pub(super) fn has_made(&self) -> bool {
        matches!(self.first, Some(Notice::Made))
    }

    #[inline]
    pub(super) fn notify(&mut self, notice: Notice) {
        if self.is_empty() {
            self.first = Some(notice);
        } else {
            self.rest.push_back(notice.into());
        }
    }

    pub(super) fn push(&mut self, event: ConnectionEvent) {
        self.rest.push_back(event);
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<ConnectionEvent> {
        match self.first.take() {
            Some(first) => Some(first.into()),
            None => self.rest.pop_front(),
        }
    }

    /// Forgets all events, and returns their data.
    pub(super) fn clear(&mut self) -> Spent {
        self.first = None;
        let mut spent = Spent::new();
        spent.extend(self.rest.drain(..).filter_map(|event| match event {
            ConnectionEvent::Data(data) => Some(data),
            _ => None,
        }));
        spent
    }
}

impl From<Notice> for ConnectionEvent {
    #[inline]
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::Made => Self::Made,
            Notice::ReadClosed => Self::ReadClosed,
            Notice::Mark(mark) => Self::Mark(mark),
        }
    }
}
