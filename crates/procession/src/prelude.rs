//! What a program in its first hour needs, in one `use`.

pub use bytes::{Bytes, BytesMut};
pub use procession_core::{
    Clock, Deferred, Failed, Promise, Signal, WriteError, first_of, gather, gather_all,
};
pub use procession_net_transport::{ConnectError, ListenError, Listener, NetTransports};
pub use procession_process_transport::{
    AdoptError, Child, ChildError, Command, FakeChildren, Fd, FileMode, OfTerminal, Pipeline, Pty,
    RawMode, ReapOrphans, SpawnError, SpawnProcess, Spawned, Step, TakeError,
};
pub use procession_protocol::{
    ChildFd, ExitReason, ExitReasonExt, Factory, FakeConnection, FakeProcess, Line, LineReceiver,
    Process, ProcessDone, ProcessProtocol, ProcessTerminated, Protocol, SignalError, SpawnPath,
    Termination, Transport,
};
pub use procession_reactor::{
    DelayedCall, Handle, Interest, Reactor, Readiness, Remote, Stopped, run_main,
};
pub use procession_utils::{
    Outcome, OutputError, Run, get_process_output, get_process_output_and_value,
    get_process_output_merged, get_process_value, run_all,
};
pub use std::error::Error;
pub use std::io;
pub use std::time::Duration;
