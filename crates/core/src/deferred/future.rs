//! Awaiting: a `Deferred` is a future of its result, for any executor.

use super::{Deferred, Failed};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives the result once; polled after that, it gives [`Failed::Abandoned`].
///
/// Any executor can poll it; what completes it is another matter, and for a reactor's results that
/// reactor has to be driven: see [`Deferred`].
impl<T: 'static, E: 'static> Future for Deferred<T, E> {
    type Output = Result<T, Failed<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.poll(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}
