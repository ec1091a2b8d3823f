//! The acts of helpers: programs run to their end, many of them, line by line, in a row.

use std::cell::RefCell;
use std::rc::Rc;

use procession::prelude::*;
use procession::protocol::{Pace, ReadProducer, Target};
use procession::utils::Progress;

use super::acts::{self, plain};
use super::model::{Expected, Life};
use super::{Alive, World};

/// A helper, run to its end, timed out or dropped.
pub(super) fn run(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let data = numbers.bytes(20_000);
    world.begin();
    let me = world.clone();
    match numbers.below(3) {
        0 => Run::new("/bin/cat").stdin(data.clone()).start_on(reactor).done(move |result| {
            let exact = result.as_ref().is_ok_and(|outcome| outcome.stdout == data);
            if !exact {
                me.violation("a helper's output is not its input".to_owned());
            }
            me.count("helpers");
            me.finish();
        }),
        1 => {
            let after = Duration::from_millis(numbers.below(20));
            let slow = Run::new("/bin/sleep").arg("5").timeout(after).start_on(reactor);
            slow.done(move |result| {
                if result.is_ok() {
                    me.violation("a helper outlived its timeout".to_owned());
                }
                me.count("helpers timed out");
                me.finish();
            });
        }
        _ => {
            drop(Run::new("/bin/sleep").arg("5").kill_grace(Duration::ZERO).start_on(reactor));
            me.count("helpers dropped");
            me.finish();
        }
    }
}

/// A helper's output, line by line.
pub(super) fn lines(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(20_000);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let told = seen.clone();
    let run = Run::new("/bin/cat").stdin(data.clone()).for_each_line(move |line| {
        told.borrow_mut().push(line.text);
    });
    world.begin();
    let me = world.clone();
    run.start_on(reactor).done(move |result| {
        let mut wanted: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        // What follows the last line feed is a line if there is something, as it stands.
        let last = wanted.pop().filter(|last| !last.is_empty());
        let whole = wanted.into_iter().map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let wanted: Vec<&[u8]> = whole.chain(last).collect();
        if result.is_err() || *seen.borrow() != wanted {
            me.violation(format!("{} lines of {}", seen.borrow().len(), wanted.len()));
        }
        me.count("helpers read by lines");
        me.finish();
    });
}

/// The four helpers that Twisted has.
pub(super) fn named(world: &Rc<World>) {
    let code = i32::try_from(world.numbers.below(256)).unwrap_or(0);
    let script = "echo out; echo err >&2; exit $0";
    let command = Command::new("/bin/sh").args(["-c", script, &code.to_string()]);
    world.begin();
    let me = world.clone();
    let judge = move |right: bool, shown: String| {
        if !right {
            me.violation(format!("a helper that exits with {code} had {shown}"));
        }
        me.count("named helpers");
        me.finish();
    };
    match world.numbers.below(4) {
        // What is written to standard error is an error there.
        0 => get_process_output(command)
            .done(move |result| judge(result.is_err(), format!("{result:?}"))),
        1 => get_process_output_merged(command).done(move |result| {
            judge(result.as_ref().is_ok_and(|all| all == "out\nerr\n"), format!("{result:?}"));
        }),
        2 => get_process_value(command).done(move |result| {
            judge(result.as_ref().is_ok_and(|value| *value == code), format!("{result:?}"));
        }),
        _ => get_process_output_and_value(command, "").done(move |result| {
            let right = result.as_ref().is_ok_and(|(out, err, value)| {
                (&out[..], &err[..], *value) == (b"out\n", b"err\n", code)
            });
            judge(right, format!("{result:?}"));
        }),
    }
}

