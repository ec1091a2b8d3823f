//! Who lives how long.

use std::error::Error;
use std::time::Duration;

use procession::prelude::*;
use procession::{Scope, ScopeMechanism, Termination};

struct Quiet;
impl ProcessProtocol for Quiet {}

// ANCHOR: terminate
async fn stopped(server: Command) -> Result<Termination, Box<dyn Error>> {
    let server = Handle::current().spawn_process(Quiet, server.owned(true))?;
    // TERM to the group, and KILL to what lives after ten seconds.
    let stopped = server.terminate(Signal::TERM, Duration::from_secs(10)).await?;
    println!("{stopped}"); // ended by signal 15 (SIGTERM) after 0.0 s
    Ok(stopped)
}
// ANCHOR_END: terminate

// ANCHOR: service
/// A daemon that outlives the program, in a session of its own.
fn daemon() -> Command {
    // Pipes to this program would break when it ends.
    let service = Command::new("my-service").new_session().kill_on_drop(false);
    service.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
}
// ANCHOR_END: service

// ANCHOR: blocking
fn build() -> Result<ExitReason, Box<dyn Error>> {
    procession::end_children_with_program(); // once, at the start of main
    let mut build = Command::new("sh").args(["-c", "true & wait"]).owned(true).spawn()?;
    Ok(build.wait()?)
}
// ANCHOR_END: blocking

// ANCHOR: scope
async fn in_a_scope() -> Result<bool, Box<dyn Error>> {
    let job = Scope::new("book-job")?;
    let build = Run::new("sh").args(["-c", "setsid sleep 600 >/dev/null 2>&1 & echo built"]);
    build.scope(&job).timeout(Duration::from_secs(60)).check().await?;
    if job.mechanism() == ScopeMechanism::ProcessGroup {
        return Ok(false); // no cgroup for this program: the sleep has left its group
    }
    let ended = job.terminate(Signal::TERM, Duration::from_secs(5))?; // ends the sleep too
    Ok(ended.is_gone())
}
// ANCHOR_END: scope

#[test]
fn a_server_ends_when_it_is_asked_to() {
    let server = Command::new("sleep").arg("60");
    let ended = Reactor::new().unwrap().block_on(stopped(server)).unwrap();
    assert_eq!(ended.signal(), Some(Signal::TERM));
    assert!(ended.is_gone() && !ended.escalated());
    assert_eq!(daemon().get_program(), "my-service");
}

#[test]
fn a_build_without_a_loop_ends_well() {
    procession_test_support::isolated("lifetimes::a_build_without_a_loop_ends_well", || {
        assert!(build().unwrap().is_ok());
    });
}

#[test]
fn what_has_left_its_session_is_ended_with_the_scope() {
    let mut reactor = Reactor::new().unwrap();
    let probe = Scope::new("book-probe").unwrap();
    if probe.mechanism() == ScopeMechanism::ProcessGroup {
        return procession_test_support::skip_here("a scope", "no cgroup may be made here");
    }
    assert!(reactor.block_on(in_a_scope()).unwrap());
}
