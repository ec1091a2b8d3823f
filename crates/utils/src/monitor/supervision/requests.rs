//! What the owner of a monitor asks for.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::Supervision;
use crate::monitor::entry::Entry;
use crate::monitor::error::MonitorError;
use crate::monitor::plan::Monitor;
use crate::monitor::state::{Change, MonitorState, Phase, ProgramId, ProgramRules};
use crate::monitor::table::MonitorTable;

type Changes = Vec<(ProgramId, ProgramRules, Change)>;

impl Supervision {
    /// Sets the first configuration. The programs start in the next turn, so that whoever asks for the
    /// events by then misses none.
    pub(in crate::monitor) fn begin(self: &Rc<Self>, plan: Monitor) -> Result<(), MonitorError> {
        let changes = self.changes(plan)?;
        self.state.with(|state| state.on_configured(changes));
        let weak = Rc::downgrade(self);
        self.reactor.call_soon(move |_| {
            if let Some(me) = weak.upgrade() {
                me.go_on();
            }
        });
        Ok(())
    }

    /// Replaces the configuration, after a check.
    pub(in crate::monitor) fn reload(self: &Rc<Self>, plan: Monitor) -> Result<(), MonitorError> {
        let changes = self.changes(plan)?;
        self.report(|state, _| state.on_configured(changes));
        Ok(())
    }

    /// Enters the programs of a configuration, and returns how each one has changed.
    fn changes(&self, plan: Monitor) -> Result<Changes, MonitorError> {
        plan.check()?;
        if self.is_stopping() {
            return Err(MonitorError::Stopped);
        }
        let now = self.reactor.now();
        let known: BTreeMap<String, ProgramId> = self.programs.with(|programs| {
            programs.iter_mut().for_each(|(_, entry)| entry.is_removed = true);
            programs.iter().map(|(id, entry)| (entry.name.to_string(), *id)).collect()
        });
        let id = |name: &str| {
            known.get(name).copied().unwrap_or_else(|| self.next_id.replace(self.next_id.get() + 1))
        };
        let ids: BTreeMap<String, ProgramId> =
            plan.programs.iter().map(|one| (one.name.clone(), id(&one.name))).collect();
        let mut changes = Vec::new();
        for planned in plan.programs {
            let id = ids[&planned.name];
            let after = planned.policy.after.iter().map(|name| ids[name]).collect();
            let rules = planned.policy.rules(after);
            let (change, old) = self.programs.with(|programs| match programs.get_mut(&id) {
                None => {
                    let entry = Entry::new(&planned.name, planned.command, planned.policy, now);
                    (
                        Change::New,
                        programs.insert(id, entry).map(|entry| (entry.command, entry.policy)),
                    )
                }
                Some(entry) => {
                    entry.is_removed = false;
                    let is_same = entry.command.is_same(&planned.command)
                        && entry.policy.has_readiness_of(&planned.policy);
                    let change = if is_same { Change::None } else { Change::Restart };
                    let command = std::mem::replace(&mut entry.command, planned.command);
                    let policy = std::mem::replace(&mut entry.policy, planned.policy);
                    (change, Some((command, policy)))
                }
            });
            drop(old);
            changes.push((id, rules, change));
        }
        Ok(changes)
    }

    /// Makes a request about one program.
    pub(in crate::monitor) fn ask(
        self: &Rc<Self>,
        name: &str,
        request: fn(&mut MonitorState, ProgramId),
    ) -> Result<(), MonitorError> {
        if self.is_stopping() {
            return Err(MonitorError::Stopped);
        }
        let id = self.programs.with(|programs| {
            let mut all = programs.iter();
            all.find(|(_, entry)| &*entry.name == name && !entry.is_removed).map(|(id, _)| *id)
        });
        let id = id.ok_or_else(|| MonitorError::Unknown { program: name.to_owned() })?;
        self.report(|state, _| request(state, id));
        Ok(())
    }

    pub(in crate::monitor) fn table(&self) -> MonitorTable {
        let now = self.reactor.now();
        let phases: BTreeMap<ProgramId, Phase> = self.state.with(|state| state.phases());
        let rows = self.programs.with(|programs| {
            let rows =
                programs.iter().filter_map(|(id, entry)| Some(entry.row(*phases.get(id)?, now)));
            rows.collect()
        });
        MonitorTable { rows }
    }
}
