//! The acts of terminations: groups whose members end by TERM, ignore it, are stopped or outlive
//! their leader. They are terminated in every way.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use procession::Keep;
use procession::prelude::*;
use procession::{OutputError, SignalError, Termination};

use super::World;
use super::acts::{self, plain};
use super::groups::{self, VARIABLE};
use super::model::ChildState;

/// A kind of group. If its script prints a word, its members are ready then.
#[derive(Debug, Clone, Copy)]
struct GroupShape {
    script: &'static str,
    /// When the script has printed its word, only KILL ends the whole group.
    is_deaf: bool,
}

const SHAPES: [GroupShape; 7] = [
    GroupShape { script: "exec sleep 300", is_deaf: false },
    GroupShape { script: "sleep 300 & sleep 300 & wait", is_deaf: false },
    GroupShape { script: "trap '' TERM; sleep 300 & echo x; sleep 300; sleep 300", is_deaf: true },
    // The leader ends by TERM, and a member of its group does not.
    GroupShape { script: "(trap '' TERM; echo x; exec sleep 300) & exec sleep 300", is_deaf: true },
    // The leader ends by itself.
    GroupShape { script: "sleep 300 & echo x", is_deaf: false },
    GroupShape { script: "(trap '' TERM; echo x; exec sleep 300) &", is_deaf: true },
    GroupShape { script: "sleep 300 & kill -STOP $$; wait", is_deaf: false },
];

/// How the act handles the termination.
#[derive(Debug, Clone, Copy, PartialEq)]
enum EndManner {
    Waits,
    /// A second call comes before the grace is over.
    CallsAgain,
    DropsTheResult,
    Cancels,
    DropsTheHandle,
    /// The descriptors are closed right after the call.
    Closes,
}

const MANNERS: [EndManner; 6] = [
    EndManner::Waits,
    EndManner::CallsAgain,
    EndManner::DropsTheResult,
    EndManner::Cancels,
    EndManner::DropsTheHandle,
    EndManner::Closes,
];

/// One call of `terminate`, by which its result is judged.
#[derive(Debug, Clone)]
struct Call {
    shape: GroupShape,
    mark: String,
    manner: EndManner,
    grace: Duration,
    /// The script had printed its word before the call.
    was_ready: bool,
}

/// Starts a group, and terminates it some time later.
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
    shape: GroupShape,
    mark: String,
    life: &Rc<RefCell<ChildState>>,
) {
    let numbers = &world.numbers;
    let grace = Duration::from_millis(numbers.below(4).min(1) * numbers.below(150));
    let manner = MANNERS[numbers.index(MANNERS.len())];
    let was_ready = life.borrow().has_output();
    let call = Call { shape, mark, manner, grace, was_ready };
    let ended = process.terminate(Signal::TERM, grace);
    match manner {
        EndManner::Waits => wait(world, Some(process), call, ended),
        EndManner::DropsTheHandle => {
            drop(process);
            wait(world, None, call, ended);
        }
        EndManner::Closes => {
            process.close_all();
            wait(world, Some(process), call, ended);
        }
        EndManner::CallsAgain => {
            let again = process.clone();
            let first: Rc<RefCell<Option<bool>>> = Rc::default();
            let escalated = first.clone();
            let both = ended.map(move |ended| {
                escalated.replace(Some(ended.escalated()));
                ended
            });
            wait(world, Some(process), call, both);
            call_again(world, reactor, again, &first);
        }
        // The end of the run checks that all of them have ended.
        EndManner::DropsTheResult => {
            drop(ended);
            world.count("terminations dropped");
            world.finish();
        }
        EndManner::Cancels => {
            ended.cancel();
            world.count("terminations cancelled");
            world.finish();
        }
    }
}

/// Calls again while a termination is under way, or after its end.
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
                // Both calls have the same end, and the second one caused it.
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
            let is_early = ended.after() < call.grace && call.manner != EndManner::CallsAgain;
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
        // This is legal if the machine is slow. The end of the run finds the survivors.
        Ok(_) => world.count("terminations with survivors"),
        Err(Failed::Error(SignalError::ProcessExitedAlready)) => {
            groups::check_gone(world, &call.mark, "nobody was left to be terminated");
        }
        Err(_) => broken("no end"),
    }
}

/// Runs a helper whose group ignores TERM. The run fails, or the act drops or cancels it.
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
    // This limit is longer than the timeout, so the timeout ends groups whose leader has ended.
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
            // Drop the error if it has come already.
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
