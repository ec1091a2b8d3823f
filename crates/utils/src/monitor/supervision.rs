//! Does what the state of a monitor decides, on a loop.
//!
//! The protocol of each run owns the supervision until its child has come to its end, and so does the
//! owner of the monitor. Timers and triggers hold weak references. Nothing is borrowed while a method of
//! something else is called.

mod requests;
mod runs;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use procession_core::driver::WithCell;
use procession_core::{Deferred, NoError, Promise};
use procession_reactor::driver::{EndWatch, OnEnd, Outlasting};
use procession_reactor::{Handle, Phase as TriggerPhase, SystemEvent, Trigger};

use super::entry::Entry;
use super::error::MonitorError;
use super::event::{Ended, MonitorChange, MonitorEvent};
use super::event_queue::EventQueue;
use super::state::{Moment, MonitorState, MonitorStep, ProgramId, Report};
use crate::deadline_timer::DeadlineTimer;
use crate::random::random;
use crate::trace;

pub(super) struct Supervision {
    reactor: Handle,
    state: WithCell<MonitorState>,
    programs: WithCell<BTreeMap<ProgramId, Entry>>,
    next_id: Cell<ProgramId>,
    /// The timer for the deadline of the state.
    timer: DeadlineTimer,
    /// A step is being done.
    is_acting: Cell<bool>,
    listeners: WithCell<Vec<Weak<EventQueue>>>,
    waiting: WithCell<Waiting>,
    /// Ends what waits when the reactor is dropped.
    _end: EndWatch,
}

/// Its drop, also by a panic, ends the doing of steps.
struct Acting<'a>(&'a Cell<bool>);

impl Drop for Acting<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// What the end of the monitor completes, and what has the shutdown wait for it.
#[derive(Default)]
struct Waiting {
    /// Complete when nothing lives and nothing will start by itself.
    ends: Vec<Promise<(), MonitorError>>,
    trigger: Option<Trigger>,
}

impl Supervision {
    pub(super) fn new(reactor: &Handle) -> Rc<Self> {
        let me = Rc::new_cyclic(|me: &Weak<Self>| Self {
            reactor: reactor.clone(),
            state: WithCell::new(MonitorState::default()),
            programs: WithCell::new(BTreeMap::new()),
            next_id: Cell::new(0),
            timer: DeadlineTimer::default(),
            is_acting: Cell::new(false),
            listeners: WithCell::new(Vec::new()),
            waiting: WithCell::new(Waiting::default()),
            _end: reactor.io().watch_end(me.clone()),
        });
        let weak = Rc::downgrade(&me);
        let stop = move |_: &Handle| Some(weak.upgrade()?.shut_down());
        let trigger =
            reactor.add_system_event_trigger(TriggerPhase::Before, SystemEvent::Shutdown, stop);
        me.waiting.with(|waiting| waiting.trigger = Some(trigger));
        me
    }

    /// Returns a result that comes when nothing lives and nothing will start by itself.
    pub(super) fn ended(&self) -> Deferred<(), MonitorError> {
        let (promise, deferred) = Deferred::new();
        if self.state.with(|state| state.is_over()) {
            promise.complete(self.result());
        } else if !self.reactor.is_closed() {
            self.waiting.with(|waiting| {
                // Those that nobody waits for any more are as many as the others at most.
                if waiting.ends.len() == waiting.ends.capacity() {
                    waiting.ends.retain(|promise| !promise.is_cancelled());
                }
                waiting.ends.push(promise);
            });
        }
        deferred
    }

    pub(super) fn listen(&self, queue: &Rc<EventQueue>) {
        if self.is_stopped() || self.reactor.is_closed() {
            queue.close();
        } else {
            self.listeners.with(|listeners| {
                if listeners.len() == listeners.capacity() {
                    listeners.retain(|queue| queue.strong_count() > 0);
                }
                listeners.push(Rc::downgrade(queue));
            });
        }
    }

    /// Stops everything in reverse order.
    pub(super) fn stop_all(self: &Rc<Self>) {
        self.report(|state, _| state.on_stop_all());
    }

    /// Stops everything. The result comes when it has ended.
    pub(super) fn shut_down(self: &Rc<Self>) -> Deferred<(), NoError> {
        self.stop_all();
        let (promise, stopped) = Deferred::new();
        self.ended().done(move |_| promise.complete(Ok(())));
        stopped
    }

    fn is_stopping(&self) -> bool {
        self.state.with(|state| state.is_stopping()) || self.reactor.is_closed()
    }

    fn is_stopped(&self) -> bool {
        self.is_stopping() && self.state.with(|state| state.is_over())
    }

    /// Gives a fact to the state, and does what is due then.
    fn report(self: &Rc<Self>, fact: impl FnOnce(&mut MonitorState, Moment)) {
        let random = u32::try_from(random() >> 32).unwrap_or(u32::MAX);
        let moment = Moment { now: self.reactor.now(), random };
        self.state.with(|state| fact(state, moment));
        self.go_on();
    }

    /// Does what is due. A fact that comes while a step is done only adds steps: otherwise the start of
    /// one program would be the caller of the start of the next one.
    fn go_on(self: &Rc<Self>) {
        if self.is_acting.replace(true) {
            return;
        }
        let acting = Acting(&self.is_acting);
        while let Some(step) = self.state.with(MonitorState::poll_step) {
            self.act(step);
        }
        drop(acting);
        let deadline = self.state.with(|state| state.poll_deadline());
        self.timer.set(&self.reactor, deadline, self, Self::on_time);
        // If all had ended before the stop, no step reports that.
        if self.is_stopped() {
            self.close_listeners();
        }
    }

