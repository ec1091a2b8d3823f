//! Pure core: facts about the programs of a monitor in (`on_*`), what is due out (`poll_*`). It decides
//! when each program starts, pauses and stops.
//!
//! # Model
//!
//! A program is in one [`Phase`]. It *lives* in the phases starting, running and stopping. What its owner
//! wants is [`Wanted`], and `again` says that it is to stop and then to start.
//!
//! - A program starts when all programs that it comes after are ready: they run and are not about to
//!   stop, or have ended with success for good.
//! - A program that is to stop is terminated when no program that comes after it and is to stop as well
//!   lives. So a stop of all goes in reverse order.
//! - An end that nobody asked for is judged by the rules of the program: it pauses and starts again, or
//!   it is done, or it has failed.
//!
//! Inputs, in any order: configurations, requests, starts and their failures, readiness, exits, ends of
//! terminations, time. Facts about a run that is not the current one, late and repeated facts are
//! ignored.
//!
//! Outputs: [`MonitorStep`]s, which the driver does in order. For each program there is at most one run
//! that was not reported as exited and terminated. `Terminate` comes at most once for a run, and
//! `EndRest` only for a run without `Terminate`. `Over` comes each time when nothing lives, pauses, or is
//! still being ended. After `on_stop_all` nothing is spawned. Polled until there is none after every
//! input.

mod backoff;
mod program;
mod requests;
mod rules;
mod step;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;
use std::time::Duration;

pub(crate) use self::program::{Down, Ending, Phase};
use self::program::{Program, Wanted};
pub(crate) use self::rules::{Change, Moment, ProgramRules, Restart};
pub(crate) use self::step::{MonitorStep, ProgramId, Report, RunId};

/// What a program does next by itself.
#[derive(Debug, Clone, Copy)]
enum Act {
    Start,
    Stop,
    Rest,
    Forget,
}

/// Decides about the programs of one monitor. The module's page has the model.
#[derive(Debug, Default)]
#[cfg_attr(test, derive(Clone))]
pub(crate) struct MonitorState {
    programs: BTreeMap<ProgramId, Program>,
    /// Runs that exited by themselves and whose groups are being ended.
    rests: BTreeSet<RunId>,
    is_stopping: bool,
    is_over: bool,
    due: VecDeque<MonitorStep>,
}

/// Facts.
impl MonitorState {
    /// Notes that the program has started.
    pub(crate) fn on_started(&mut self, run: RunId, now: Duration) {
        let Some(program) = self.current(run) else { return };
        if !matches!(program.phase, Phase::Starting { is_started: false, .. }) {
            return;
        }
        let timeout = program.rules.start_timeout;
        program.phase = if program.rules.has_readiness {
            let deadline = timeout.and_then(|timeout| now.checked_add(timeout));
            Phase::Starting { is_started: true, deadline }
        } else {
            Phase::Running { since: now }
        };
        self.report(run.program, Report::Started);
        self.settle();
    }

    /// Notes that the program could not be started, or that its start was given up.
    pub(crate) fn on_start_failed(&mut self, run: RunId, moment: Moment) {
        let Some(program) = self.current(run) else { return };
        match program.phase {
            Phase::Starting { .. } => {
                self.report(run.program, Report::NotStarted);
                self.end(run.program, false, None, moment);
            }
            Phase::Stopping(ending) => self.stopped(run.program, ending, moment),
            _ => {}
        }
        self.settle();
    }

    /// Notes that a program that has started cannot be watched for its readiness. It is killed.
    pub(crate) fn on_unwatched(&mut self, run: RunId) {
        if self.current(run).is_some() {
            self.report(run.program, Report::NotStarted);
        }
    }

    /// Notes that the program is ready.
    pub(crate) fn on_ready(&mut self, run: RunId, now: Duration) {
        let Some(program) = self.current(run) else { return };
        if matches!(program.phase, Phase::Starting { is_started: true, .. }) {
            program.phase = Phase::Running { since: now };
            self.report(run.program, Report::Ready);
            self.settle();
        }
    }

