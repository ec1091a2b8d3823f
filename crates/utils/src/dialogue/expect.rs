//! [`Expect`]: one wait in a dialogue, as a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use procession_core::{Deferred, NoError};
use procession_protocol::ExitReason;

use super::conversation::Answer;
use super::error::DialogueError;
use super::found::Found;
use super::pattern::{Pattern, PatternKind};
use super::session::Session;

/// How long the exit status of a program is waited for whose output has ended.
const STATUS_WAIT: Duration = Duration::from_millis(200);

/// A wait in a dialogue, made by [`Dialogue::expect`](crate::Dialogue::expect). It begins when it is first polled.
///
/// Dropping it ends the wait, and keeps what came for the next one, which looks at it again.
#[must_use = "nothing is waited for until it is awaited"]
pub struct Expect<'a> {
    session: &'a mut Session,
    patterns: Vec<Pattern>,
    within: Option<Duration>,
    began: Option<Duration>,
    /// The output has ended without a match: a wait for the exit status.
    status: Option<Deferred<ExitReason, NoError>>,
}

impl<'a> Expect<'a> {
    pub(super) fn new(session: &'a mut Session, patterns: Vec<Pattern>) -> Self {
        Self { session, patterns, within: None, began: None, status: None }
    }

    /// Fails with [`DialogueError::TimedOut`] after this time, from the first poll on. By default a wait
    /// has no limit.
    ///
    /// A loop that is late first looks at what has come.
    pub fn within(mut self, time: Duration) -> Self {
        self.within = Some(time);
        self
    }

    fn begin(&mut self) -> Result<(), DialogueError> {
        let invalid = self.patterns.iter().find_map(|pattern| match &pattern.0 {
            PatternKind::Invalid(text, reason) => Some((text.clone(), reason.clone())),
            _ => None,
        });
        let none = || ("nothing".to_owned(), "the list of patterns is empty".to_owned());
        if let Some((pattern, reason)) = invalid.or_else(|| self.patterns.is_empty().then(none)) {
            return Err(DialogueError::Pattern { pattern, reason });
        }
        if self.session.reactor.is_closed() {
            return Err(self.session.reactor_gone());
        }
        let now = self.session.reactor.now();
        self.began = Some(now);
        self.session.talk.begin(&self.patterns, self.within, now);
        Ok(())
    }

    fn error(&self, answer: &Answer, reason: Option<ExitReason>) -> DialogueError {
        let Session { line, talk, reactor, .. } = &*self.session;
        let wanted = self.session.transcript.masked(&Pattern::list(&self.patterns));
        let command = line.clone();
        let tail = self.session.tail();
        match answer {
            Answer::TooLong => {
                let max_bytes = talk.max_held_bytes();
                DialogueError::TooLong { command, wanted, max_bytes, tail }
            }
            Answer::Over => DialogueError::Ended { command, wanted, reason, tail },
            Answer::TimedOut | Answer::Found(_) => {
                let after = reactor.now().saturating_sub(self.began.unwrap_or_default());
                DialogueError::TimedOut { command, wanted, after, reason, tail }
            }
        }
    }
}

impl Future for Expect<'_> {
    type Output = Result<Found, DialogueError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if let Some(status) = &mut this.status {
            let ended = ready!(Pin::new(status).poll(cx)).ok();
            let reason = ended.or_else(|| this.session.child.try_wait());
            return Poll::Ready(Err(this.error(&Answer::Over, reason)));
        }
        match this.began {
            None => this.begin()?,
            Some(_) => this.session.talk.search(),
        }
        this.session.take_in(cx);
        let session = &mut *this.session;
        if session.alarm.has_rung() {
            // A late loop has looked at some of what is ready before it judges the time.
            session.talk.on_time(session.reactor.now());
        }
        match session.talk.poll() {
            Some(Answer::Found(found)) => Poll::Ready(Ok(found)),
            Some(Answer::Over) if session.reactor.is_closed() => {
                Poll::Ready(Err(session.reactor_gone()))
            }
            Some(Answer::Over) => {
                let mut status = session.child.process().ended().timeout(STATUS_WAIT);
                let known = Pin::new(&mut status).poll(cx);
                this.status = Some(status);
                let reason = ready!(known).ok();
                Poll::Ready(Err(this.error(&Answer::Over, reason)))
            }
            Some(answer) => {
                let reason = session.child.try_wait();
                Poll::Ready(Err(this.error(&answer, reason)))
            }
            None => {
                let deadline = session.talk.deadline();
                session.alarm.set(&session.reactor, deadline, cx);
                Poll::Pending
            }
        }
    }
}

impl Drop for Expect<'_> {
    fn drop(&mut self) {
        self.session.talk.give_up();
        self.session.alarm.cancel();
    }
}

impl fmt::Debug for Expect<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expect")
            .field("patterns", &self.patterns)
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}
