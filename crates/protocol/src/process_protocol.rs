//! [`ProcessProtocol`]: the trait that a user implements to receive the events of a child.

use bytes::Bytes;
use procession_core::Mark;

use crate::{ChildFd, Event, ExitReason, Process};

/// Receives the events of one child.
///
/// Every method has a default that does nothing, or calls a more specific method, so a protocol
/// implements only the methods that it needs. `connection_made` comes first, `process_ended` last. For
/// one descriptor, all data come before its loss, and nothing comes after it. `process_exited` comes
/// before `process_ended`. The order between different descriptors, and the order of `process_exited`
/// relative to data and losses, are not guaranteed.
///
/// Callbacks may call every method of [`Process`]: no method calls the protocol before it returns. If a
/// callback panics, it is the last one: the protocol is dropped, and its child is still reaped.
///
/// # Examples
///
/// ```
/// use procession::{Bytes, FakeProcess, Process, ProcessProtocol};
///
/// struct Echo;
///
/// impl ProcessProtocol for Echo {
///     fn out_received(&mut self, process: &Process, data: Bytes) {
///         process.write(data);
///     }
/// }
///
/// let mut fake = FakeProcess::new(Echo);
/// fake.child_writes(1, "hello");
/// assert_eq!(fake.written(0), "hello");
/// ```
#[expect(unused_variables, reason = "the defaults use none; their names are documentation")]
pub trait ProcessProtocol {
    /// The program is running, and `process.pid()` is known.
    ///
    /// Called once, first of all, inside the call that spawns.
    #[doc(alias = "connectionMade")]
    fn connection_made(&mut self, process: &Process) {}

    /// The child wrote `data`, never empty, to `fd`.
    ///
    /// Called any number of times before `child_connection_lost(fd)`. The default passes data of 1 to
    /// [`out_received`](Self::out_received) and data of 2 to [`err_received`](Self::err_received), and
    /// discards data of other descriptors.
    #[doc(alias = "childDataReceived")]
    fn child_data_received(&mut self, process: &Process, fd: ChildFd, data: Bytes) {
        match fd {
            ChildFd::STDOUT => self.out_received(process, data),
            ChildFd::STDERR => self.err_received(process, data),
            _ => {}
        }
    }

    /// The child wrote to its standard output. Called by the default of
    /// [`child_data_received`](Self::child_data_received).
    #[doc(alias = "outReceived")]
    fn out_received(&mut self, process: &Process, data: Bytes) {}

    /// The child wrote to its standard error. Called by the default of
    /// [`child_data_received`](Self::child_data_received).
    #[doc(alias = "errReceived")]
    fn err_received(&mut self, process: &Process, data: Bytes) {}

    /// The parent's end of `fd` is gone: the child closed `fd` or died, or the parent closed its end.
    ///
    /// Called once for each descriptor that is a pipe, after all its data. For a terminal it is called
    /// once, for 1, when the terminal has ended. The default calls, for 0, 1 and 2,
    /// [`in_connection_lost`](Self::in_connection_lost),
    /// [`out_connection_lost`](Self::out_connection_lost) and
    /// [`err_connection_lost`](Self::err_connection_lost).
    #[doc(alias = "childConnectionLost")]
    fn child_connection_lost(&mut self, process: &Process, fd: ChildFd) {
        match fd {
            ChildFd::STDIN => self.in_connection_lost(process),
            ChildFd::STDOUT => self.out_connection_lost(process),
            ChildFd::STDERR => self.err_connection_lost(process),
            _ => {}
        }
    }

    /// The pipe to the child's standard input is gone. Called by the default of
    /// [`child_connection_lost`](Self::child_connection_lost), at most once.
    #[doc(alias = "inConnectionLost")]
    fn in_connection_lost(&mut self, process: &Process) {}

    /// The pipe from the child's standard output, or its terminal, is gone. Called by the default of
    /// [`child_connection_lost`](Self::child_connection_lost), at most once.
    #[doc(alias = "outConnectionLost")]
    fn out_connection_lost(&mut self, process: &Process) {}

