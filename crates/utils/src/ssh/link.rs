//! One shared connection to a host.
//!
//! # Model
//!
//! A link is *idle* until somebody asks for it. Then it *connects*; it is *up* when the keeper has said
//! that it is ready; it is *down* when the connection could not be made or was lost. Asked for again, an
//! idle link or one that is down connects anew, with new names. Each asker gets one answer.
//!
//! A thread has the connection while it connects and is up (`master.rs`). It has the number of its
//! connection, so that a late report of an old thread changes nothing.

use std::io;
use std::mem;
use std::sync::Arc;
use std::thread;

use procession_core::driver::Answer;

use super::folder::Folder;
use super::master;
use super::shared::{Connected, LinkState, Phase, SharedLink};
use super::texts::{Names, RunIds};
use super::words::Words;
use crate::random::random;

/// So many runs that are over do not wait for the next beat.
const MOST_OVER: usize = 256;

/// One shared connection.
#[derive(Debug)]
pub(crate) struct Link(Arc<SharedLink>);

impl Link {
    pub(crate) fn new(words: Words) -> Self {
        Self(Arc::new(SharedLink::new(words)))
    }

    /// Returns how many runs have this link.
    pub(crate) fn seats(&self) -> usize {
        self.0.lock().seats
    }

    pub(crate) fn take_seat(&self) {
        self.0.lock().seats += 1;
    }

    pub(crate) fn leave_seat(&self) {
        self.0.lock().seats -= 1;
    }

    /// Returns the answer when the link is up or has failed. Begins to connect if need be.
    pub(crate) fn connect(&self, folder: &Folder, name: &str) -> Answer<Connected> {
        let (reply, answer) = Answer::new();
        let mut state = self.0.lock();
        let now = match &mut state.phase {
            Phase::Connecting(waiting) => {
                waiting.push(reply);
                return answer;
            }
            Phase::Up(names) => Some((reply, Ok(names.clone()))),
            Phase::Idle => match begin(&self.0, &mut state, folder, name) {
                Ok(()) => {
                    state.phase = Phase::Connecting(vec![reply]);
                    None
                }
                Err(error) => Some((reply, Err(format!("cannot start ssh: {error}")))),
            },
        };
        drop(state);
        if let Some((reply, connected)) = now {
            reply.send(connected).ok(); // it has just been made
        }
        answer
    }

    /// Has the keeper of this connection end a run.
    pub(crate) fn end(&self, names: &Names, ids: RunIds) {
        let mut state = self.0.lock();
        if state.phase.is_up(names) {
            state.orders.push(format!("end {} {}\n", ids.id, ids.tenths));
            state.wake();
        }
    }

    /// Has the keeper of this connection forget a run, with the next beat.
    pub(crate) fn forget(&self, names: &Names, id: u64) {
        let mut state = self.0.lock();
        if state.phase.is_up(names) {
            state.over.push(id);
            if state.over.len() >= MOST_OVER {
                state.wake();
            }
        }
    }

    pub(crate) fn words(&self) -> &Words {
        &self.0.words
    }

    /// Begins to close the connection.
    pub(crate) fn begin_close(&self) {
        let mut state = self.0.lock();
        state.is_closing = true;
        state.wake();
        state.wake = None;
    }

    /// Waits until the connection is closed.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        let threads = mem::take(&mut state.threads);
        drop(state);
        for thread in threads {
            if thread.thread().id() != thread::current().id() {
                thread.join().ok(); // a panic of it was reported
            }
        }
    }
}

/// Starts the thread of a connection.
fn begin(
    link: &Arc<SharedLink>,
    state: &mut LinkState,
    folder: &Folder,
    name: &str,
) -> io::Result<()> {
    state.begun += 1;
    let socket = folder.file(&format!("{name}.{}", state.begun));
    let names = Names {
        socket: socket.to_str().ok_or(io::ErrorKind::InvalidInput)?.to_owned(),
        nonce: format!("procession-{:016x}{:016x}", random(), random()),
    };
    let (wakes, wake) = io::pipe()?;
    let wakes = Arc::new(wakes);
    let connection = master::Connection {
        link: Arc::clone(link),
        number: state.begun,
        names,
        wakes: Arc::clone(&wakes),
    };
    let thread = thread::Builder::new().name("procession-ssh".to_owned());
    let thread = thread.spawn(move || master::drive(connection))?;
    state.threads.retain(|thread| !thread.is_finished());
    state.threads.push(thread);
    state.orders.clear();
    state.over.clear();
    state.wake = Some((wake, wakes));
    Ok(())
}
