//! What a link and the thread of its connection share: its phase, and who waits for it.

use std::io::{PipeReader, PipeWriter, Write};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use procession_core::driver::Reply;

use super::texts::Names;
use super::words::Words;

/// What an asker gets: the names of the connection, or why there is none.
pub(crate) type Connected = Result<Names, String>;

#[derive(Debug)]
pub(crate) struct SharedLink {
    pub(crate) words: Words,
    state: Mutex<LinkState>,
}

#[derive(Debug)]
pub(super) struct LinkState {
    pub(super) phase: Phase,
    /// How often a connection was begun: the number of the last one.
    pub(super) begun: u64,
    /// Runs that have this link.
    pub(super) seats: usize,
    pub(super) orders: Vec<String>,
    /// Runs that are over, whose files the keeper may remove.
    pub(super) over: Vec<u64>,
    pub(super) is_closing: bool,
    /// Wakes the thread of the last connection. The reader stays open, so a write raises no signal.
    pub(super) wake: Option<(PipeWriter, Arc<PipeReader>)>,
    pub(super) threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) enum Phase {
    Idle,
    Connecting(Vec<Reply<Connected>>),
    Up(Names),
}

impl Phase {
    /// Returns whether the connection with these names is up.
    pub(super) fn is_up(&self, names: &Names) -> bool {
        matches!(self, Self::Up(now) if now == names)
    }
}

impl LinkState {
    pub(super) fn wake(&mut self) {
        if let Some((wake, _)) = &mut self.wake {
            wake.write_all(b"!").ok(); // without its thread, there is nothing to wake
        }
    }
}

impl SharedLink {
    pub(super) fn new(words: Words) -> Self {
        let state = LinkState {
            phase: Phase::Idle,
            begun: 0,
            seats: 0,
            orders: Vec::new(),
            over: Vec::new(),
            is_closing: false,
            wake: None,
            threads: Vec::new(),
        };
        Self { words, state: Mutex::new(state) }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, LinkState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the keeper is ready.
    pub(crate) fn on_up(&self, number: u64, names: &Names) {
        self.settle(number, Phase::Up(names.clone()), &Ok(names.clone()));
    }

    /// Notes that the connection could not be made, or is gone.
    pub(crate) fn on_down(&self, number: u64, reason: String) {
        self.settle(number, Phase::Idle, &Err(reason));
    }

    fn settle(&self, number: u64, phase: Phase, connected: &Connected) {
        let mut state = self.lock();
        if state.begun != number {
            return;
        }
        let before = mem::replace(&mut state.phase, phase);
        drop(state);
        if let Phase::Connecting(waiting) = before {
            for reply in waiting {
                reply.send(connected.clone()).ok(); // nobody may wait any more
            }
        }
    }

    /// Takes the orders for the keeper; `None` if the connection is to be closed.
    pub(crate) fn take_orders(&self) -> Option<Vec<String>> {
        let mut state = self.lock();
        if state.is_closing { None } else { Some(mem::take(&mut state.orders)) }
    }

    /// Returns the sign of life for the keeper, with the runs that are over.
    pub(crate) fn take_beat(&self) -> String {
        let over = mem::take(&mut self.lock().over);
        let mut beat = "beat".to_owned();
        for id in over {
            beat.push_str(&format!(" {id}"));
        }
        beat + "\n"
    }

    /// Returns the time between beats.
    pub(crate) fn beat(&self) -> Duration {
        Duration::from_secs(self.words.beat_secs())
    }
}