/// Several helpers, some at a time: to their ends, to the first error, or dropped half-way.
pub(super) fn run_all_of_them(world: &Rc<World>) {
    let numbers = &world.numbers;
    let codes: Vec<i32> =
        (0..numbers.below(6)).map(|_| i32::try_from(numbers.below(3)).unwrap_or(0)).collect();
    let parallelism = numbers.index(4);
    let runs = codes.iter().map(|code| {
        Run::new("/bin/sh").args(["-c", "echo $0; exit $0", &code.to_string()]).check()
    });
    let me = world.clone();
    let most = parallelism.max(1);
    let progress = move |now: Progress| {
        let sum = now.done + now.running + now.failed + now.waiting;
        if sum != now.total || now.running > most {
            me.violation(format!("{now:?} where {most} may run"));
        }
    };
    let all = run_all(runs, parallelism).on_progress(progress);
    let first_bad = codes.iter().position(|code| *code != 0);
    world.begin();
    let me = world.clone();
    match numbers.below(3) {
        0 => all.all().done(move |results| {
            let same = results.as_ref().is_ok_and(|results| {
                let succeeded = results.iter().map(Result::is_ok);
                succeeded.eq(codes.iter().map(|code| *code == 0))
            });
            if !same {
                me.violation(format!("exits {codes:?} had {results:?}"));
            }
            me.count("run_all");
            me.finish();
        }),
        1 => all.all_or_first_error().done(move |results| {
            if results.is_ok() != first_bad.is_none() {
                me.violation(format!("exits {codes:?} had {results:?}"));
            }
            me.count("run_all to the first error");
            me.finish();
        }),
        _ => {
            drop(all.all());
            me.count("run_all dropped");
            me.finish();
        }
    }
}

/// `cat | cat`, or longer: the last one's output is the first one's input.
pub(super) fn pipeline(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(150_000);
    let last = world.numbers.index(3) + 1;
    let mut lives: Vec<Rc<RefCell<Life>>> = Vec::new();
    let mut pipeline = Pipeline::new();
    for stage in 0..=last {
        let mut expected = plain(None);
        expected.pipes.retain(|fd| match fd {
            0 => stage == 0,
            1 => stage == last,
            _ => true,
        });
        expected.readable.retain(|fd| expected.pipes.contains(fd));
        expected.output = (stage == last).then(|| data.clone());
        expected.source = lives.last().cloned();
        let (protocol, life) = acts::checked(world, expected);
        lives.push(life);
        pipeline = pipeline.stage_with(protocol, Command::new("/bin/cat"));
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
        let clean = ends.as_ref().is_ok_and(|ends| ends.iter().all(Result::is_ok));
        let disturbed = lives.iter().any(|life| life.borrow().disturbed);
        if !clean && !disturbed {
            me.violation(format!("a pipeline ended with {ends:?}"));
        }
        me.count("pipelines");
        me.finish();
    });
}

/// A child whose input a producer has, which its queue paces.
pub(super) fn producer(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(400_000);
    let expected = Expected { output: Some(data.clone()), ..plain(Some(0)) };
    let Some((process, life)) =
        acts::child_and_life(world, reactor, Command::new("/bin/cat"), expected)
    else {
        return;
    };
    let length = u64::try_from(data.len()).unwrap_or(0);
    let (producer, sent) = ReadProducer::new(io::Cursor::new(data));
    let high = world.numbers.index(100_000);
    // A callback may have closed it; then the producer is dropped, and its promise with it.
    process.set_write_limits(0, high, high / 2).ok();
    process.register_producer(0, Pace::Pull, producer).ok();
    world.begin();
    let me = world.clone();
    sent.done(move |result| {
        let whole = result.as_ref().is_ok_and(|sent| *sent == length);
        if !whole && !life.borrow().disturbed {
            me.violation(format!("a producer of {length} bytes had {result:?}"));
        }
        me.count("producers");
        me.finish();
    });
}

/// What one child writes is another one's input.
pub(super) fn forward(world: &Rc<World>, reactor: &Handle) {
    let length = world.numbers.below(300_000);
    let head = Command::new("/usr/bin/head").args(["-c", &length.to_string(), "/dev/zero"]);
    let Some((source, of_source)) = acts::child_and_life(world, reactor, head, plain(None)) else {
        return;
    };
    let expected = Expected {
        output: Some(vec![0; usize::try_from(length).unwrap_or(0)]),
        source: Some(of_source.clone()),
        ..plain(None)
    };
    let cat = Command::new("/bin/cat");
    let Some((target, of_target)) = acts::child_and_life(world, reactor, cat, expected) else {
        return;
    };
    world.begin();
    let me = world.clone();
    source.forward(1, Target::child(&target, 0)).done(move |result| {
        let whole = result.as_ref().is_ok_and(|moved| *moved == length);
        let disturbed = of_source.borrow().disturbed || of_target.borrow().disturbed;
        if !whole && !disturbed {
            me.violation(format!("forwarding {length} bytes had {result:?}"));
        }
        me.count("forwarded to a child");
        me.finish();
    });
}
