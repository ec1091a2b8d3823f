//! The acts of pipelines: `cat | head | cat`, with stages that fail or end before their input does.

use std::cell::RefCell;
use std::rc::Rc;

use procession::prelude::*;
use procession::{Pipeline, Step};

use super::acts::{self, plain};
use super::model::ChildState;
use super::{Alive, World};

/// What a stage does with its input.
#[derive(Debug, Clone, Copy)]
enum StageKind {
    Passes,
    /// Passes everything on, and then fails.
    Fails,
    FailsAtOnce,
    /// Passes this many bytes on, and ends.
    EndsEarly(usize),
}

impl StageKind {
    fn any(world: &World) -> Self {
        match world.numbers.below(8) {
            0 => Self::Fails,
            1 => Self::FailsAtOnce,
            2 => Self::EndsEarly(world.numbers.index(150_000)),
            _ => Self::Passes,
        }
    }

    fn command(self) -> Command {
        let sh = |script: &str| Command::new("/bin/sh").args(["-c", script]);
        match self {
            Self::Passes => Command::new("/bin/cat"),
            Self::Fails => sh("cat; exit 3"),
            Self::FailsAtOnce => sh("exit 3"),
            Self::EndsEarly(bytes) => {
                Command::new("/usr/bin/head").args(["-c", &bytes.to_string()])
            }
        }
    }

    /// Returns how many of these bytes it passes on.
    fn passes(self, bytes: usize) -> usize {
        match self {
            Self::Passes | Self::Fails => bytes,
            Self::FailsAtOnce => 0,
            Self::EndsEarly(most) => bytes.min(most),
        }
    }

    fn ends_early(self) -> bool {
        matches!(self, Self::FailsAtOnce | Self::EndsEarly(_))
    }

    /// Returns whether it may end like this. A stage that writes to a stage that ended early may
    /// die of SIGPIPE.
    fn ends_like(self, reason: &ExitReason, before_an_early_end: bool) -> bool {
        let code = match self {
            Self::Passes | Self::EndsEarly(_) => 0,
            Self::Fails | Self::FailsAtOnce => 3,
        };
        match reason {
            Ok(_) => code == 0,
            Err(ended) => {
                let died = before_an_early_end && ended.signal() == Some(Signal::PIPE);
                died && code == 0 || code != 0 && ended.exit_code() == Some(code)
            }
        }
    }
}

/// Starts a pipeline, and writes to its first stage.
pub(super) fn pipeline(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(150_000);
    let last = world.numbers.index(3) + 1;
    let stages: Vec<StageKind> = (0..=last).map(|_| StageKind::any(world)).collect();
    let left = stages.iter().fold(data.len(), |bytes, stage| stage.passes(bytes));
    let mut lives: Vec<Rc<RefCell<ChildState>>> = Vec::new();
    let mut pipeline = Pipeline::new();
    for (number, stage) in stages.iter().enumerate() {
        let mut expected = plain(None);
        expected.pipes.retain(|fd| match fd {
            0 => number == 0,
            1 => number == last,
            _ => true,
        });
        expected.readable.retain(|fd| expected.pipes.contains(fd));
        expected.output = (number == last).then(|| data[..left].to_vec());
        expected.source = lives.last().cloned();
        let (protocol, life) = acts::checked(world, expected);
        lives.push(life);
        pipeline = pipeline.stage_with(protocol, stage.command());
    }
    let running = match reactor.spawn_pipeline(pipeline) {
        Ok(running) => running,
        Err(error) => return world.violation(format!("a pipeline: {error:?}")),
    };
    let children = running.processes().iter().zip(&lives);
    world.alive.borrow_mut().extend(
        children.map(|(process, life)| Alive { process: process.clone(), life: life.clone() }),
    );
    running.first().write(data);
    running.first().close_stdin();
    world.begin();
    let me = world.clone();
    running.ended().done(move |ends| {
        let right = ends.as_ref().is_ok_and(|ends| {
            let mut all = ends.iter().zip(&stages).enumerate();
            ends.len() == stages.len()
                && all.all(|(number, (end, stage))| {
                    let early = stages[number + 1..].iter().any(|stage| stage.ends_early());
                    stage.ends_like(end, early)
                })
        });
        let disturbed = lives.iter().any(|life| life.borrow().disturbed);
        if !right && !disturbed {
            me.violation(format!("{stages:?} ended with {ends:?}"));
        }
        me.count("pipelines");
        me.finish();
    });
}

/// Starts a pipeline of which one stage cannot start: nothing is left of it, and no protocol is
/// called.
pub(super) fn no_pipeline(world: &Rc<World>, reactor: &Handle) {
    let number = world.numbers.index(3);
    let mut pipeline = Pipeline::new();
    for stage in 0..3 {
        let program = if stage == number { "/no/such/program" } else { "/bin/cat" };
        pipeline = pipeline.stage_with(acts::Never(world.clone()), program);
    }
    match reactor.spawn_pipeline(pipeline) {
        Err(error) if error.step() == Step::Exec => world.count("pipelines that did not start"),
        other => world.violation(format!("a pipeline without a program: {:?}", other.map(drop))),
    }
}
