//! A `Deferred` as a future of its result, for any executor.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Deferred, Failed};

/// Resolves to the result once; if it is polled after that, it gives [`Failed::Abandoned`].
///
/// Any executor can poll it. But a result of a reactor comes only while that reactor runs: see
/// [`Deferred`].
impl<T: 'static, E: 'static> Future for Deferred<T, E> {
    type Output = Result<T, Failed<E>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.state.poll(context.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}
