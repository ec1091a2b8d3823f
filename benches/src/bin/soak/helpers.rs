//! The acts of helpers: programs that run to their end, line by line, and from one into another.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use procession::Target;
use procession::prelude::*;
use procession::{
    get_process_output, get_process_output_and_value, get_process_output_merged, get_process_value,
};

use super::World;
use super::acts::{self, plain};
use super::model::Expected;

/// Runs a helper to its end, or lets it time out, or drops it.
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

/// Runs a helper, and checks its output line by line.
pub(super) fn lines(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(20_000);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let lines = seen.clone();
    let run = Run::new("/bin/cat").stdin(data.clone()).for_each_line(move |line| {
        lines.borrow_mut().push(line.text);
    });
    world.begin();
    let me = world.clone();
    run.start_on(reactor).done(move |result| {
        let mut wanted: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
        // If bytes follow the last line feed, they are a line without any change.
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

/// Runs the four helpers that Twisted has.
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
        // This helper treats output on standard error as an error.
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

/// Forwards the output of one child to another.
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
