//! Children on tokio, with any descriptors, on terminals, in groups of their own.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod child;
mod command;
mod ends;
mod exit_watch;
mod growth;
mod source;
mod stdio;
mod sys;

pub use child::{Child, ChildStderr, ChildStdin, ChildStdout};
pub use command::Command;
pub use ends::{ChildReader, ChildWriter};
pub use procession_core::Signal;
pub use procession_process_transport::{
    Fd, FileMode, Pty, Resource, Rlimit, SpawnError, Spawned, Step, TakeError,
    end_children_with_program,
};
pub use procession_protocol::{
    ChildFd, ExitReason, ExitReasonExt, SignalError, SpawnPath, Termination,
};
pub use stdio::Stdio;