    /// The pipe from the child's standard error is gone. Called by the default of
    /// [`child_connection_lost`](Self::child_connection_lost), at most once.
    #[doc(alias = "errConnectionLost")]
    fn err_connection_lost(&mut self, process: &Process) {}

    /// The child will write no more to the socketpair `fd`; the parent may still write.
    ///
    /// Called at most once for each socketpair, after all its data and before its loss.
    fn child_read_closed(&mut self, process: &Process, fd: ChildFd) {}

    /// The write queue for `fd` rose above its high limit.
    ///
    /// Not called again before [`child_write_buffer_drained`] was due.
    ///
    /// [`child_write_buffer_drained`]: Self::child_write_buffer_drained
    #[doc(alias = "pauseProducing")]
    fn child_write_buffer_full(&mut self, process: &Process, fd: ChildFd) {}

    /// The write queue for `fd` fell to its low limit or below, after it was above it.
    ///
    /// With the default low limit of 0, this is called each time the queue becomes empty.
    #[doc(alias = "resumeProducing")]
    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {}

    /// The child was reaped; `process.pid()` is `None`. Pipes may still be open.
    ///
    /// Called once, from the loop, never inside the call that spawns.
    #[doc(alias = "processExited")]
    fn process_exited(&mut self, process: &Process, reason: ExitReason) {}

    /// The child was reaped and every pipe is closed; everything that it wrote has been delivered.
    ///
    /// Called once, last of all; the protocol is dropped when this returns.
    #[doc(alias = "processEnded")]
    fn process_ended(&mut self, process: &Process, reason: ExitReason) {}

    /// An event happened. The default calls the method for it.
    ///
    /// A transport calls only this method, once for each event. A protocol that wraps another one, to log
    /// or to count, overrides only this method.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Event, FakeProcess, Process, ProcessProtocol};
    ///
    /// /// Prints each event before the inner protocol gets it.
    /// struct Logged<P>(P);
    ///
    /// impl<P: ProcessProtocol> ProcessProtocol for Logged<P> {
    ///     fn on_event(&mut self, process: &Process, event: Event) {
    ///         println!("{process:?}: {event:?}");
    ///         self.0.on_event(process, event);
    ///     }
    /// }
    ///
    /// struct Quiet;
    /// impl ProcessProtocol for Quiet {}
    ///
    /// let mut fake = FakeProcess::new(Logged(Quiet));
    /// fake.exit(0);
    /// ```
    #[doc(alias = "IProcessProtocol")]
    #[doc(alias = "WrappingProcessProtocol")]
    #[inline]
    fn on_event(&mut self, process: &Process, event: Event) {
        match event {
            // The most frequent event.
            Event::Data(fd, data) => self.child_data_received(process, fd, data),
            Event::Made => self.connection_made(process),
            Event::ReadClosed(fd) => self.child_read_closed(process, fd),
            Event::Lost(fd) => self.child_connection_lost(process, fd),
            Event::Mark(fd, Mark::Full) => self.child_write_buffer_full(process, fd),
            Event::Mark(fd, Mark::Drained) => self.child_write_buffer_drained(process, fd),
            // A mark of a later version has no callback.
            Event::Mark(..) => {}
            Event::Exited(reason) => self.process_exited(process, reason),
            Event::Ended(reason) => self.process_ended(process, reason),
        }
    }
}

macro_rules! forward {
    ($($name:ident($($arg:ident: $type:ty),*);)*) => {
        /// Calls the boxed protocol.
        impl<P: ProcessProtocol + ?Sized> ProcessProtocol for Box<P> {
            $(fn $name(&mut self, process: &Process, $($arg: $type),*) {
                (**self).$name(process, $($arg),*);
            })*
        }
    };
}

forward! {
    connection_made();
    child_data_received(fd: ChildFd, data: Bytes);
    out_received(data: Bytes);
    err_received(data: Bytes);
    child_connection_lost(fd: ChildFd);
    in_connection_lost();
    out_connection_lost();
    err_connection_lost();
    child_read_closed(fd: ChildFd);
    child_write_buffer_full(fd: ChildFd);
    child_write_buffer_drained(fd: ChildFd);
    process_exited(reason: ExitReason);
    process_ended(reason: ExitReason);
    on_event(event: Event);
}
