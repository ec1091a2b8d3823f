//! The acts of terminations: groups whose members obey, ignore TERM, are stopped or outlive their
//! leader, ended in every manner.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use procession::Keep;
use procession::prelude::*;
use procession::{OutputError, SignalError, Termination};

use super::World;
use super::acts::{self, plain};
use super::groups::{self, VARIABLE};
use super::model::Life;

/// What a group is like. What says a word says it when its members are as they will be.
#[derive(Debug, Clone, Copy)]
struct Shape {
    script: &'static str,
    /// Once it has said its word only KILL ends all of it.
    is_deaf: bool,
}

const SHAPES: [Shape; 7] = [
    Shape { script: "exec sleep 300", is_deaf: false },
    Shape { script: "sleep 300 & sleep 300 & wait", is_deaf: false },
    Shape { script: "trap '' TERM; sleep 300 & echo x; sleep 300; sleep 300", is_deaf: true },
    // The leader obeys, and one of its group does not.
    Shape { script: "(trap '' TERM; echo x; exec sleep 300) & exec sleep 300", is_deaf: true },
    // The leader ends by itself.
    Shape { script: "sleep 300 & echo x", is_deaf: false },
    Shape { script: "(trap '' TERM; echo x; exec sleep 300) &", is_deaf: true },
    Shape { script: "sleep 300 & kill -STOP $$; wait", is_deaf: false },
];

/// How it is ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Manner {
    Waits,
    /// A second call comes before the grace is over.
    CallsAgain,
    DropsTheResult,
    Cancels,
    DropsTheHandle,
    /// Its descriptors are closed as soon as it is called for.
    Closes,
}

const MANNERS: [Manner; 6] = [
    Manner::Waits,
    Manner::CallsAgain,
    Manner::DropsTheResult,
    Manner::Cancels,
    Manner::DropsTheHandle,
    Manner::Closes,
];

/// What one call was, to judge its result by.
#[derive(Debug, Clone)]
struct Call {
    shape: Shape,
    mark: String,
    manner: Manner,
    grace: Duration,
    /// It has said its word before the call.
    was_ready: bool,
}

/// A group that is terminated some time after its start.
pub(super) fn terminate(world: &Rc<World>, reactor: &Handle) {
    let shape = SHAPES[world.numbers.index(SHAPES.len())];
    let mark = groups::mark(world);
    let command =
        Command::new("/bin/sh").args(["-c", shape.script]).env(VARIABLE, &mark).owned(true);
    let (protocol, life) = acts::checked(world, plain(None));
    life.borrow_mut().disturbed = true;
    let process = match reactor.spawn_process(protocol, command) {
        Ok(process) => process,
        Err(error) => return world.violation(format!("{shape:?}: {error:?}")),
    };
    world.unheld.borrow_mut().push(life.clone());
    world.begin();
    let after = Duration::from_millis(world.numbers.below(80));
    let me = world.clone();
    reactor.call_later(after, move |reactor| call(&me, reactor, process, shape, mark, &life));
}

fn call(
    world: &Rc<World>,
    reactor: &Handle,
    process: Process,
    shape: Shape,
    mark: String,
    life: &Rc<RefCell<Life>>,
) {
    let numbers = &world.numbers;
    let grace = Duration::from_millis(numbers.below(4).min(1) * numbers.below(150));
    let manner = MANNERS[numbers.index(MANNERS.len())];
    let was_ready = life.borrow().has_output();
    let call = Call { shape, mark, manner, grace, was_ready };
    let ended = process.terminate(Signal::TERM, grace);
    match manner {
        Manner::Waits => wait(world, Some(process), call, ended),
        Manner::DropsTheHandle => {
            drop(process);
            wait(world, None, call, ended);
        }
        Manner::Closes => {
            process.close_all();
            wait(world, Some(process), call, ended);
        }
        Manner::CallsAgain => {
            let again = process.clone();
            let first: Rc<RefCell<Option<bool>>> = Rc::default();
            let told = first.clone();
            let both = ended.map(move |ended| {
                told.replace(Some(ended.escalated()));
                ended
            });
            wait(world, Some(process), call, both);
            call_again(world, reactor, again, &first);
        }
        // Whether all of them end is seen at the very end.
        Manner::DropsTheResult => {
            drop(ended);
            world.count("terminations dropped");
            world.finish();
        }
        Manner::Cancels => {
            ended.cancel();
            world.count("terminations cancelled");
            world.finish();
        }
    }
}

