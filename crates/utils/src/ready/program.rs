//! Starts one program and waits until it is ready, without a monitor.

use std::fmt;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Deferred, Promise, Signal};
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::{ChildFd, ExitReason, Process};
use procession_reactor::{DelayedCall, Handle, JoinHandle};

use super::error::ReadyError;
use super::how::Ready;
use super::watch::{News, Watch, WatchGuard};
use crate::OutputLine;
use crate::listening::{self, Listener, Listening, without_input};
use crate::message::quoted;
use crate::run::prepared::with_safe_ends;
use crate::tail::Tail;

/// How much output is kept.
const KEPT_BYTES: usize = 64 * 1024;
/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(2);

impl Ready {
    /// Starts a program on the reactor of this thread, and waits until it is ready.
    ///
    /// The program leads a session and a process group of its own, as that of a [`Run`](crate::Run)
    /// does. Its standard input is empty, unless the command says something else. If it is not ready
    /// within `timeout`, and if it ends before it is ready, what is left of its group is ended: TERM, and
    /// KILL after two seconds. Then the result is an error with the output so far. Dropping the
    /// `Deferred` ends the group in the background.
    ///
    /// # Errors
    ///
    /// The `Deferred` fails with [`ReadyError`].
    ///
    /// # Panics
    ///
    /// If the thread has no reactor ([`Handle::current`]).
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Command, Reactor, Ready};
    /// use std::time::Duration;
    ///
    /// let folder = std::env::temp_dir().join(format!("ready-{}", std::process::id()));
    /// std::fs::create_dir_all(&folder)?;
    /// let (file, script) = (folder.join("up"), "sleep 0.05; touch up; sleep 60");
    /// let server = Command::new("sh").args(["-c", script]).current_dir(&folder);
    ///
    /// let mut reactor = Reactor::new()?;
    /// let server = Ready::file(&file).start(server, Duration::from_secs(5));
    /// let server = reactor.block_on(server)?;
    /// assert!(file.exists());
    /// drop(server); // and its group ends
    /// # std::fs::remove_dir_all(folder)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use = "dropping the result ends the program"]
    #[track_caller]
    pub fn start(
        self,
        command: impl Into<Command>,
        timeout: Duration,
    ) -> Deferred<ReadyProgram, ReadyError> {
        self.start_on(&Handle::current(), command, timeout)
    }

    /// Does the same on this reactor.
    #[must_use = "dropping the result ends the program"]
    pub fn start_on(
        self,
        reactor: &Handle,
        command: impl Into<Command>,
        timeout: Duration,
    ) -> Deferred<ReadyProgram, ReadyError> {
        let command = command.into();
        let line = quoted(&command);
        let command = with_safe_ends(without_input(command), true, GRACE);
        match Watch::prepare(&self, command) {
            Ok((command, watch)) => Start::begin(reactor, self, line, &command, watch, timeout),
            Err(source) => {
                Deferred::ready(Err(ReadyError::Watch { command: line, ready: self, source }))
            }
        }
    }
}

/// A program that is ready. Its drop ends its process group, by TERM and, after two seconds, KILL.
#[must_use = "its drop ends the program"]
pub struct ReadyProgram {
    process: Process,
    start: Rc<Start>,
}

impl ReadyProgram {
    /// Returns the handle for signals and waits.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Returns the last 64 KiB of both outputs so far, as whole lines. More output is read and discarded.
    pub fn output(&self) -> Bytes {
        self.start.tail.with(|tail| tail.bytes())
    }
}

impl Drop for ReadyProgram {
    fn drop(&mut self) {
        listening::terminate(&self.process, Signal::TERM, GRACE).done(drop);
    }
}

impl fmt::Debug for ReadyProgram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadyProgram").field("process", &self.process).finish_non_exhaustive()
    }
}

/// The start of one program. The protocol, the timer and the watch report facts.
struct Start {
    reactor: Handle,
    ready: Ready,
    /// Program and arguments, quoted for messages.
    line: String,
    since: Duration,
    watch: Watch,
    tail: WithCell<Tail>,
    promise: Promise<ReadyProgram, ReadyError>,
    progress: WithCell<Progress>,
}

#[derive(Default)]
struct Progress {
    /// There is a result, or it is being prepared.
    is_decided: bool,
    process: Option<Process>,
    look: Option<JoinHandle<()>>,
    guard: Option<WatchGuard>,
    timer: Option<DelayedCall>,
}

