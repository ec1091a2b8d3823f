//! A termination of an owned group completes when the group is empty, and not before.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Failed, Signal};
use procession_process_transport::{Command, Fd};
use procession_protocol::{SignalError, Termination};
use rustix::process::{Pid, getpgid, getpid, set_child_subreaper};

use crate::filter::{Calls, answer};
use crate::util::{
    Driver, Event, Spawned, WATCHDOG, behaviour, children, isolated, ms, process_state, sh,
};

/// The leader ends by TERM and its member does not. The member prints its pid when both traps are
/// set.
const DEAF_MEMBER: &str = "trap 'exit 3' TERM; \
                           (trap '' TERM; echo $(exec sh -c 'echo $PPID'); exec sleep 100) & wait";

fn is_dead(pid: u32) -> bool {
    matches!(process_state(pid), 'Z' | 'X')
}

fn raw(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.cast_signed())
}

/// Starts a child with one member in its group. Returns the child and the member's pid, which the
/// member prints.
fn pair(driver: &mut Driver, script: &str) -> (Spawned, u32) {
    let child = driver.spawn(sh(script).owned(true));
    driver.until("the member is there", WATCHDOG, || child.record.text(1).ends_with('\n'));
    let member = child.record.text(1).trim().parse().expect("a pid");
    (child, member)
}

type TerminationResult = Result<Termination, Failed<SignalError>>;

/// Terminates the child, and records the result at the moment when it arrives.
fn terminate(
    child: &Spawned,
    grace: Duration,
    check: impl Fn() + 'static,
) -> Rc<RefCell<Vec<TerminationResult>>> {
    let results: Rc<RefCell<Vec<TerminationResult>>> = Rc::default();
    let slot = results.clone();
    child.process.terminate(Signal::TERM, grace).done(move |result| {
        check();
        slot.borrow_mut().push(result);
    });
    results
}

fn take_only_result(results: &Rc<RefCell<Vec<TerminationResult>>>) -> Termination {
    let mut results = results.borrow_mut();
    assert_eq!(results.len(), 1);
    results.pop().expect("it is there").expect("it was terminated")
}

/// Case TM-01.
#[test]
fn a_termination_ends_when_the_group_is_empty_and_keeps_its_leader_until_then() {
    let name = "a_termination_ends_when_the_group_is_empty_and_keeps_its_leader_until_then";
    behaviour(name, |driver| {
        let ended = keeps_its_leader_until_then(driver);
        assert!(ended.escalated() && ended.is_gone(), "{ended:?}");
    });
}

/// Case TM-14. Before Linux 6.9, a pidfd does not stand for a group.
#[test]
fn an_older_kernel_ends_a_group_in_the_same_way() {
    behaviour("an_older_kernel_ends_a_group_in_the_same_way", |driver| {
        as_before_linux_6_9();
        let ended = keeps_its_leader_until_then(driver);
        assert!(ended.escalated() && ended.is_gone(), "{ended:?}");
        let (child, member) = pair(driver, DEAF_MEMBER);
        let first = terminate(&child, Duration::MAX, move || assert!(is_dead(member)));
        let second = terminate(&child, Duration::MAX, move || assert!(is_dead(member)));
        driver.drive_to_end(&child.record);
        assert!(take_only_result(&first).is_gone() && take_only_result(&second).is_gone());
    });
}

/// Makes a pidfd refuse `PIDFD_SIGNAL_PROCESS_GROUP` from now on.
fn as_before_linux_6_9() {
    answer(libc::SYS_pidfd_send_signal, Calls::With { index: 3, flag: 4 }, libc::EINVAL);
}

/// Terminates a pair whose member ignores TERM for the grace of 400 ms.
fn keeps_its_leader_until_then(driver: &mut Driver) -> Termination {
    let (child, member) = pair(driver, DEAF_MEMBER);
    let leader = child.process.pid().expect("it runs");
    let begun = driver.now();
    let result = terminate(&child, ms(400), move || assert!(is_dead(member), "it is not empty"));
    driver.until_seen("the leader has ended", WATCHDOG, || process_state(leader) == 'Z');
    // The pidfd of the zombie stays readable. A loop that still watched it would spin.
    assert!(driver.turns_in(ms(200)) < 40, "the loop does not spin");
    assert_eq!(child.process.pid(), Some(leader), "it keeps the number");
    assert!(!is_dead(member) && result.borrow().is_empty());
    assert!(child.record.exited().is_none(), "the exit comes with the reap");
    driver.drive_to_end(&child.record);
    let ended = take_only_result(&result);
    assert_eq!(ended.reason().as_ref().err().and_then(|reason| reason.exit_code()), Some(3));
    assert!((ms(400)..ms(1400)).contains(&ended.after()), "{ended:?}");
    let exit = child.record.when(|event| matches!(event, Event::Exited(_)));
    assert!(exit.expect("it was told") - begun >= ms(400));
    ended
}

