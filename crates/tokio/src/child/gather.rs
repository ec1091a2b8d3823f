//! Reads several outputs to their end while the child is awaited.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::Duration;

use procession_protocol::ExitReason;
use tokio::task::coop::unconstrained;
use tokio::time::sleep;

use crate::ends::ChildReader;
use crate::source::current_runtime;

/// An output that is read to its end.
struct Collected {
    /// `None` after the end.
    reader: Option<ChildReader>,
    data: Vec<u8>,
}

impl Collected {
    /// Reads what is there.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(reader) = &mut self.reader {
            match reader.poll_append(context, &mut self.data) {
                Poll::Ready(Ok(0)) => self.reader = None,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Waits for the end of the child and of its outputs; for the outputs at most `drain` after the
/// exit.
pub(super) async fn gather<const N: usize>(
    ended: impl Future<Output = io::Result<ExitReason>>,
    outputs: [Option<ChildReader>; N],
    drain: Option<Duration>,
) -> io::Result<(ExitReason, [Vec<u8>; N])> {
    let mut outputs = outputs.map(|reader| Collected { reader, data: Vec::new() });
    let mut ended = pin!(ended);
    let mut reason = None;
    poll_fn(|context| {
        let are_read = poll_all(&mut outputs, context)?;
        if reason.is_none()
            && let Poll::Ready(end) = ended.as_mut().poll(context)
        {
            reason = Some(end?);
        }
        let is_over = reason.is_some() && (are_read || drain.is_some());
        if is_over { Poll::Ready(io::Result::Ok(())) } else { Poll::Pending }
    })
    .await?;
    if let Some(drain) = drain {
        current_runtime()?; // without one, `sleep` panics
        let mut late = pin!(sleep(drain));
        poll_fn(|context| match poll_all(&mut outputs, context) {
            Ok(false) => late.as_mut().poll(context).map(Ok),
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await?;
        // What is there by now counts.
        unconstrained(poll_fn(|context| Poll::Ready(poll_all(&mut outputs, context)))).await?;
    }
    let reason = reason.ok_or(io::ErrorKind::Other)?;
    Ok((reason, outputs.map(|output| output.data)))
}

/// Reads what is there from each output; returns whether all have ended.
fn poll_all(outputs: &mut [Collected], context: &mut Context<'_>) -> io::Result<bool> {
    let mut are_over = true;
    for output in outputs {
        are_over &= match output.poll(context) {
            Poll::Ready(read) => read.map(|()| true)?,
            Poll::Pending => false,
        };
    }
    Ok(are_over)
}
