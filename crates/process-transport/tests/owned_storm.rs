//! Programs that start and reap owned children all the time, on two threads, ended at any moment by
//! any of the four signals: nothing of any group lives when the program is gone, and nobody else is
//! hit, also where every number is another process's a moment later.
#![cfg(feature = "reactor")]

mod util;

use std::collections::BTreeSet;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::util::{Owner, WAYS, root_or_skip, skip_here};

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// A moment for each program: after `least` to `least + 11` children, which no clock tells, and then at
/// once.
fn storm(programs: u32, least: usize) {
    let mut state = 0x9e37_79b9_u32;
    for (number, signal) in (0..programs).zip(SIGNALS.into_iter().cycle()) {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let way = WAYS[usize::try_from(state % 6).expect("below six")];
        let mut owner = Owner::storm_by(way);
        owner.until_dots(least + usize::try_from(state % 12).expect("below twelve"));
        for _ in 0..state % 500 {
            std::hint::spin_loop();
        }
        owner.signal(signal);
        let (status, said, took) = owner.end();
        let what = format!("program {number}, {way}: {said}, {took:?}");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{what}");
    }
}

/// The slow tier: `PROCESSION_SLOW=1`.
fn is_slow_tier() -> bool {
    std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1")
}

#[test]
fn sixty_programs_ended_at_any_moment_leave_nobody() {
    storm(60, 1);
}

#[test]
fn a_thousand_programs_ended_at_any_moment_leave_nobody() {
    if is_slow_tier() {
        storm(1000, 1);
    }
}

/// Set in a namespace in which there are few numbers.
const INSIDE: &str = "PROCESSION_TEST_FEW_NUMBERS";

/// The highest number there: those below 300 are given once only, by the kernel's rule, so that a
/// hundred go round.
const PID_MAX: u32 = 400;

/// As many children as take all of these numbers, with the members of their groups.
const ONCE_ROUND: usize = 40;

/// Runs the test of this name again in a namespace with few numbers, and in there the storm, beside
/// strangers who get the numbers that it gives back.
fn check_storm_among_few_numbers(name: &str, programs: u32) {
    if std::env::var_os(INSIDE).is_some() {
        return storm_beside_strangers(programs);
    }
    let what = "a storm whose numbers are used again at once";
    if !root_or_skip(what) {
        return;
    }
    if !each_namespace_has_a_limit() {
        // Before, the limit would be that of the whole machine.
        return skip_here(what, "needs Linux 6.14");
    }
    let this = std::env::current_exe().expect("the path of this test binary");
    // Its first process reaps those who lose their parents, as this shell does.
    let script = format!("echo {PID_MAX} >/proc/sys/kernel/pid_max && \"$@\"; exit $?");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", &script, "sh"]);
    command.arg(this).args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    let Output { status, stdout, stderr } = command.output().expect("unshare is everywhere");
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success() && stdout.contains("1 passed"), "{status}\n{stdout}\n{stderr}");
}

/// Whether this is Linux 6.14 or later.
fn each_namespace_has_a_limit() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

fn storm_beside_strangers(programs: u32) {
    let is_over = AtomicBool::new(false);
    let strangers = thread::scope(|scope| {
        let strangers = scope.spawn(|| strangers_until(&is_over));
        // Also where it panics: the scope waits for them.
        let storm = scope.spawn(|| storm(programs, ONCE_ROUND)).join();
        is_over.store(true, Ordering::SeqCst);
        storm.expect("the storm says what is wrong");
        strangers.join().expect("nobody was hit")
    });
    let numbers: BTreeSet<u32> = strangers.iter().copied().collect();
    assert!(numbers.len() < strangers.len(), "no number came again: {strangers:?}");
}

/// Starts and reaps strangers all the time: leaders of groups of their own, which a signal to a number
/// that was given back would end. Returns their numbers.
fn strangers_until(is_over: &AtomicBool) -> Vec<u32> {
    let mut numbers = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let strangers: Vec<Child> = (0..4).map(|_| stranger()).collect();
        for mut stranger in strangers {
            numbers.push(stranger.id());
            let status: ExitStatus = stranger.wait().expect("our child");
            assert!(status.success(), "a stranger was hit: {status}");
        }
    }
    numbers
}

fn stranger() -> Child {
    let mut sleep = Command::new("sleep");
    sleep.arg("0.02").process_group(0).stdin(Stdio::null());
    sleep.spawn().expect("it starts")
}

/// Case TE-09.
#[test]
fn forty_programs_among_few_numbers_hit_no_stranger() {
    check_storm_among_few_numbers("forty_programs_among_few_numbers_hit_no_stranger", 40);
}

#[test]
fn a_thousand_programs_among_few_numbers_hit_no_stranger() {
    if is_slow_tier() {
        check_storm_among_few_numbers(
            "a_thousand_programs_among_few_numbers_hit_no_stranger",
            1000,
        );
    }
}
