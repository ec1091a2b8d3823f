//! What the clones of fake children share.

use std::collections::VecDeque;
use std::rc::Rc;

use procession_core::driver::WithCell;
use procession_protocol::FakeProcess;

use super::player::Player;
use super::script::{Rule, Script};
use crate::command::Command;
use crate::error::{SpawnError, Step};

pub(super) type SharedFakes = Rc<WithCell<FakeChildrenState>>;

#[derive(Default)]
pub(super) struct FakeChildrenState {
    pub(super) commands: Vec<Command>,
    /// The children that the test has not taken, each with the index of its command, in that order.
    /// `None` while `connection_made` runs.
    pub(super) children: VecDeque<(usize, Option<FakeProcess>)>,
    pub(super) refusals: VecDeque<SpawnError>,
    pub(super) rules: Vec<Rule>,
    pub(super) players: Vec<Rc<Player>>,
}

impl FakeChildrenState {
    pub(super) fn admit(
        &mut self,
        commands: &[&Command],
    ) -> Result<(usize, Vec<Option<Script>>), SpawnError> {
        let first = self.commands.len();
        self.commands.extend(commands.iter().map(|command| (*command).clone()));
        if let Some(refusal) = self.refusals.pop_front() {
            return Err(refusal);
        }
        let scripts = commands.iter().map(|command| self.script(command));
        Ok((first, scripts.collect::<Result<_, _>>()?))
    }

    /// Adds a fake that a script plays, and returns those that have ended.
    pub(super) fn add_player(&mut self, player: Rc<Player>) -> Vec<Rc<Player>> {
        let (ended, live) = self.players.drain(..).partition(|player| player.has_ended());
        self.players = live;
        self.players.push(player);
        ended
    }

    /// Returns the script for a command; `None` if the test plays all children itself.
    fn script(&mut self, command: &Command) -> Result<Option<Script>, SpawnError> {
        if self.rules.is_empty() {
            return Ok(None);
        }
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.matches(command)) else {
            let is_used_up = self.rules.iter().any(|rule| rule.is_for(command));
            let what = if is_used_up { "left for" } else { "for" };
            let why = format!("no script of the fake children is {what} {command:?}");
            return Err(SpawnError::invalid(command.get_program(), why));
        };
        let script = rule.take();
        match script.refusal {
            Some(refusal) => {
                Err(SpawnError::new(Step::Exec, command.get_program(), refusal.into_error()))
            }
            None => Ok(Some(script)),
        }
    }
}
