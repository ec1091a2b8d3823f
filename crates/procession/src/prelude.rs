//! The names that a first program needs, in one `use`: the traits, and the types of the guide's first
//! programs.

pub use crate::{
    Bytes, BytesMut, ChildFd, Clock, Command, Deferred, ExitReason, ExitReasonExt, Failed,
    FakeProcess, Fd, IntoBytes, LineReceiver, OfTerminal, Process, ProcessProtocol, Promise,
    Protocol, Pty, Signal, Spawned, Transport,
};
#[cfg(feature = "reactor")]
pub use crate::{Child, Handle, Interest, Reactor, ReapOrphans, SpawnProcess, Stopped, run_main};
#[cfg(feature = "net")]
pub use crate::{Listener, NetTransports};
#[cfg(feature = "run")]
pub use crate::{Outcome, Run};