/// Case TM-02.
#[test]
fn a_member_that_needs_a_moment_gets_it_and_no_more() {
    behaviour("a_member_that_needs_a_moment_gets_it_and_no_more", |driver| {
        let script = "trap 'exit 0' TERM; (trap 'sleep 0.3; exit' TERM; \
                      echo $(exec sh -c 'echo $PPID'); while :; do sleep 0.05; done) & wait";
        let (child, member) = pair(driver, script);
        let result = terminate(&child, WATCHDOG * 3, move || assert!(is_dead(member)));
        driver.drive_to_end(&child.record);
        let ended = take_only_result(&result);
        assert!(!ended.escalated() && ended.is_gone(), "{ended:?}");
        assert!(ended.after() >= ms(250) && ended.after() < WATCHDOG, "{ended:?}");
    });
}

/// Case TM-03.
#[test]
fn a_second_call_kills_the_rest_of_the_group_and_both_report_it() {
    behaviour("a_second_call_kills_the_rest_of_the_group_and_both_report_it", |driver| {
        let (child, member) = pair(driver, DEAF_MEMBER);
        let leader = child.process.pid().expect("it runs");
        let first = terminate(&child, Duration::MAX, move || assert!(is_dead(member)));
        driver.until_seen("the leader has ended", WATCHDOG, || process_state(leader) == 'Z');
        driver.run_for(ms(50));
        let second = terminate(&child, Duration::MAX, move || assert!(is_dead(member)));
        assert!(second.borrow().is_empty(), "the loop tells");
        driver.drive_to_end(&child.record);
        for result in [first, second] {
            let ended = take_only_result(&result);
            assert!(ended.escalated() && ended.is_gone(), "{ended:?}");
        }
    });
}

/// Case TM-04. A process that has left the group by `setsid` keeps the outputs open.
#[test]
fn buffered_output_is_read_and_the_end_of_the_pipes_is_not_waited_for() {
    behaviour("buffered_output_is_read_and_the_end_of_the_pipes_is_not_waited_for", |driver| {
        // The process prints its pid after it has left the group.
        let script =
            "trap 'echo bye >&2; exit 0' TERM; setsid sh -c 'echo $$; exec sleep 100' & wait";
        let (child, stranger) = pair(driver, script);
        let result = terminate(&child, WATCHDOG * 3, || ());
        let begun = driver.now();
        driver.drive_to_end(&child.record);
        assert!(driver.now() - begun < WATCHDOG);
        assert_eq!(child.record.text(2), "bye\n");
        assert!(!take_only_result(&result).escalated());
        assert!(!is_dead(stranger), "it is not of the group");
        let stranger = raw(stranger).expect("a pid");
        rustix::process::kill_process(stranger, rustix::process::Signal::KILL).unwrap();
    });
}

/// Case TM-05. Adopted zombies do not count as living members, and the termination reaps them.
#[test]
fn a_group_of_adopted_zombies_is_empty_and_leaves_none() {
    isolated("a_group_of_adopted_zombies_is_empty_and_leaves_none", || {
        set_child_subreaper(Some(getpid())).expect("it only takes a number");
        let mut driver = Driver::new();
        // The member's parent is gone when the member ends.
        let script = "trap 'exit 0' TERM; (sleep 0.2 & exec true) >/dev/null 2>&1; echo 1; \
                      while :; do sleep 100 & wait; done";
        let child = driver.spawn(sh(script).owned(true));
        driver.until("it is up", WATCHDOG, || child.record.text(1) == "1\n");
        let group = child.process.group().expect("it leads one");
        let zombies = move || {
            let of_group = |pid: u32| getpgid(raw(pid)).is_ok_and(|of| Some(of) == raw(group));
            let children = children();
            children.iter().filter(|(pid, _, state)| *state == 'Z' && of_group(*pid)).count()
        };
        driver.until_seen("its member is a zombie of ours", WATCHDOG, || zombies() == 1);
        let result = terminate(&child, WATCHDOG * 3, || ());
        driver.drive_to_end(&child.record);
        let ended = take_only_result(&result);
        assert!(!ended.escalated() && ended.is_gone(), "{ended:?}");
        assert!(ended.after() < WATCHDOG, "{ended:?}");
        assert_eq!(zombies(), 0, "no zombie of the group is left");
    });
}