    fn act(self: &Rc<Self>, step: MonitorStep) {
        match step {
            MonitorStep::Spawn(run) => self.spawn(run),
            MonitorStep::Terminate(run) | MonitorStep::EndRest(run) => self.terminate(run),
            MonitorStep::Report(id, report) => self.on_report(id, report),
            MonitorStep::Forget(id) => {
                self.emit(id, MonitorChange::Removed);
                let entry = self.programs.with(|programs| programs.remove(&id));
                drop(entry);
            }
            MonitorStep::Over => self.on_over(),
        }
    }

    fn on_over(&self) {
        let ends = self.waiting.with(|waiting| std::mem::take(&mut waiting.ends));
        if self.is_stopping() {
            self.close_listeners();
        }
        for end in ends {
            end.complete(self.result());
        }
    }

    /// Tells everybody who waits that nothing will come any more.
    fn leave_waiters(&self) {
        self.close_listeners();
        let ends = self.waiting.with(|waiting| std::mem::take(&mut waiting.ends));
        drop(ends);
    }

    fn close_listeners(&self) {
        for queue in self.listeners.take() {
            queue.upgrade().inspect(|queue| queue.close());
        }
    }

    /// Returns the result of an end: the first failure, unless it was a stop.
    fn result(&self) -> Result<(), MonitorError> {
        let failed = self.state.with(|state| state.failed()).filter(|_| !self.is_stopping());
        let failed = failed.and_then(|id| {
            self.programs.with(|programs| {
                let entry = programs.get(&id)?;
                let (program, reason) = (entry.name.to_string(), entry.shown.reason.clone());
                Some(MonitorError::Failed { program, reason, tail: entry.tail.bytes() })
            })
        });
        failed.map_or(Ok(()), Err)
    }

    fn on_report(&self, id: ProgramId, report: Report) {
        let now = self.reactor.now();
        let change = self.programs.with(|programs| {
            let entry = programs.get_mut(&id)?;
            entry.on_report(report, now);
            Some(change(entry, report, now))
        });
        if let Some(change) = change {
            self.emit(id, change);
        }
    }

    /// Gives an event to everybody who listens.
    fn emit(&self, id: ProgramId, change: MonitorChange) {
        let program = self.programs.with(|programs| Some(Arc::clone(&programs.get(&id)?.name)));
        let Some(program) = program else { return };
        // A subscriber of tracing may use the monitor.
        trace::kept(&program, &change);
        let queues: Vec<Rc<EventQueue>> = self.listeners.with(|listeners| {
            listeners.retain(|queue| queue.strong_count() > 0);
            listeners.iter().filter_map(Weak::upgrade).collect()
        });
        if queues.is_empty() {
            return;
        }
        let tail = self.programs.with(|programs| match (&change, programs.get(&id)) {
            (MonitorChange::Line(_), _) | (_, None) => Bytes::new(),
            (_, Some(entry)) => entry.tail.bytes(),
        });
        let event = MonitorEvent { program, change, tail, skipped: 0 };
        for queue in queues {
            queue.push(event.clone());
        }
    }

    fn on_time(self: &Rc<Self>) {
        self.timer.on_called();
        self.report(MonitorState::on_time);
    }
}

/// The reactor is gone: no event and no end will come. The trigger of a stop has done the rest.
impl OnEnd for Supervision {
    fn stopped(self: Rc<Self>) {}

    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        self.leave_waiters();
    }
}

/// The monitor has ended, or its reactor is gone.
impl Drop for Supervision {
    fn drop(&mut self) {
        self.leave_waiters();
        if let Some(trigger) = self.waiting.take().trigger {
            trigger.remove();
        }
        self.timer.cancel();
    }
}

/// Makes the change of an event from a report.
fn change(entry: &mut Entry, report: Report, now: Duration) -> MonitorChange {
    let after = now.saturating_sub(entry.run.since);
    match report {
        Report::Waiting => MonitorChange::Waiting,
        Report::Started => {
            MonitorChange::Started { pid: entry.run.process.as_ref().and_then(|one| one.pid()) }
        }
        Report::NotStarted => MonitorChange::NotStarted { reason: entry.shown.reason.clone() },
        Report::Ready => MonitorChange::Ready { after },
        Report::StartTimedOut => {
            entry.run.is_late = true;
            entry.shown.reason = format!("not ready after {:.1} s", after.as_secs_f64());
            MonitorChange::StartTimedOut
        }
        Report::Exited => match entry.run.exit.clone() {
            Some((reason, after)) => {
                let (how, seconds) = (Ended(&reason), after.as_secs_f64());
                let how = format!("{how} after {seconds:.1} s");
                entry.shown.reason =
                    if entry.run.is_late { format!("{}: {how}", entry.shown.reason) } else { how };
                MonitorChange::Exited { reason, after }
            }
            None => MonitorChange::Stopping,
        },
        Report::Pausing(pause) => MonitorChange::Pausing { pause },
        Report::Done => MonitorChange::Done,
        Report::Failed => MonitorChange::Failed { is_storm: false },
        Report::GaveUp => {
            entry.shown.reason = format!("too many failures: {}", entry.shown.reason);
            MonitorChange::Failed { is_storm: true }
        }
        Report::Stopping => MonitorChange::Stopping,
        Report::Stopped => MonitorChange::Stopped,
        Report::Survived => MonitorChange::Survived,
    }
}
