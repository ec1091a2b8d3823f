//! Programs that start and reap owned children all the time, on two threads, and that any of the
//! four signals ends at any moment. No member of any group outlives the program, and no foreign
//! process is hit, even if every freed number belongs to another process a moment later.
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

/// Ends programs that start children on two threads.
fn storm(programs: u32, least: usize) {
    end_each(Owner::storm_by, programs, least);
}

/// Ends each program after `least` to `least + 11` children. The count sets the moment, not a
/// clock.
fn end_each(start: fn(&str) -> Owner, programs: u32, least: usize) -> u32 {
    let mut state = 0x9e37_79b9_u32;
    for (number, signal) in (0..programs).zip(SIGNALS.into_iter().cycle()) {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let way = WAYS[usize::try_from(state % 6).expect("below six")];
        let mut owner = start(way);
        owner.until_dots(least + usize::try_from(state % 12).expect("below twelve"));
        for _ in 0..state % 500 {
            std::hint::spin_loop();
        }
        owner.signal(signal);
        let (status, said, took) = owner.end();
        let what = format!("program {number}, {way}: {said}, {took:?}");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{what}");
    }
    programs
}

/// Case LO-10.
#[test]
fn forty_programs_ended_while_launches_are_under_way_leave_nobody() {
    assert_eq!(end_each(Owner::storm_off_the_loop, 40, 1), 40);
}

/// Returns whether this is the slow tier: `PROCESSION_SLOW=1`.
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

/// Set for the test that runs in a namespace with few process numbers.
const INSIDE: &str = "PROCESSION_TEST_FEW_NUMBERS";

/// The highest number in the namespace. The kernel gives numbers below 300 only once, so a hundred
/// numbers are used again and again.
const PID_MAX: u32 = 400;

/// The number of children that, with the members of their groups, use up all of these numbers.
const CHILDREN_PER_ROUND: usize = 40;

/// Runs this test again in a namespace with few numbers. There the storm runs beside foreign
/// processes, which get the numbers that it gives back.
fn check_storm_among_few_numbers(name: &str, programs: u32) {
    if std::env::var_os(INSIDE).is_some() {
        return storm_beside_strangers(programs);
    }
    let what = "a storm whose numbers are used again at once";
    if !root_or_skip(what) {
        return;
    }
    if !each_namespace_has_a_limit() {
        // On older kernels the limit applies to the whole machine.
        return skip_here(what, "needs Linux 6.14");
    }
    let this = std::env::current_exe().expect("the path of this test binary");
    // The first process of a namespace reaps orphans, as this shell does.
    let script = format!("echo {PID_MAX} >/proc/sys/kernel/pid_max && \"$@\"; exit $?");
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", "sh", "-c", &script, "sh"]);
    command.arg(this).args([name, "--exact", "--nocapture", "--test-threads=1"]).env(INSIDE, "1");
    let Output { status, stdout, stderr } = command.output().expect("unshare is everywhere");
    let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(status.success() && stdout.contains("1 passed"), "{status}\n{stdout}\n{stderr}");
}

/// Returns whether this is Linux 6.14 or later.
fn each_namespace_has_a_limit() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").expect("/proc is mounted");
    let mut numbers = release.split(['.', '-']).map_while(|part| part.trim().parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(14))
}

fn storm_beside_strangers(programs: u32) {
    let is_over = AtomicBool::new(false);
    let strangers = thread::scope(|scope| {
        let strangers = scope.spawn(|| strangers_until(&is_over));
        // The scope waits for the strangers, so `is_over` must be set even after a panic.
        let storm = scope.spawn(|| storm(programs, CHILDREN_PER_ROUND)).join();
        is_over.store(true, Ordering::SeqCst);
        storm.expect("the storm says what is wrong");
        strangers.join().expect("nobody was hit")
    });
    let numbers: BTreeSet<u32> = strangers.iter().copied().collect();
    assert!(numbers.len() < strangers.len(), "no number came again: {strangers:?}");
}

/// Starts and reaps foreign processes all the time, each the leader of a group of its own. A signal
/// to a freed number would end one of them. Returns their numbers.
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