/// Case TM-06. A child that the program put into the group has its own status.
#[test]
fn a_child_that_was_put_into_the_group_keeps_its_status() {
    behaviour("a_child_that_was_put_into_the_group_keeps_its_status", |driver| {
        let leader = driver.spawn(sh("exec sleep 100").owned(true));
        let group = leader.process.group().expect("it leads one").cast_signed();
        // A child without a loop. It waits to be reaped while the library checks the group.
        let joined = sh("exec sleep 100").child_fds([(1, Fd::null())]).process_group(group);
        let mut joined = joined.spawn().expect("the group is there");
        let result = terminate(&leader, WATCHDOG * 3, || ());
        driver.drive_to_end(&leader.record);
        assert_eq!(leader.record.signal(), 15);
        let joined = joined.wait().expect("it is a child of ours").unwrap_err();
        assert_eq!(joined.signal(), Some(Signal::TERM));
        assert!(!take_only_result(&result).escalated());
    });
}

/// Case TM-07. A call of `terminate` in the callback of a termination finds that the child has
/// exited.
#[test]
fn a_call_in_a_termination_callback_finds_the_child_exited() {
    behaviour("a_call_in_a_termination_callback_finds_the_child_exited", |driver| {
        let (child, member) = pair(driver, DEAF_MEMBER);
        let told = Rc::new(Cell::new(false));
        let (seen, process) = (told.clone(), child.process.clone());
        child.process.terminate(Signal::TERM, ms(100)).done(move |result| {
            assert!(is_dead(member) && result.is_ok());
            // The child is reaped, and its group is known to be empty.
            let late = process.terminate(Signal::TERM, ms(100));
            let late = late.try_take().expect("it is settled at once");
            assert!(matches!(late, Err(Failed::Error(SignalError::ProcessExitedAlready))));
            seen.set(true);
        });
        driver.drive_to_end(&child.record);
        assert!(told.get());
    });
}

/// Case TM-01, without a loop.
#[test]
fn a_thread_that_waits_is_told_when_the_group_is_empty() {
    isolated("a_thread_that_waits_is_told_when_the_group_is_empty", || {
        let spawn = |without_pidfd: bool| {
            let command = sh(DEAF_MEMBER).owned(true).child_fds([(1, Fd::from_child())]);
            let command: Command = if without_pidfd { command.without_pidfd() } else { command };
            let mut child = command.spawn().expect("sh is there");
            let output = std::fs::File::from(child.take(1).expect("it has one"));
            let mut line = String::new();
            std::io::BufRead::read_line(&mut std::io::BufReader::new(output), &mut line).unwrap();
            (child, line.trim().parse::<u32>().expect("a pid"))
        };
        for (without_pidfd, is_older) in [(false, false), (true, false), (false, true)] {
            if is_older {
                as_before_linux_6_9();
            }
            let (mut child, member) = spawn(without_pidfd);
            let ended = child.terminate(Signal::TERM, ms(200)).expect("it runs");
            assert!(is_dead(member), "the group is empty");
            assert!(ended.escalated() && ended.is_gone(), "{ended:?}");
            assert_eq!(ended.reason().as_ref().unwrap_err().exit_code(), Some(3));
            assert!(ended.after() >= ms(200) && ended.after() < ms(1200), "{ended:?}");
            assert!(child.terminate(Signal::TERM, ms(200)).is_err(), "nobody is left");
        }
        // An output that a process outside of the group holds is closed.
        let script = "trap 'exit 0' TERM; setsid sleep 3 & wait";
        let mut child = sh(script).owned(true).child_fds([(1, Fd::from_child())]).spawn().unwrap();
        assert_eq!(child.wait_timeout(ms(300)).unwrap(), None, "it is up");
        let ended = child.terminate(Signal::TERM, WATCHDOG * 3).expect("it runs");
        assert!(!ended.escalated() && ended.after() < ms(2000), "{ended:?}");
        assert!(child.wait().unwrap().is_ok(), "its end is told at once");
    });
}

/// Case TM-15. Foreign code of the program has reaped the leader, so the number may belong to
/// another process.
#[test]
fn an_older_kernel_signals_no_group_by_a_number_that_foreign_code_has_freed() {
    isolated("an_older_kernel_signals_no_group_by_a_number_that_foreign_code_has_freed", || {
        as_before_linux_6_9();
        let command = sh("sleep 100 >/dev/null & echo $!").owned(true);
        let mut child = command.child_fds([(1, Fd::from_child())]).spawn().unwrap();
        let mut said = String::new();
        let mut output = std::fs::File::from(child.take(1).unwrap());
        std::io::Read::read_to_string(&mut output, &mut said).unwrap();
        let member: u32 = said.trim().parse().unwrap();
        let leader = raw(child.pid()).unwrap();
        rustix::process::waitpid(Some(leader), rustix::process::WaitOptions::empty()).unwrap();
        let refused = child.signal_group(Signal::KILL);
        assert!(matches!(refused, Err(SignalError::ProcessExitedAlready)), "{refused:?}");
        drop(child);
        assert!(!is_dead(member), "the number is nobody's whom we know");
        let member = raw(member).unwrap();
        rustix::process::kill_process(member, rustix::process::Signal::KILL).unwrap();
    });
}