impl Start {
    fn begin(
        reactor: &Handle,
        ready: Ready,
        line: String,
        command: &Command,
        watch: Watch,
        timeout: Duration,
    ) -> Deferred<ReadyProgram, ReadyError> {
        let (promise, deferred) = Deferred::new();
        let start = Rc::new(Self {
            reactor: reactor.clone(),
            ready,
            line,
            since: reactor.now(),
            watch,
            tail: WithCell::new(Tail::new(KEPT_BYTES)),
            promise,
            progress: WithCell::new(Progress::default()),
        });
        let weak = Rc::downgrade(&start);
        start.promise.on_cancel(move || {
            if let Some(start) = weak.upgrade() {
                start.give_up();
            }
        });
        let weak = Rc::downgrade(&start);
        let timer = reactor.call_at_deadline(timeout, move |_| {
            if let Some(start) = weak.upgrade() {
                start.fail(|start, output| {
                    let after = start.reactor.now().saturating_sub(start.since);
                    let (command, ready) = start.about();
                    ReadyError::TimedOut { command, ready, after, output }
                });
            }
        });
        start.progress.with(|progress| progress.timer = Some(timer));
        if let Some(fault) = start.ready.fault() {
            start.fail(|start, _| {
                let (command, ready) = start.about();
                let source = io::Error::new(io::ErrorKind::InvalidInput, fault);
                ReadyError::Watch { command, ready, source }
            });
            return deferred;
        }
        match start.watch.look_before(reactor) {
            None => start.spawn(command),
            Some(look) => {
                let (begun, command) = (Rc::clone(&start), command.clone());
                let look = reactor.spawn_local(async move {
                    if look.await {
                        begun.fail(|start, _| {
                            let (command, ready) = start.about();
                            ReadyError::AlreadyReady { command, ready }
                        });
                    } else {
                        begun.spawn(&command);
                    }
                });
                start.progress.with(|progress| progress.look = Some(look));
            }
        }
        deferred
    }

    fn spawn(self: &Rc<Self>, command: &Command) {
        if self.progress.with(|progress| progress.is_decided) {
            return;
        }
        let protocol = Listening::new(&Rc::new(StartListener(Rc::clone(self))), command);
        let process = match self.reactor.spawn_process(protocol, command) {
            Ok(process) => process,
            Err(error) => return self.fail(|_, _| ReadyError::Spawn(error)),
        };
        let me = Rc::downgrade(self);
        let begun = self.watch.begin(&self.reactor, process.pid(), move |news| {
            if let (Some(me), News::Ready) = (me.upgrade(), news) {
                me.on_ready();
            }
        });
        match begun {
            Ok(guard) => self.progress.with(|progress| progress.guard = Some(guard)),
            Err(source) => self.fail(|start, _| {
                let (command, ready) = start.about();
                ReadyError::Watch { command, ready, source }
            }),
        }
    }

    fn on_ready(self: &Rc<Self>) {
        let Some(Progress { process: Some(process), .. }) = self.decide() else { return };
        self.promise.complete(Ok(ReadyProgram { process, start: Rc::clone(self) }));
    }

    /// Returns what an error names: the command and the readiness.
    fn about(&self) -> (String, Ready) {
        (self.line.clone(), self.ready.clone())
    }

    /// Ends what has started; then the result is this error.
    fn fail(self: &Rc<Self>, error: impl FnOnce(&Self, Bytes) -> ReadyError) {
        let Some(progress) = self.decide() else { return };
        let output = self.tail.with(|tail| tail.bytes());
        let error = error(self, output);
        let Some(process) = progress.process else { return self.promise.complete(Err(error)) };
        let start = Rc::clone(self);
        listening::terminate(&process, Signal::TERM, GRACE)
            .done(move |_| start.promise.complete(Err(error)));
    }

    fn give_up(&self) {
        if let Some(Progress { process: Some(process), .. }) = self.decide() {
            listening::terminate(&process, Signal::TERM, GRACE).done(drop);
        }
    }

    /// Ends the watch. Returns what there was, the first time.
    fn decide(&self) -> Option<Progress> {
        let decided = Progress { is_decided: true, ..Progress::default() };
        let mut progress = self.progress.replace(decided);
        if progress.is_decided {
            return None;
        }
        drop(progress.guard.take());
        if let Some(timer) = progress.timer.take() {
            timer.cancel();
        }
        if let Some(look) = progress.look.take() {
            look.cancel();
        }
        Some(progress)
    }
}

/// The protocol's way to the start.
struct StartListener(Rc<Start>);

impl Listener for StartListener {
    fn on_started(&self, process: &Process) {
        self.0.progress.with(|progress| progress.process = Some(process.clone()));
    }

    fn on_line(&self, line: OutputLine) {
        self.0.tail.with(|tail| tail.push_line(&line));
        let is_decided = self.0.progress.with(|progress| progress.is_decided);
        if !is_decided && self.0.watch.is_shown_by_line(&line) {
            self.0.on_ready();
        }
    }

    fn on_fd_data(&self, fd: ChildFd, data: &[u8]) {
        if self.0.watch.is_shown_by_data(fd, data) {
            self.0.on_ready();
        }
    }

    fn on_exited(&self, reason: ExitReason) {
        self.0.fail(|start, output| {
            let (command, ready) = start.about();
            ReadyError::Exited { command, ready, reason, output }
        });
    }

    fn on_dropped(&self) {
        // The reactor is gone, or a callback has panicked: the program is ended, and the promise is dropped
        // with the last owner. A start that failed drops the protocol too, and then has its own error.
        if self.0.progress.with(|progress| progress.process.is_some()) {
            self.0.give_up();
        }
    }
}
