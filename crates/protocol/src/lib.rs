//! Protocols for child processes and for byte streams: the traits that a user of procession implements,
//! the handles that callbacks get, and fakes for tests.
//!
//! A [`ProcessProtocol`] receives the events of one child and acts on it through a [`Process`]. It
//! knows no event loop: it passes results on through a `Deferred`. The same protocol runs over a real
//! child and over a [`FakeProcess`], because the same [state machine](driver::Lifecycle) drives both.
//! [`Protocol`], [`Factory`], [`Transport`] and [`FakeConnection`] are the same for connections. A
//! [`StreamAdapter`] runs a [`Protocol`] over a child.
//!
//! # At a glance
//!
//! | To | Use |
//! |---|---|
//! | receive the events of a child, of a connection | [`ProcessProtocol`], [`Protocol`] |
//! | receive all of them in one method | [`ProcessProtocol::on_event`], [`Protocol::on_event`] |
//! | write, close, pause, signal, terminate | [`Process`], [`Transport`] |
//! | feed it as fast as it reads | [`Producer`], [`ReadProducer`] |
//! | move bytes without the program | [`Process::forward`], [`Transport::forward`] |
//! | cut bytes into lines, frames, text | [`LineReceiver`], [`FrameReceiver`], [`Utf8Chunks`] |
//! | know how a child ended | [`ExitReason`], [`ExitReasonExt`] |
//! | run a protocol for streams over a child | [`StreamAdapter`] |
//! | test without a child or a peer | [`FakeProcess`], [`FakeConnection`] |
//!
//! # What this crate does not do
//!
//! It starts no process, opens no descriptor and makes no system call; it has no event loop and
//! reads no clock. `procession-process-transport` starts children, and `procession-net-transport`
//! makes connections.
//!
//! # Example
//!
//! A protocol that counts the lines that `grep -c` finds, and its test:
//!
//! ```
//! use procession::{
//!     Bytes, BytesMut, Deferred, ExitReason, FakeProcess, Process, ProcessProtocol, Promise,
//! };
//!
//! struct Count {
//!     output: BytesMut,
//!     count: Promise<u32, String>,
//! }
//!
//! impl ProcessProtocol for Count {
//!     fn connection_made(&mut self, process: &Process) {
//!         process.write("one\ntwo\n");
//!         process.close_stdin();
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: Bytes) {
//!         self.output.extend_from_slice(&data);
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         let text = String::from_utf8_lossy(&self.output);
//!         self.count.complete(match reason {
//!             Ok(_) => text.trim().parse().map_err(|_| format!("no number: {text}")),
//!             Err(terminated) => Err(terminated.to_string()),
//!         });
//!     }
//! }
//!
//! fn main() {
//!     let (count, result) = Deferred::new();
//!     let mut fake = FakeProcess::new(Count { output: BytesMut::new(), count });
//!     assert_eq!(fake.written(0), "one\ntwo\n");
//!     assert!(fake.is_closed(0));
//!     fake.child_writes(1, "2\n");
//!     fake.exit(0);
//!     assert_eq!(result.try_take(), Some(Ok(2)));
//! }
//! ```
//!
//! # Errors
//!
//! How a child ends is no error of a verb: it is an [`ExitReason`], whose `Err` is a [`ProcessTerminated`].
//!
//! * [`WriteError`](procession_core::WriteError) says why data was not queued.
//! * [`SignalError`] says why a signal was not sent.
//! * [`ForwardError`] says why a forwarding ended early, and how many bytes it had moved.
//! * [`ProducerError`] says why a producer was not registered, and gives it back.
//! * [`FrameError`] says why bytes are no frame, or why a frame cannot be written.
//!
//! # Panics
//!
//! A panic of a protocol unwinds out of what called it: the loop, or the method of a fake. The protocol is
//! dropped and gets no further event; a child runs on without it, and a connection is closed.
//! [`LineReceiver::with_delimiter`] panics if the delimiter is empty.
//!
//! # Platform
//!
//! [`Termios`] has the flags of the target, and [`ExitStatus`](std::process::ExitStatus) its wait status
//! (`termios(3)`, `wait(2)`). Nothing else depends on the system.
//!
//! # Costs
//!
//! * A clone of a [`Process`] or [`Transport`] allocates nothing.
//! * A line, a frame and a chunk are slices of the buffer that was read, and are copied only if they lie in
//!   several chunks. `memchr` finds the ends of lines: a run that reads lines of 128 bytes takes 186
//!   instructions for each, everything included.
//! * A line is cut at [16,384 bytes](LineReceiver::DEFAULT_MAX_LENGTH), and a frame is refused above
//!   [16 MiB](FrameReceiver::DEFAULT_MAX_LENGTH), unless another limit is set. A write queue has no limit unless
//!   [one is set](Process::set_write_hard_limit); above 64 KiB it pauses its producer.
#![forbid(unsafe_code)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod address;
mod child_fd;
mod chunks;
mod connection;
mod control;
mod event;
mod exit_reason_ext;
mod fake;
mod forward;
mod frames;
mod kept;
mod lifecycle;
mod line_receiver;
mod net;
mod process;
mod process_facts;
mod process_producers;
mod process_protocol;
mod producer;
mod read_producer;
mod reason;
mod registry;
mod slot;
mod spawn_path;
mod stream_adapter;
mod target;
mod terminal;
mod termination;
mod termination_step;
mod terminator;
mod transport;
mod transport_control;
mod unknown_end;
mod utf8_chunks;

pub use address::Address;
pub use child_fd::ChildFd;
pub use connection::ConnectionEvent;
pub use control::Process;
pub use event::Event;
pub use exit_reason_ext::ExitReasonExt;
pub use fake::{FakeConnection, FakeFd, FakeProcess};
pub use forward::ForwardError;
pub use frames::{FrameError, FrameErrorKind, FrameReceiver, Framing};
pub use line_receiver::{Line, LineReceiver};
pub use net::{Factory, Protocol};
pub use process_protocol::ProcessProtocol;
pub use producer::{ProducerError, ProducerErrorKind};
pub use read_producer::ReadProducer;
pub use reason::{ExitReason, ProcessDone, ProcessTerminated, ResourceUsage};
pub use registry::Pace;
pub use spawn_path::SpawnPath;
pub use stream_adapter::{KeptStderr, StreamAdapter};
pub use target::Target;
pub use terminal::{Termios, WindowSize};
pub use termination::{SignalError, Termination};
pub use transport_control::{Producer, Transport};
pub use unknown_end::UnknownEnd;
pub use utf8_chunks::Utf8Chunks;

pub mod driver {
    //! For authors of transports: what [`Process`](crate::Process) and [`Transport`](crate::Transport)
    //! call, and the machines that decide which callback is due.
    //!
    //! It is not part of what the version number promises: any release may change it.

    pub use crate::connection::{ConnectionLifecycle, ConnectionSlot, Demand};
    pub use crate::control::ProcessControl;
    pub use crate::event::DataNow;
    pub use crate::fake::FakeDriver;
    pub use crate::lifecycle::Lifecycle;
    pub use crate::slot::ProtocolSlot;
    pub use crate::termination_step::{
        GroupState, TerminationOutcome, TerminationScope, TerminationStep,
    };
    pub use crate::terminator::Terminator;
    pub use crate::transport_control::{Producers, TransportControl};
}
