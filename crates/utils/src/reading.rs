//! Reads a standard input on a thread of its own, so that a reader that waits holds no loop up.
//!
//! The loop asks for one chunk at a time, and gets it in a task. The thread, and with it the reader,
//! ends once nobody can ask any more; one that waits in a read ends when that returns.

use procession_core::message::Reason;
use procession_reactor::{Handle, JoinHandle};
use std::any::Any;
use std::future::poll_fn;
use std::io::{self, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

/// How much of a reader is held in memory, in bytes.
const CHUNK_BYTES: usize = 64 * 1024;

/// What a read gave. All but data are the last.
pub(crate) enum Chunk {
    Data(Vec<u8>),
    End,
    Failed(io::Error),
    /// The reader has panicked, with this payload.
    Panicked(Box<dyn Any + Send>),
}

/// A reader that is being read.
pub(crate) struct Reading {
    asks: Sender<()>,
    /// Cancelled when this is dropped.
    task: Option<JoinHandle<()>>,
}

/// Where the thread leaves a chunk for the task.
#[derive(Default)]
struct Slot {
    chunk: Option<Chunk>,
    waker: Option<Waker>,
}

impl Reading {
    /// Begins, and asks for the first chunk; `came` is called on the loop with each.
    pub(crate) fn begin(
        reactor: &Handle,
        reader: Box<dyn Read + Send>,
        mut came: impl FnMut(Chunk) + 'static,
    ) -> io::Result<Self> {
        let (asks, asked) = channel();
        let slot = Arc::new(Mutex::new(Slot::default()));
        let of_thread = Arc::clone(&slot);
        let thread = thread::Builder::new().name("standard input".to_owned());
        let started = thread.spawn(move || {
            let mut reader = reader;
            while asked.recv().is_ok() {
                let read = catch_unwind(AssertUnwindSafe(|| read_chunk(&mut *reader)));
                let chunk = read.unwrap_or_else(Chunk::Panicked);
                let is_last = !matches!(chunk, Chunk::Data(_));
                put(&of_thread, chunk);
                if is_last {
                    break;
                }
            }
        });
        started.map_err(|reason| no_thread(&reason))?;
        let task = reactor.spawn_local(async move {
            loop {
                came(next(&slot).await);
            }
        });
        let this = Self { asks, task: Some(task) };
        this.ask();
        Ok(this)
    }

    /// Asks for a chunk. There is one for each time this is called, up to the last.
    pub(crate) fn ask(&self) {
        // After the last there is nobody to ask.
        self.asks.send(()).ok();
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.cancel();
        }
    }
}

/// Says what the bare reason, "Resource temporarily unavailable", is about.
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread to read it: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}

fn read_chunk(reader: &mut dyn Read) -> Chunk {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match reader.read(&mut chunk) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Chunk::Failed(error),
            Ok(0) => return Chunk::End,
            Ok(bytes) => {
                chunk.truncate(bytes);
                return Chunk::Data(chunk);
            }
        }
    }
}

fn put(slot: &Mutex<Slot>, chunk: Chunk) {
    let waker = {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.chunk = Some(chunk);
        slot.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn next(slot: &Mutex<Slot>) -> Chunk {
    poll_fn(|context| {
        let waker = context.waker().clone();
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        match slot.chunk.take() {
            Some(chunk) => Poll::Ready(chunk),
            None => {
                let old = slot.waker.replace(waker);
                drop(slot);
                drop(old);
                Poll::Pending
            }
        }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_cannot_be_made_is_explained() {
        let error = no_thread(&io::Error::from_raw_os_error(11));
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let text = "cannot start a thread to read it: Resource temporarily unavailable";
        assert_eq!(error.to_string(), text);
    }
}
