//! Starts and ends the runs of programs, and reports what they do.

use std::cell::Cell;
use std::io;
use std::rc::{Rc, Weak};
use std::time::Duration;

use procession_core::driver::Reason;
use procession_core::{Failed, Signal};
use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::{
    ChildFd, ExitReason, Process, ProcessTerminated, SignalError, UnknownEnd,
};

use super::Supervision;
use crate::OutputLine;
use crate::listening::{self, Listener, Listening, without_input};
use crate::monitor::entry::Entry;
use crate::monitor::event::MonitorChange;
use crate::monitor::state::RunId;
use crate::ready::{News, Watch};
use crate::run::prepared::with_safe_ends;

/// How long descendants that left the group may hold the outputs of a program that has exited.
const DRAIN: Duration = Duration::from_secs(1);

/// Starts.
impl Supervision {
    pub(super) fn spawn(self: &Rc<Self>, run: RunId) {
        let now = self.reactor.now();
        let begun = self.programs.with(|programs| {
            let entry = programs.get_mut(&run.program)?;
            let old = entry.begin_run(run.number, now);
            Some((old, entry.command.clone(), entry.policy.clone()))
        });
        let Some((old, command, policy)) = begun else { return };
        drop(old);
        let command = with_safe_ends(without_input(command), true, policy.stop_grace);
        let command = command.ended_by_owner().drain_after_exit(DRAIN);
        let Some(ready) = &policy.ready else { return self.launch(run, &command, None) };
        let (command, watch) = match Watch::prepare(ready, command) {
            Ok(prepared) => prepared,
            Err(error) => return self.start_failed(run, cannot_watch(&error)),
        };
        let watch = Rc::new(watch);
        let Some(look) = watch.look_before(&self.reactor) else {
            return self.launch(run, &command, Some(watch));
        };
        let (weak, ready) = (Rc::downgrade(self), ready.clone());
        let look = self.reactor.spawn_local(async move {
            let is_taken = look.await;
            let Some(me) = weak.upgrade() else { return };
            if is_taken {
                me.start_failed(run, format!("before its start, {ready}"));
            } else {
                me.launch(run, &command, Some(watch));
            }
        });
        self.with_run(run, |entry| entry.run.look = Some(look));
    }

    fn launch(self: &Rc<Self>, run: RunId, command: &Command, watch: Option<Rc<Watch>>) {
        let is_ready = Cell::new(watch.is_none());
        let listener = RunListener {
            to: Rc::clone(self),
            run,
            watch: watch.clone(),
            is_ready,
            lives: Cell::new(false),
        };
        let protocol = Listening::new(&Rc::new(listener), command);
        let process = match self.reactor.spawn_process(protocol, command) {
            Ok(process) => process,
            Err(error) => return self.start_failed(run, error.to_string()),
        };
        self.report(|state, moment| state.on_started(run, moment.now));
        let Some(watch) = watch else { return };
        let weak = Rc::downgrade(self);
        match watch.begin(&self.reactor, process.pid(), move |news| on_news(&weak, run, news)) {
            Ok(guard) => {
                let late = self.with_run(run, |entry| entry.run.guard.replace(guard));
                drop(late);
            }
            // Its exit is a failed start.
            Err(error) => {
                self.with_run(run, |entry| entry.shown.reason = cannot_watch(&error));
                self.report(|state, _| state.on_unwatched(run));
                process.signal_group(Signal::KILL).ok(); // it may have exited
            }
        }
    }

    fn start_failed(self: &Rc<Self>, run: RunId, reason: String) {
        self.with_run(run, |entry| entry.shown.reason = reason);
        self.report(|state, moment| state.on_start_failed(run, moment));
    }

    /// Changes the entry, if this is still its run.
    fn with_run<R>(&self, run: RunId, change: impl FnOnce(&mut Entry) -> R) -> Option<R> {
        self.programs.with(|programs| {
            let entry = programs.get_mut(&run.program);
            entry.filter(|entry| entry.run.number == run.number).map(change)
        })
    }
}

