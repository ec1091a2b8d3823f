//! Errors of programs that are kept running, and of those that are not ready.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use procession::{
    Command, Failed, Monitor, MonitorError, Policy, Reactor, Ready, ReadyError, ReadyProgram,
};

use crate::{Row, row};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = wrong_monitors();
    rows.extend(running_monitors());
    rows.extend(not_ready());
    rows
}

fn one(name: &str, policy: Policy) -> Monitor {
    Monitor::new().add(name, "true", policy)
}

fn wrong_monitors() -> Vec<Row> {
    let always = Policy::always;
    let checks = [
        (
            "MonitorError::Name",
            one("", always()),
            "\"\" is no name for a program: a name has 1 to 100 bytes and no control characters",
        ),
        (
            "MonitorError::Duplicate",
            one("a", always()).add("a", "true", always()),
            "two programs have the name \"a\"",
        ),
        (
            "MonitorError::UnknownDependency",
            one("a", always().after("b")),
            "\"a\" comes after \"b\", which is no program of this monitor",
        ),
        (
            "MonitorError::Cycle",
            one("a", always().after("a")),
            "these programs come after each other in a circle: a after a",
        ),
        (
            "MonitorError::Policy",
            one("a", always().give_up_after(0, Duration::from_secs(1))),
            "the policy of \"a\" is wrong: it would be given up after 0 failures",
        ),
    ];
    let check = |(of, monitor, text): (_, Monitor, &str)| {
        row(of, &monitor.check().expect_err("it is wrong"), text)
    };
    checks.into_iter().map(check).collect()
}

fn running_monitors() -> [Row; 4] {
    let mut reactor = Reactor::new().expect("a reactor");
    let fails = Command::new("sh").args(["-c", "echo why; exit 3"]);
    let failed = reactor.block_on(Monitor::new().add("a", fails, Policy::never()).run());
    let running = one("a", Policy::never()).start_on(&reactor.handle()).expect("it is right");
    let unknown = running.stop("b").expect_err("there is none");
    reactor.block_on(running.shutdown()).expect("it stops");
    let stopped = running.stop("a").expect_err("it has stopped");
    let io = MonitorError::from(io::Error::other("no loop"));
    [
        row(
            "MonitorError::Failed",
            &failed.expect_err("it fails"),
            "\"a\" has failed for good: exited with status 3 after N s: why",
        ),
        row("MonitorError::Unknown", &unknown, "the monitor has no program \"b\""),
        row("MonitorError::Stopped", &stopped, "the monitor has stopped"),
        row("MonitorError::Io", &io, "cannot run the monitor: no loop"),
    ]
}

fn not_ready() -> [Row; 5] {
    let mut reactor = Reactor::new().expect("a reactor");
    let mut error = |ready: Ready, command: Command, limit_ms| -> ReadyError {
        let started = ready.start_on(&reactor.handle(), command, Duration::from_millis(limit_ms));
        let started: Result<ReadyProgram, Failed<ReadyError>> = reactor.block_on(started);
        started.map(drop).expect_err("it is not ready").error().expect("an error of its own")
    };
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let there = other.local_addr().expect("an address");
    let sh = |script: &str| Command::new("sh").args(["-c", script]);
    let line = || Ready::line("up");
    // `utils` gives this if the system refuses a socket.
    let watch = ReadyError::Watch {
        command: "server -v".to_owned(),
        ready: Ready::notify(),
        source: io::Error::from_raw_os_error(24),
    };
    [
        row(
            "ReadyError::Spawn",
            &error(line(), Command::new("/no/such"), 9000),
            r#"cannot execute "/no/such": No such file or directory"#,
        ),
        row(
            "ReadyError::AlreadyReady",
            &error(Ready::tcp_at(there), Command::new("true"), 9000),
            format!("true was not started: before it, {there} accepts a connection"),
        ),
        row(
            "ReadyError::Exited",
            &error(line(), sh("echo oops; exit 3"), 9000),
            "sh -c 'echo oops; exit 3' exited with status 3 before it was ready (ready: a line contains \"up\"): oops",
        ),
        row(
            "ReadyError::Watch",
            &watch,
            "cannot watch whether server -v is ready (READY=1 comes on NOTIFY_SOCKET): Too many open files",
        ),
        row(
            "ReadyError::TimedOut",
            &error(line(), sh("exec sleep 600"), 1),
            "sh -c 'exec sleep 600' was not ready after N s (ready: a line contains \"up\")",
        ),
    ]
}
