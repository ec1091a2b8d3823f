//! [`Seat`]: the room of one run in a connection.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use procession_core::driver::Answer;
use procession_process_transport::Command;

use super::link::Link;
use super::local;
use super::shared::Connected;
use super::texts::{Names, RunIds};
use crate::LaunchError;

/// The room of a run in a connection. If it is dropped before the run is over, the host ends the run.
#[derive(Debug)]
pub(crate) struct Seat {
    link: Arc<Link>,
    /// Keeps the connections of the host open.
    _links: Arc<dyn fmt::Debug + Send + Sync>,
    id: u64,
    /// The names of the connection, once it is there.
    names: Option<Names>,
    /// The run may be running: its time between TERM and KILL, in tenths.
    running: Option<u64>,
}

impl Seat {
    /// The seat must have been taken at the link.
    pub(super) fn new(link: Arc<Link>, id: u64, links: Arc<dyn fmt::Debug + Send + Sync>) -> Self {
        Self { link, _links: links, id, names: None, running: None }
    }

    /// Returns the local command of the run, which is taken to run from now on.
    pub(crate) fn launch(&mut self, command: &Command) -> Result<Command, LaunchError> {
        let names = self.names.as_ref().expect("a seat is given out with its connection");
        let launched = local::launch(self.link.words(), command, names, self.id)?;
        self.running = Some(launched.tenths);
        Ok(launched.local)
    }

    /// Notes that the local command has exited with the program's status: there is nothing to end.
    pub(crate) fn on_over(&mut self) {
        if let (Some(_), Some(names)) = (self.running.take(), &self.names) {
            self.link.forget(names, self.id);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let (Some(tenths), Some(names)) = (self.running, &self.names) {
            self.link.end(names, RunIds { id: self.id, tenths });
        }
        self.link.leave_seat();
    }
}

/// A seat whose connection is being made.
#[derive(Debug)]
pub(crate) struct Seating(State);

#[derive(Debug)]
enum State {
    Waiting(Box<Seat>, Answer<Connected>),
    Failed(String),
    Over,
}

impl Seating {
    pub(super) fn new(seat: Seat, connected: Answer<Connected>) -> Self {
        Self(State::Waiting(Box::new(seat), connected))
    }

    pub(super) fn failed(why: String) -> Self {
        Self(State::Failed(why))
    }

    /// Blocks this thread until the connection is there, or has failed.
    pub(crate) fn wait(self) -> Result<Seat, String> {
        match self.0 {
            State::Waiting(mut seat, connected) => {
                seat.names = Some(connected.wait().map_err(|gone| gone.to_string())??);
                Ok(*seat)
            }
            State::Failed(why) => Err(why),
            State::Over => Err(TAKEN.to_owned()),
        }
    }
}

const TAKEN: &str = "the result was taken before";

impl Future for Seating {
    type Output = Result<Seat, String>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let connected = match &mut self.0 {
            State::Waiting(_, connected) => ready!(Pin::new(connected).poll(context)),
            State::Failed(_) | State::Over => Ok(Err(TAKEN.to_owned())),
        };
        let before = std::mem::replace(&mut self.0, State::Over);
        let (mut seat, connected) = match before {
            State::Waiting(seat, _) => (seat, connected),
            State::Failed(why) => return Poll::Ready(Err(why)),
            State::Over => return Poll::Ready(Err(TAKEN.to_owned())),
        };
        match connected.unwrap_or_else(|gone| Err(gone.to_string())) {
            Ok(names) => {
                seat.names = Some(names);
                Poll::Ready(Ok(*seat))
            }
            Err(why) => Poll::Ready(Err(why)),
        }
    }
}
