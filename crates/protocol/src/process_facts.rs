//! Methods of [`Process`] that return facts of the child, or concern its terminal; the equality of
//! handles.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::ptr;
use std::rc::Rc;

use procession_core::{Deferred, NoError, Signal};

use crate::{ChildFd, ExitReason, ForwardError, Process, SpawnPath, Target, Termios, WindowSize};

/// Facts.
impl Process {
    /// Moves the data that the child writes to `fd` to another child, a connection, a socket or a file,
    /// until their end.
    ///
    /// If the kernel can splice (`splice(2)`), the bytes do not pass through the program. The source
    /// waits while the target is full. From this call on the protocol receives no data of `fd`,
    /// but its loss is reported. At the end of the source the target is closed; if the target is lost,
    /// the source is closed, and its writer gets SIGPIPE. The result is the number of bytes moved.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails if `fd` or the target is not available, if the target is lost or the
    /// [hard limit](Self::set_write_hard_limit) of its queue refuses a copy, and with `ConnectionAborted`
    /// if the reactor stops before the source has ended.
    ///
    /// # Platform
    ///
    /// If the kernel cannot splice, the bytes are copied, with the same outcome.
    pub fn forward(&self, fd: impl Into<ChildFd>, target: Target) -> Deferred<u64, ForwardError> {
        self.0.forward(fd.into(), target)
    }

    /// Returns the capacity of the pipe of `fd` in bytes; `None` if `fd` is not a pipe.
    ///
    /// The capacity starts at the system's default, 64 KiB on Linux, and grows while much data passes.
    pub fn pipe_size(&self, fd: impl Into<ChildFd>) -> Option<usize> {
        self.0.pipe_size(fd.into())
    }

    /// Waits until the child is reaped and every pipe is closed, and returns how the child ended.
    ///
    /// The protocol gets [`process_ended`](crate::ProcessProtocol::process_ended) first; a later call
    /// of this method has its result at once. Any number of callers may wait. Dropping the result has no
    /// effect on the child.
    ///
    /// # Errors
    ///
    /// `Abandoned` if the protocol panics, or the reactor is dropped, before the end.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{FakeProcess, ProcessProtocol};
    ///
    /// struct Quiet;
    /// impl ProcessProtocol for Quiet {}
    ///
    /// let mut fake = FakeProcess::new(Quiet);
    /// let ended = fake.process().ended();
    /// fake.exit(3);
    /// assert_eq!(ended.try_take().unwrap().unwrap().unwrap_err().exit_code(), Some(3));
    /// ```
    #[doc(alias = "wait")]
    #[doc(alias = "try_wait")]
    #[must_use = "it waits only when it is awaited, or has a callback"]
    pub fn ended(&self) -> Deferred<ExitReason, NoError> {
        self.0.ended()
    }

    /// Returns the pid, or `None` once the child was reaped.
    #[doc(alias = "id")]
    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// Returns the signal that stopped the child, or `None` if the child is not stopped or is a fake.
    ///
    /// A stop that the program itself has waited for (`WUNTRACED` in `waitpid(2)`) is not seen; nor is
    /// any stop on a system other than Linux.
    pub fn stopped_by(&self) -> Option<Signal> {
        self.0.stopped_by()
    }

    /// Returns the process group that the child leads, or `None` if it leads none.
    pub fn group(&self) -> Option<u32> {
        self.0.group()
    }

    /// Returns how the child was started, or `None` if it is a fake.
    pub fn spawned_by(&self) -> Option<SpawnPath> {
        self.0.spawned_by()
    }

    /// Returns whether this process launched the child; false in a forked copy of that process. Code that
    /// acts because a value is dropped calls this first.
    #[doc(hidden)]
    pub fn is_launched_here(&self) -> bool {
        self.0.is_launched_here()
    }

    /// Calls `call` with the parent's end of `fd`, or returns `None` if there is none.
    pub fn with_fd<R>(
        &self,
        fd: impl Into<ChildFd>,
        call: impl FnOnce(BorrowedFd<'_>) -> R,
    ) -> Option<R> {
        let mut call = Some(call);
        let mut answer = None;
        self.0.with_fd(fd.into(), &mut |fd| {
            if let Some(call) = call.take() {
                answer = Some(call(fd));
            }
        });
        answer
    }

    /// Returns a duplicate of the child's pidfd.
    ///
    /// # Errors
    ///
    /// `Unsupported` if there is none, or the error of the kernel.
    pub fn pidfd(&self) -> io::Result<OwnedFd> {
        self.0.pidfd()
    }
}

/// Terminals.
impl Process {
    /// Sets the size of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the command gave the child no terminal; `BrokenPipe` if the terminal is closed;
    /// `NotConnected` if the reactor is gone; else the kernel's error.
    #[doc(alias = "TIOCSWINSZ")]
    pub fn resize(&self, rows: u16, columns: u16) -> io::Result<()> {
        self.0.resize(rows, columns)
    }

    /// Returns the size of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the command gave the child no terminal; `BrokenPipe` if the terminal is closed;
    /// `NotConnected` if the reactor is gone; else the kernel's error.
    #[doc(alias = "TIOCGWINSZ")]
    pub fn window_size(&self) -> io::Result<WindowSize> {
        self.0.window_size()
    }

    /// Returns the settings of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the command gave the child no terminal; `BrokenPipe` if the terminal is closed;
    /// `NotConnected` if the reactor is gone; else the kernel's error.
    #[doc(alias = "tcgetattr")]
    pub fn termios(&self) -> io::Result<Termios> {
        self.0.termios()
    }

    /// Changes the settings of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the command gave the child no terminal; `BrokenPipe` if the terminal is closed;
    /// `NotConnected` if the reactor is gone; else the kernel's error.
    #[doc(alias = "tcsetattr")]
    pub fn set_termios(&self, settings: &Termios) -> io::Result<()> {
        self.0.set_termios(settings)
    }

    /// Types the end-of-file character of the child's terminal.
    ///
    /// # Errors
    ///
    /// `Unsupported` if the command gave the child no terminal; `BrokenPipe` if the terminal is closed;
    /// `NotConnected` if the reactor is gone; else the kernel's error.
    #[doc(alias = "VEOF")]
    pub fn send_eof(&self) -> io::Result<()> {
        self.0.send_eof()
    }
}

/// Handles are equal if they act on the same child.
impl PartialEq for Process {
    fn eq(&self, other: &Self) -> bool {
        ptr::addr_eq(Rc::as_ptr(&self.0), Rc::as_ptr(&other.0))
    }
}

impl Eq for Process {}

impl Hash for Process {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Rc::as_ptr(&self.0).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("pid", &self.0.pid()).finish_non_exhaustive()
    }
}