/// Ends.
impl Supervision {
    /// Terminates the group of a run, of which the leader may have exited.
    pub(super) fn terminate(self: &Rc<Self>, run: RunId) {
        let found = self.with_run(run, |entry| {
            let policy = &entry.policy;
            let process = entry.run.process.clone();
            (process, entry.run.look.take(), policy.stop_signal, policy.stop_grace)
        });
        let Some((process, look, signal, grace)) = found else { return };
        let Some(process) = process else {
            if let Some(look) = look {
                look.cancel();
            }
            return self.report(|state, moment| state.on_start_failed(run, moment));
        };
        drop(look);
        let me = Rc::clone(self);
        listening::terminate(&process, signal, grace).done(move |ended| {
            let is_gone = match ended {
                Ok(termination) => termination.is_gone(),
                Err(Failed::Error(SignalError::ProcessExitedAlready)) => true,
                Err(_) => false,
            };
            me.report(|state, moment| state.on_terminated(run, is_gone, moment));
        });
    }

    fn on_exited(self: &Rc<Self>, run: RunId, reason: ExitReason) {
        let now = self.reactor.now();
        let is_success = reason.is_ok();
        let guard = self.with_run(run, |entry| {
            let after = now.saturating_sub(entry.run.since);
            entry.run.exit = Some((reason, after));
            entry.run.guard.take()
        });
        drop(guard);
        self.report(|state, moment| state.on_exited(run, is_success, moment));
    }
}

fn cannot_watch(error: &io::Error) -> String {
    format!("cannot watch whether it is ready: {}", Reason(error))
}

fn on_news(to: &Weak<Supervision>, run: RunId, news: News) {
    let Some(me) = to.upgrade() else { return };
    match news {
        News::Ready => me.report(|state, moment| state.on_ready(run, moment.now)),
        News::Status(text) => {
            me.with_run(run, |entry| entry.shown.status = Some(text.clone()));
            me.emit(run.program, MonitorChange::Status { text });
        }
    }
}

/// Reports what one run does.
struct RunListener {
    to: Rc<Supervision>,
    run: RunId,
    watch: Option<Rc<Watch>>,
    /// Its lines and descriptors need no look.
    is_ready: Cell<bool>,
    /// It has started, and was not reported as exited.
    lives: Cell<bool>,
}

impl RunListener {
    fn on_ready(&self) {
        self.is_ready.set(true);
        self.to.report(|state, moment| state.on_ready(self.run, moment.now));
    }
}

impl Listener for RunListener {
    fn on_started(&self, process: &Process) {
        self.lives.set(true);
        self.to.with_run(self.run, |entry| entry.run.process = Some(process.clone()));
    }

    fn on_line(&self, line: OutputLine) {
        let id = self.run.program;
        self.to.programs.with(|programs| {
            if let Some(entry) = programs.get_mut(&id) {
                entry.tail.push_line(&line);
            }
        });
        let is_shown = !self.is_ready.get()
            && self.watch.as_ref().is_some_and(|watch| watch.is_shown_by_line(&line));
        self.to.emit(id, MonitorChange::Line(line));
        if is_shown {
            self.on_ready();
        }
    }

    fn on_fd_data(&self, fd: ChildFd, data: &[u8]) {
        let is_shown = self.watch.as_ref().is_some_and(|watch| watch.is_shown_by_data(fd, data));
        if is_shown && !self.is_ready.get() {
            self.on_ready();
        }
    }

    fn on_exited(&self, reason: ExitReason) {
        self.lives.set(false);
        self.to.on_exited(self.run, reason);
    }

    fn on_dropped(&self) {
        if self.lives.get() && !self.to.reactor.is_closed() {
            // A callback has panicked. The group is ended.
            let lost = ProcessTerminated::unknown(UnknownEnd::NotReaped);
            self.to.on_exited(self.run, Err(lost));
        }
    }
}