/// Joins a termination that is under way, or comes too late.
fn call_again(
    world: &Rc<World>,
    reactor: &Handle,
    process: Process,
    first: &Rc<RefCell<Option<bool>>>,
) {
    world.begin();
    let after = Duration::from_millis(world.numbers.below(60));
    let (me, first) = (world.clone(), first.clone());
    reactor.call_later(after, move |_| {
        let came_late = first.borrow().is_some();
        let second = process.terminate(Signal::INT, Duration::from_secs(100));
        second.done(move |result| {
            let right = match (&result, came_late) {
                // Both have the same end, and this one brought it about.
                (Ok(ended), false) => *first.borrow() == Some(true) && ended.escalated(),
                (Err(Failed::Error(SignalError::ProcessExitedAlready)), _) => true,
                _ => false,
            };
            if !right {
                me.violation(format!("a second call had {result:?}, the first {first:?}"));
            }
            me.count("terminations called for again");
            me.finish();
        });
    });
}

fn wait(
    world: &Rc<World>,
    process: Option<Process>,
    call: Call,
    ended: Deferred<Termination, SignalError>,
) {
    let me = world.clone();
    ended.done(move |result| {
        judge(&me, process.as_ref(), &call, &result);
        me.count("terminations");
        me.finish();
    });
}

fn judge(
    world: &World,
    process: Option<&Process>,
    call: &Call,
    result: &Result<Termination, Failed<SignalError>>,
) {
    let broken = |what: &str| world.violation(format!("{call:?}: {what}: {result:?}"));
    match result {
        Ok(ended) if ended.is_gone() => {
            groups::check_gone(world, &call.mark, "a termination has ended");
            let is_early = ended.after() < call.grace && call.manner != Manner::CallsAgain;
            if ended.escalated() && is_early {
                broken("it was killed within its grace");
            }
            if !ended.escalated() && call.shape.is_deaf && call.was_ready {
                broken("it ignored TERM");
            }
            let Some(process) = process else { return };
            let again = process.terminate(Signal::TERM, Duration::ZERO);
            let answer = again.try_take();
            let too_late =
                matches!(answer, Some(Err(Failed::Error(SignalError::ProcessExitedAlready))));
            if !too_late || process.pid().is_some() {
                broken("it is gone and can be terminated");
            }
        }
        // Legal where the machine is that slow; who is left is missed at the end.
        Ok(_) => world.count("terminations with survivors"),
        Err(Failed::Error(SignalError::ProcessExitedAlready)) => {
            groups::check_gone(world, &call.mark, "nobody was left to be terminated");
        }
        Err(_) => broken("no end"),
    }
}

/// A helper whose group ignores TERM, and that fails, or that nobody waits for any more.
pub(super) fn helper(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let mark = groups::mark(world);
    let shape = SHAPES[numbers.index(SHAPES.len())];
    let fails_by_length = numbers.below(3) == 0;
    let script = match fails_by_length {
        true => format!("head -c 5000 /dev/zero; {}", shape.script),
        false => shape.script.to_owned(),
    };
    let run = Run::new("/bin/sh").args(["-c", &script]).env(VARIABLE, &mark);
    let run = run.kill_grace(Duration::from_millis(numbers.below(60)));
    // The bound on what holds the outputs is longer: the time ends those whose leader has ended.
    let run = run.drain_after_exit(Duration::from_secs(200));
    let after = Duration::from_millis(numbers.below(60));
    let run = match fails_by_length {
        true => run.keep(Keep::head(numbers.index(5000))).stop_at_limit(),
        false => run.timeout(after),
    };
    let ended = run.start_on(reactor);
    world.begin();
    let me = world.clone();
    if numbers.below(3) == 0 {
        let cancels = numbers.below(2) == 0;
        reactor.call_later(after, move |_| {
            if cancels {
                ended.cancel();
            }
            // With the error that it may have by now, or nothing.
            drop(ended.try_take());
            drop(ended);
            me.count("helpers of groups dropped");
            me.finish();
        });
        return;
    }
    ended.done(move |result| {
        let right = match &result {
            Err(Failed::Error(OutputError::TooLong { .. })) => fails_by_length,
            Err(Failed::Error(OutputError::TimedOut { .. })) => !fails_by_length,
            _ => false,
        };
        if !right {
            me.violation(format!("{script}: a group had {result:?}"));
        }
        groups::check_killed(&me, &mark, "a helper has failed");
        me.count("helpers of groups");
        me.finish();
    });
}
