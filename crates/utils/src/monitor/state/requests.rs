//! Configurations and requests: what the owner of the monitor wants.

use std::collections::BTreeSet;

use super::MonitorState;
use super::program::{Phase, Program, Wanted};
use super::rules::{Change, ProgramRules};
use super::step::ProgramId;

impl MonitorState {
    /// Replaces the configuration. Programs that it lacks stop. Programs that come after one that
    /// restarts, restart as well.
    pub(crate) fn on_configured(&mut self, programs: Vec<(ProgramId, ProgramRules, Change)>) {
        if self.is_stopping {
            return;
        }
        let ids: BTreeSet<ProgramId> = programs.iter().map(|(id, ..)| *id).collect();
        for (id, program) in &mut self.programs {
            if !ids.contains(id) {
                (program.wanted, program.again) = (Wanted::Gone, false);
            }
        }
        let mut restarting = BTreeSet::new();
        for (id, rules, change) in programs {
            match self.programs.get_mut(&id) {
                Some(program) => {
                    program.rules = rules;
                    if change != Change::None || program.wanted == Wanted::Gone {
                        restarting.insert(id);
                    }
                }
                None => {
                    self.programs.insert(id, Program::new(rules));
                }
            }
        }
        for id in &restarting {
            self.restart(*id);
        }
        self.restart_followers(restarting);
        self.settle();
    }

    fn restart_followers(&mut self, mut restarting: BTreeSet<ProgramId>) {
        loop {
            let follows = |id: &ProgramId, program: &Program| {
                let rules = &program.rules;
                !restarting.contains(id) && rules.after.iter().any(|one| restarting.contains(one))
            };
            let next = self.programs.iter().find(|(id, program)| follows(id, program));
            let Some((&id, program)) = next else { return };
            if program.lives() && program.wanted == Wanted::Up {
                self.restart(id);
            }
            restarting.insert(id);
        }
    }

    /// Starts a program that is down, pauses or stops. It still waits for others.
    pub(crate) fn on_start(&mut self, id: ProgramId) {
        let Some(program) = self.asked(id) else { return };
        program.wanted = Wanted::Up;
        program.backoff.clear();
        match program.phase {
            Phase::Down(_) | Phase::Pausing { .. } => program.wait(),
            Phase::Stopping(_) => program.again = true,
            Phase::Waiting | Phase::Starting { .. } | Phase::Running { .. } => {}
        }
        self.settle();
    }

    /// Stops a program for good.
    pub(crate) fn on_stop(&mut self, id: ProgramId) {
        let Some(program) = self.asked(id) else { return };
        (program.wanted, program.again) = (Wanted::Down, false);
        self.settle();
    }

    /// Stops a program if it lives, and starts it.
    pub(crate) fn on_restart(&mut self, id: ProgramId) {
        if self.asked(id).is_some() {
            self.restart(id);
            self.settle();
        }
    }

    /// Stops everything, in reverse order. Nothing is started any more.
    pub(crate) fn on_stop_all(&mut self) {
        self.is_stopping = true;
        for program in self.programs.values_mut() {
            if program.wanted == Wanted::Up {
                program.wanted = Wanted::Down;
            }
            program.again = false;
        }
        self.settle();
    }

    fn asked(&mut self, id: ProgramId) -> Option<&mut Program> {
        let is_stopping = self.is_stopping;
        let program = self.programs.get_mut(&id);
        program.filter(|program| !is_stopping && program.wanted != Wanted::Gone)
    }

    fn restart(&mut self, id: ProgramId) {
        let Some(program) = self.programs.get_mut(&id) else { return };
        program.wanted = Wanted::Up;
        program.backoff.clear();
        if program.lives() {
            program.again = true;
        } else {
            program.wait();
        }
    }
}
