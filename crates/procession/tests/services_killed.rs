//! Services that are killed again and again, at random times: each comes to ready again, and at the end
//! nothing is left. With redis and python's web server in the slow tier.

#[path = "stress/mod.rs"]
mod stress;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, SystemTime};

use procession::prelude::*;
use procession::{Monitor, MonitorTable, Policy, ProgramState, Ready, RunningMonitor};
use rustix::process::{Pid, kill_process};

use crate::stress::{Driver, Numbers, WATCHDOG, behaviour, ms, skip, slow};

const DB: &str = "db";
const WEB: &str = "web";
/// The variables that make the program of this file one of the servers.
const PORT: &str = "PROCESSION_TEST_SERVE_ON";
const BEHIND: &str = "PROCESSION_TEST_SERVE_FROM";

/// Two free ports. Nothing keeps them free, but the kernel chooses others first.
fn ports() -> [u16; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
    listeners.map(|listener| listener.local_addr().expect("it has one").port())
}

/// Connects to a server, says something, and returns the answer until `end`.
fn ask(port: u16, question: &str, end: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(WATCHDOG))?;
    stream.write_all(question.as_bytes())?;
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) || end.is_empty() {
        let mut part = [0; 256];
        match stream.read(&mut part)? {
            0 => break,
            count => answer.extend_from_slice(&part[..count]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// The program of the first test, which runs this binary with the variables: a server that says "data",
/// or one that passes on what that one says. Without the variables it checks nothing.
#[test]
fn a_server() {
    let port = |name| std::env::var(name).ok()?.parse::<u16>().ok();
    let Some(here) = port(PORT) else { return };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, here)).expect("the port is free");
    for stream in listener.incoming() {
        let answer = match port(BEHIND) {
            Some(behind) => ask(behind, "", "").map(|data| format!("page with {data}")),
            None => Ok("data".to_owned()),
        };
        // A client that only looks whether somebody accepts has gone already.
        let mut stream = stream.expect("a connection");
        stream.write_all(answer.unwrap_or_default().as_bytes()).ok();
    }
}

fn policy(port: u16) -> Policy {
    let policy = Policy::always().ready_when(Ready::tcp(port)).backoff(ms(5), ms(40));
    policy.start_timeout(Duration::from_secs(20)).stop_grace(Duration::from_secs(5))
}

fn are_ready(table: &MonitorTable) -> bool {
    table.rows.iter().all(|row| row.state == ProgramState::Running)
}

fn pid(running: &RunningMonitor, name: &str) -> Option<Pid> {
    Pid::from_raw(running.table().row(name)?.pid?.try_into().ok()?)
}

/// Kills one of the programs, or both, at a random time, `times` times. A quarter of them is killed once
/// more as soon as it has started, when it is not ready. After each time both must become ready again.
fn kill_at_random(driver: &mut Driver, running: &RunningMonitor, times: usize) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let seed = std::env::var("PROCESSION_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(now.subsec_nanos()));
    println!("seed {seed}: PROCESSION_SEED={seed} kills the same programs again");
    let mut random = Numbers::new(seed);
    let until_ready = |driver: &mut Driver, round: usize| {
        let within = Duration::from_secs(60);
        let what = format!("both are ready again after {round} kills");
        driver.until(&what, within, || are_ready(&running.table()));
    };
    let kill = |driver: &mut Driver, name: &str| {
        // It pauses if its port was still taken.
        driver.until("it has started", WATCHDOG, || pid(running, name).is_some());
        let old = pid(running, name).expect("it has started");
        kill_process(old, rustix::process::Signal::KILL).expect("it is ours");
        let is_new = || pid(running, name).is_some_and(|new| new != old);
        driver.until("it has started again", WATCHDOG, is_new);
    };
    for round in 0..times {
        until_ready(driver, round);
        driver.run_for(ms(random.below(30)));
        let victims: &[&str] = match random.below(3) {
            0 => &[DB],
            1 => &[WEB],
            _ => &[DB, WEB],
        };
        for name in victims {
            kill(driver, name);
            if random.below(4) == 0 {
                kill(driver, name);
            }
        }
    }
    until_ready(driver, times);
    let table = running.table();
    let restarts: u32 = table.rows.iter().map(|row| row.restarts).sum();
    assert!(usize::try_from(restarts).expect("it is small") >= times, "{table}");
}

fn shut_down(driver: &mut Driver, running: &RunningMonitor, ports: [u16; 2]) {
    let stopped = running.shutdown();
    driver.reactor().block_on(stopped).expect("a stop does not fail");
    for port in ports {
        assert!(ask(port, "", "").is_err(), "nobody listens on {port}");
    }
}

/// Case MO-23.
#[test]
fn services_that_are_killed_at_random_become_ready_again() {
    behaviour("services_that_are_killed_at_random_become_ready_again", |driver| {
        let [db, web] = ports();
        let server = |port: u16| {
            let this = std::env::current_exe().expect("a test has an executable");
            let command = Command::new(this).args(["a_server", "--exact"]);
            command.env_remove("PROCESSION_TEST_ISOLATED").env(PORT, port.to_string())
        };
        let monitor = Monitor::new().add(DB, server(db), policy(db)).add(
            WEB,
            server(web).env(BEHIND, db.to_string()),
            policy(web).after(DB),
        );
        let running = monitor.start_on(&driver.handle()).expect("the monitor is right");
        kill_at_random(driver, &running, 10);
        assert_eq!(ask(web, "", "").expect("it serves"), "page with data");
        shut_down(driver, &running, [db, web]);
    });
}

/// Case MO-24.
#[test]
fn redis_and_a_web_server_that_are_killed_200_times_become_ready_again() {
    let name = "redis_and_a_web_server_that_are_killed_200_times_become_ready_again";
    slow(name, |driver| {
        for program in ["/usr/bin/redis-server", "/usr/bin/python3"] {
            if !std::path::Path::new(program).exists() {
                return skip(
                    name,
                    &format!("{program} is not there: apt-get install redis python3"),
                );
            }
        }
        let dir = tempfile::tempdir().expect("a directory");
        let page = dir.path().join("page");
        std::fs::write(&page, "a page\n").expect("it takes a file");
        let [db, web] = ports();
        let redis = Command::new("/usr/bin/redis-server").current_dir(dir.path()).args([
            "--port",
            &db.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "yes",
        ]);
        let server = Command::new("/usr/bin/python3").current_dir(dir.path());
        let server = server.args(["-m", "http.server", &web.to_string(), "--bind", "127.0.0.1"]);
        let monitor =
            Monitor::new().add(DB, redis, policy(db)).add(WEB, server, policy(web).after(DB));
        let running = monitor.start_on(&driver.handle()).expect("the monitor is right");
        driver.until("both are ready", WATCHDOG, || are_ready(&running.table()));
        assert_eq!(ask(db, "SET kept value\r\n", "\n").expect("redis answers"), "+OK\r\n");
        kill_at_random(driver, &running, 200);
        let kept = ask(db, "GET kept\r\n", "value\r\n").expect("redis answers");
        assert_eq!(kept, "$5\r\nvalue\r\n", "it was written before the first kill");
        let answer = ask(web, "GET /page HTTP/1.0\r\n\r\n", "").expect("it serves");
        assert!(answer.ends_with("\r\n\r\na page\n"), "{answer}");
        shut_down(driver, &running, [db, web]);
    });
}