    /// Notes that the leader of the run was reaped. Its outputs may still be open.
    pub(crate) fn on_exited(&mut self, run: RunId, is_success: bool, moment: Moment) {
        let Some(program) = self.current(run) else { return };
        match program.phase {
            Phase::Starting { .. } | Phase::Running { .. } => {
                let since = match program.phase {
                    Phase::Running { since } => Some(moment.now.saturating_sub(since)),
                    _ => None,
                };
                self.rests.insert(run);
                self.report(run.program, Report::Exited);
                self.due.push_back(MonitorStep::EndRest(run));
                self.end(run.program, is_success, since, moment);
            }
            Phase::Stopping(ending) if !ending.exited => {
                self.report(run.program, Report::Exited);
                self.go_on_stopping(run.program, Ending { exited: true, ..ending }, moment);
            }
            _ => {}
        }
        self.settle();
    }

    /// Notes that a termination is over. If not `is_gone`, a process has outlived it, which may be the
    /// leader.
    pub(crate) fn on_terminated(&mut self, run: RunId, is_gone: bool, moment: Moment) {
        self.rests.remove(&run);
        if let Some(program) = self.current(run)
            && let Phase::Stopping(ending) = program.phase
        {
            if !is_gone {
                self.report(run.program, Report::Survived);
            }
            let exited = ending.exited || !is_gone;
            self.go_on_stopping(run.program, Ending { exited, terminated: true, ..ending }, moment);
        }
        self.settle();
    }

    /// Notes that the time has come: pauses and start timeouts end.
    pub(crate) fn on_time(&mut self, moment: Moment) {
        let ids: Vec<ProgramId> = self.programs.keys().copied().collect();
        for id in ids {
            let Some(program) = self.programs.get_mut(&id) else { continue };
            match program.phase {
                Phase::Pausing { until } if until <= moment.now => program.wait(),
                // One that is to stop anyway waits for its turn.
                Phase::Starting { deadline: Some(at), .. }
                    if at <= moment.now && !program.is_to_stop() =>
                {
                    self.report(id, Report::StartTimedOut);
                    self.stop(id, true);
                }
                _ => {}
            }
        }
        self.settle();
    }

    fn current(&mut self, run: RunId) -> Option<&mut Program> {
        self.programs.get_mut(&run.program).filter(|program| program.run == run.number)
    }

    fn report(&mut self, id: ProgramId, report: Report) {
        self.due.push_back(MonitorStep::Report(id, report));
    }

    fn go_on_stopping(&mut self, id: ProgramId, ending: Ending, moment: Moment) {
        if ending.exited && ending.terminated {
            self.stopped(id, ending, moment);
        } else if let Some(program) = self.programs.get_mut(&id) {
            program.phase = Phase::Stopping(ending);
        }
    }

    fn stopped(&mut self, id: ProgramId, ending: Ending, moment: Moment) {
        let Some(program) = self.programs.get_mut(&id) else { return };
        if ending.is_failure && !program.is_to_stop() {
            return self.end(id, false, None, moment);
        }
        if program.wanted == Wanted::Up {
            program.wait();
        } else {
            program.phase = Phase::Down(Down::Asked);
            self.report(id, Report::Stopped);
        }
    }

    /// Judges an end that nobody asked for.
    fn end(&mut self, id: ProgramId, is_success: bool, ran: Option<Duration>, moment: Moment) {
        let Some(program) = self.programs.get_mut(&id) else { return };
        if program.wanted != Wanted::Up {
            program.phase = Phase::Down(Down::Asked);
            return self.report(id, Report::Stopped);
        }
        if mem::take(&mut program.again) {
            return program.wait();
        }
        let starts_again = match program.rules.restart {
            Restart::Always => true,
            Restart::OnFailure => !is_success,
            Restart::Never => false,
        };
        let (phase, report) = if !starts_again {
            let (down, report) = if is_success {
                (Down::Done, Report::Done)
            } else {
                (Down::Failed, Report::Failed)
            };
            (Phase::Down(down), report)
        } else if let Some(pause) = program.backoff.on_end(ran, moment, &program.rules) {
            let until = moment.now.saturating_add(pause);
            (Phase::Pausing { until }, Report::Pausing(pause))
        } else {
            (Phase::Down(Down::Failed), Report::GaveUp)
        };
        program.phase = phase;
        self.report(id, report);
    }
}

/// What is due.
impl MonitorState {
    /// Takes what is due next.
    pub(crate) fn poll_step(&mut self) -> Option<MonitorStep> {
        self.due.pop_front()
    }

    /// Returns the time at which to call [`on_time`](Self::on_time), if there is one.
    pub(crate) fn poll_deadline(&self) -> Option<Duration> {
        let times = self.programs.values().filter_map(|program| match program.phase {
            Phase::Pausing { until } => Some(until),
            Phase::Starting { deadline, .. } if !program.is_to_stop() => deadline,
            _ => None,
        });
        times.min()
    }

