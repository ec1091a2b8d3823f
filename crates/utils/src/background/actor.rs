//! The loop's side of a child: does what the handle in another thread asks for, and moves bytes.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use procession_core::driver::Reply;
use procession_core::{Failed, Signal, WriteError};
use procession_process_transport::{Child, ChildError, ChildInput, ChildOutput};
use procession_protocol::{ChildFd, ProcessDone, SignalError, Termination};

use super::byte_queue::{ByteQueue, Consumer, ConsumerEnd, Producer};
use super::mailbox::Mailbox;
use super::tasks::LoopContext;
use super::thread::answer;

/// What the handle asks for.
pub(super) enum ChildVerb {
    /// Move this output into the queue from now on.
    Read(ChildFd, Producer),
    /// Move the queue into this input from now on.
    Write(ChildFd, Consumer),
    /// Wait for the end of the child, or of it and all its descriptors.
    Wait(WaitFor, Reply<Result<ProcessDone, ChildError>>),
    /// Nobody waits any more.
    GiveUpWait,
    Signal(SignalTo, Signal, Reply<Result<(), SignalError>>),
    Terminate(Signal, Duration, Reply<Result<Termination, SignalError>>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitFor {
    Exit,
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SignalTo {
    Process,
    Group,
}

/// Owns the child until its handle is dropped.
pub(super) async fn act(context: LoopContext, mut child: Child, verbs: Arc<Mailbox<ChildVerb>>) {
    let _close = CloseOnDrop(&verbs);
    let mut waiting: Option<(WaitFor, Reply<Result<ProcessDone, ChildError>>)> = None;
    loop {
        waiting = waiting.filter(|(_, reply)| reply.is_wanted());
        let next = {
            // Each verb cuts the wait off, and the next round begins it again: it loses nothing.
            let wait_for = waiting.as_ref().map(|(wait_for, _)| *wait_for);
            let mut wait = pin!(wait_for.map(|wait_for| wait(&mut child, wait_for)));
            poll_fn(|context| {
                if let Poll::Ready(verb) = verbs.poll_next(context) {
                    return Poll::Ready(Next::Verb(verb));
                }
                match wait.as_mut().as_pin_mut() {
                    Some(wait) => wait.poll(context).map(Next::Exited),
                    None => Poll::Pending,
                }
            })
            .await
        };
        match next {
            Next::Verb(Some(ChildVerb::Wait(wait_for, reply))) => {
                // A wait for the end discards output, so it must not outlive its caller.
                let weak = Arc::downgrade(&verbs);
                reply.on_drop(move || {
                    if let Some(verbs) = weak.upgrade() {
                        verbs.send(ChildVerb::GiveUpWait);
                    }
                });
                waiting = Some((wait_for, reply));
            }
            Next::Verb(Some(verb)) => begin(&context, &mut child, verb),
            Next::Verb(None) => return,
            Next::Exited(exited) => {
                let reply = waiting.take();
                drop(reply.map(|(_, reply)| reply.send(exited)));
            }
        }
    }
}

async fn wait(child: &mut Child, wait_for: WaitFor) -> Result<ProcessDone, ChildError> {
    match wait_for {
        WaitFor::Exit => child.wait().await,
        WaitFor::End => child.ended().await,
    }
}

enum Next {
    Verb(Option<ChildVerb>),
    Exited(Result<ProcessDone, ChildError>),
}

/// Does a verb that does not wait, and begins one that does.
fn begin(context: &LoopContext, child: &mut Child, verb: ChildVerb) {
    match verb {
        // The caller keeps the reply, and looks whether it is wanted.
        ChildVerb::Wait(..) | ChildVerb::GiveUpWait => {}
        ChildVerb::Read(fd, queue) => match child.take_output(fd) {
            Some(output) => context.spawn(read(output, queue)),
            None => drop(queue),
        },
        ChildVerb::Write(fd, queue) => match child.take_input(fd) {
            Some(input) => context.spawn(write(input, queue)),
            None => queue.0.end(ConsumerEnd::Early(WriteError::UnknownFd)),
        },
        ChildVerb::Signal(to, signal, reply) => {
            let process = child.process();
            let sent = match to {
                SignalTo::Process => process.signal(signal),
                SignalTo::Group => process.signal_group(signal),
            };
            drop(reply.send(sent));
        }
        ChildVerb::Terminate(signal, grace, reply) => {
            // It goes on if nobody waits for its result.
            let over = child.process().terminate(signal, grace);
            context.spawn(answer(reply, async move {
                over.await.map_err(|failed| match failed {
                    Failed::Error(error) => error,
                    _ => SignalError::ReactorGone,
                })
            }));
        }
    }
}

/// Moves an output into its queue: everything that is there, in one step.
async fn read(mut output: ChildOutput, queue: Producer) {
    let mut batch: Vec<Bytes> = Vec::new();
    loop {
        let is_over = poll_fn(|context| collect(&mut output, &queue.0, &mut batch, context)).await;
        if queue.0.push(batch.drain(..)).is_err() || is_over {
            return;
        }
    }
}

/// Takes chunks while there are any and the queue has room. Returns whether the output is over.
fn collect(
    output: &mut ChildOutput,
    queue: &ByteQueue,
    batch: &mut Vec<Bytes>,
    context: &mut Context<'_>,
) -> Poll<bool> {
    let mut room = match queue.poll_room(context) {
        Poll::Ready(Ok(room)) => room,
        Poll::Ready(Err(_)) => return Poll::Ready(true),
        Poll::Pending => return Poll::Pending,
    };
    while room > 0 {
        match Pin::new(&mut *output).poll_next(context) {
            Poll::Ready(Some(chunk)) => {
                room = room.saturating_sub(chunk.len());
                batch.push(chunk);
            }
            Poll::Ready(None) => return Poll::Ready(true),
            Poll::Pending if batch.is_empty() => return Poll::Pending,
            Poll::Pending => break,
        }
    }
    Poll::Ready(false)
}

/// Moves a queue into its input, and closes the input when the queue is over.
async fn write(mut input: ChildInput, queue: Consumer) {
    while let Some(chunks) = poll_fn(|context| queue.0.poll_take(context)).await {
        for chunk in chunks {
            if let Err(error) = input.write(chunk).await {
                let reason = match error {
                    ChildError::Write { error, .. } => error,
                    _ => WriteError::Closed,
                };
                return queue.0.end(ConsumerEnd::Early(reason));
            }
        }
    }
    queue.0.end(ConsumerEnd::Whole);
}

struct CloseOnDrop<'a>(&'a Mailbox<ChildVerb>);

impl Drop for CloseOnDrop<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}
