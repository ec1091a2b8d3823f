//! The shared connections to a host.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::Folder;
use super::link::Link;
use super::seat::{Seat, Seating};
use super::words::Words;

/// How many runs share a connection. Of a server's ten sessions (`MaxSessions` in `sshd_config(5)`), one
/// is the keeper's, and each run may need a second one at its end.
const RUNS_PER_LINK: usize = 4;

/// The connections to a host. The drop closes them.
#[derive(Debug, Default)]
pub(super) struct Links(Mutex<LinksState>);

#[derive(Debug, Default)]
struct LinksState {
    links: Vec<Arc<Link>>,
    /// The number of the last run.
    last_run: u64,
    folder: Option<Arc<Folder>>,
}

impl Links {
    /// Makes room for a run, and returns it when its connection is there.
    pub(super) fn seat(self: &Arc<Self>, words: &Words) -> Seating {
        let mut state = self.lock();
        let folder = match &state.folder {
            Some(folder) => Arc::clone(folder),
            None => match Folder::make() {
                Ok(folder) => Arc::clone(state.folder.insert(Arc::new(folder))),
                Err(error) => {
                    return Seating::failed(format!("cannot make a folder for sockets: {error}"));
                }
            },
        };
        let free = state.links.iter().position(|link| link.seats() < RUNS_PER_LINK);
        let at = free.unwrap_or_else(|| {
            state.links.push(Arc::new(Link::new(words.clone())));
            state.links.len() - 1
        });
        state.last_run += 1;
        let (link, id) = (Arc::clone(&state.links[at]), state.last_run);
        link.take_seat();
        let connected = link.connect(&folder, &format!("c{at}"));
        drop(state);
        let all: Arc<Self> = Arc::clone(self);
        Seating::new(Seat::new(link, id, all), connected)
    }

    fn lock(&self) -> MutexGuard<'_, LinksState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        let state = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for link in &state.links {
            link.begin_close();
        }
        for link in state.links.drain(..) {
            link.close();
        }
    }
}