    /// Returns the phase of each program.
    pub(crate) fn phases(&self) -> BTreeMap<ProgramId, Phase> {
        self.programs.iter().map(|(id, program)| (*id, program.phase)).collect()
    }

    /// Returns whether everything is to stop for good.
    pub(crate) fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// Returns whether nothing lives, and nothing will start by itself.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Returns the first program that failed for good.
    pub(crate) fn failed(&self) -> Option<ProgramId> {
        let failed = |program: &Program| program.phase == Phase::Down(Down::Failed);
        self.programs.iter().find(|(_, program)| failed(program)).map(|(id, _)| *id)
    }

    /// Has every program do what it can do now.
    fn settle(&mut self) {
        while let Some((id, act)) = self.next_act() {
            match act {
                Act::Start => self.start(id),
                Act::Stop => self.stop(id, false),
                Act::Rest => {
                    self.with(id, |program| program.phase = Phase::Down(Down::Asked));
                    self.report(id, Report::Stopped);
                }
                Act::Forget => {
                    self.programs.remove(&id);
                    self.due.push_back(MonitorStep::Forget(id));
                }
            }
        }
        for (id, program) in &mut self.programs {
            if program.phase == Phase::Waiting
                && !mem::replace(&mut program.is_waiting_reported, true)
            {
                self.due.push_back(MonitorStep::Report(*id, Report::Waiting));
            }
        }
        let goes_on =
            |program: &Program| program.lives() || matches!(program.phase, Phase::Pausing { .. });
        let is_over = self.rests.is_empty() && !self.programs.values().any(goes_on);
        if is_over && !self.is_over {
            self.due.push_back(MonitorStep::Over);
        }
        self.is_over = is_over;
    }

    fn with(&mut self, id: ProgramId, change: impl FnOnce(&mut Program)) {
        if let Some(program) = self.programs.get_mut(&id) {
            change(program);
        }
    }

    fn next_act(&self) -> Option<(ProgramId, Act)> {
        self.programs.iter().find_map(|(id, program)| Some((*id, self.act_of(*id, program)?)))
    }

    fn act_of(&self, id: ProgramId, program: &Program) -> Option<Act> {
        let is_wanted = program.wanted == Wanted::Up;
        match program.phase {
            Phase::Down(_) if program.wanted == Wanted::Gone => Some(Act::Forget),
            Phase::Waiting | Phase::Pausing { .. } if !is_wanted => Some(Act::Rest),
            Phase::Waiting if self.may_start(program) => Some(Act::Start),
            Phase::Starting { .. } | Phase::Running { .. } => {
                (program.is_to_stop() && !self.is_needed(id)).then_some(Act::Stop)
            }
            _ => None,
        }
    }

    fn may_start(&self, program: &Program) -> bool {
        let is_ready = |id: &ProgramId| self.programs.get(id).is_none_or(Program::is_ready);
        !self.is_stopping && program.rules.after.iter().all(is_ready)
    }

    /// Returns whether something of a program that comes after this one is to end before it.
    fn is_needed(&self, id: ProgramId) -> bool {
        let has_rest = |id: ProgramId| self.rests.iter().any(|run| run.program == id);
        let is_ending =
            |program: &Program| program.is_to_stop() || matches!(program.phase, Phase::Stopping(_));
        self.programs.iter().any(|(other, program)| {
            let ends = program.lives() && is_ending(program) || has_rest(*other);
            program.rules.after.contains(&id) && ends
        })
    }

    fn start(&mut self, id: ProgramId) {
        self.with(id, |program| {
            program.run += 1;
            program.phase = Phase::Starting { is_started: false, deadline: None };
        });
        if let Some(program) = self.programs.get(&id) {
            self.due.push_back(MonitorStep::Spawn(RunId { program: id, number: program.run }));
        }
    }

    fn stop(&mut self, id: ProgramId, is_failure: bool) {
        let Some(program) = self.programs.get_mut(&id) else { return };
        let ending = Ending { exited: false, terminated: false, is_failure };
        program.phase = Phase::Stopping(ending);
        let run = RunId { program: id, number: program.run };
        self.report(id, Report::Stopping);
        self.due.push_back(MonitorStep::Terminate(run));
    }
}
