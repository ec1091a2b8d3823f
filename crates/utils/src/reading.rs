//! Reads a standard input on a separate thread, so that a reader that blocks does not block the
//! loop.
//!
//! The loop asks for one chunk at a time, and a task on the loop receives it. The thread ends, and
//! drops the reader, when nothing can ask any more. If the thread is in a read then, it ends when
//! the read returns.

use std::any::Any;
use std::future::poll_fn;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::thread;

use procession_core::driver::Reason;
use procession_reactor::{Handle, JoinHandle};

use crate::feed;

/// The result of a read. Every kind but `Data` is the last one.
pub(crate) enum Chunk {
    Data(Vec<u8>),
    End,
    Failed(io::Error),
    /// The reader panicked with this payload.
    Panicked(Box<dyn Any + Send>),
}

/// A reader that is being read.
pub(crate) struct Reading {
    asks: Sender<()>,
    /// Cancelled when this value is dropped.
    task: Option<JoinHandle<()>>,
}

/// Passes a chunk from the thread to the task.
#[derive(Default)]
struct ChunkSlot {
    chunk: Option<Chunk>,
    waker: Option<Waker>,
}

impl Reading {
    /// Starts the thread and asks for the first chunk. `came` is called on the loop with each
    /// chunk.
    pub(crate) fn begin(
        reactor: &Handle,
        reader: Box<dyn Read + Send>,
        mut came: impl FnMut(Chunk) + 'static,
    ) -> io::Result<Self> {
        let (asks, asked) = channel();
        let slot = Arc::new(Mutex::new(ChunkSlot::default()));
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

    /// Asks for a chunk. Each call gives one chunk, until the last chunk has come.
    pub(crate) fn ask(&self) {
        // The thread has ended after the last chunk.
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

/// Adds the failed action to the bare reason, such as "Resource temporarily unavailable".
fn no_thread(reason: &io::Error) -> io::Error {
    let text = format!("cannot start a thread to read it: {}", Reason(reason));
    io::Error::new(reason.kind(), text)
}

fn read_chunk(reader: &mut dyn Read) -> Chunk {
    match feed::read_chunk(reader) {
        Err(error) => Chunk::Failed(error),
        Ok(chunk) if chunk.is_empty() => Chunk::End,
        Ok(chunk) => Chunk::Data(chunk),
    }
}

fn put(slot: &Mutex<ChunkSlot>, chunk: Chunk) {
    let waker = {
        let mut slot = slot.lock().unwrap_or_else(PoisonError::into_inner);
        slot.chunk = Some(chunk);
        slot.waker.take()
    };
    if let Some(waker) = waker {
        waker.wake();
    }
}

async fn next(slot: &Mutex<ChunkSlot>) -> Chunk {
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
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_thread_that_cannot_be_made_is_explained() {
        let error = no_thread(&io::Error::from_raw_os_error(11));
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let text = "cannot start a thread to read it: Resource temporarily unavailable";
        assert_eq!(error.to_string(), text);
    }
}
