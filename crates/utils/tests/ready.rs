//! Readiness by each way, and its failures, with real children.
#![cfg(feature = "reactor")]

mod util;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

#[cfg(target_os = "linux")]
use procession_core::driver::Reason;
use procession_core::{Deferred, Failed};
use procession_process_transport::{Command, Fd};
use procession_test_support::{PROMPTLY, skip};
use procession_utils::{
    Monitor, MonitorChange, Policy, ProgramState, Ready, ReadyError, ReadyProgram,
};
#[cfg(target_os = "linux")]
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use util::{Driver, WATCHDOG, behaviour, bound, is_running, ms, open_fds, sh, skip_here};

const LIMIT: Duration = Duration::from_secs(8);

fn start(
    driver: &mut Driver,
    ready: Ready,
    command: Command,
    limit: Duration,
) -> Result<ReadyProgram, ReadyError> {
    let handle = driver.reactor.handle();
    let started: Deferred<ReadyProgram, ReadyError> = ready.start_on(&handle, command, limit);
    driver.get(started).map_err(|failed| match failed {
        Failed::Error(error) => error,
        other => panic!("{other:?}"),
    })
}

/// Ends what is ready.
fn end_of(driver: &mut Driver, program: ReadyProgram) {
    drop(program);
    driver.until_no_children(WATCHDOG);
}

fn python(script: &str) -> Command {
    Command::new("/usr/bin/python3").args(["-c", script])
}

fn has_python(test: &str) -> bool {
    let is_there = Path::new("/usr/bin/python3").exists();
    if !is_there {
        skip_here(test, "/usr/bin/python3 is not there: apt-get install python3");
    }
    is_there
}

/// A free port. Nothing keeps it free, but the kernel chooses others first.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("it has one").port()
}

/// Case RY-01.
#[test]
fn a_line_of_either_output_shows_it_also_one_without_its_end() {
    behaviour("a_line_of_either_output_shows_it_also_one_without_its_end", |driver| {
        for script in ["echo a; echo is up now; exec sleep 60", "echo is up >&2; exec sleep 60"] {
            let program = start(driver, Ready::line("is up"), sh(script), LIMIT).unwrap();
            assert!(program.output().windows(5).any(|part| part == b"is up"));
            end_of(driver, program);
        }
        let matches = Ready::line_where(|line| line.ends_with(b"7") && line.len() == 2);
        let program = start(driver, matches, sh("seq 100; exec sleep 60"), LIMIT).unwrap();
        assert!(program.output().starts_with(b"1\n2\n"));
        end_of(driver, program);
        let closed = sh("printf up; exec >/dev/null 2>&1; exec sleep 60");
        let program = start(driver, Ready::line("up"), closed, LIMIT).unwrap();
        end_of(driver, program);
    });
}

/// A server that binds this socket, an expression of python, and accepts once there is the file `go`.
fn late_server(dir: &Path, socket: &str) -> Command {
    let script = format!(
        "import os,socket,time\ns={socket}\nopen('bound','w').close()\n\
         while not os.path.exists('go'): time.sleep(0.005)\ns.listen(8)\ntime.sleep(60)"
    );
    python(&script).current_dir(dir)
}

/// Checks that a late server is ready when it accepts, and not while it only has the address.
fn check_accepts(
    driver: &mut Driver,
    ready: Ready,
    dir: &Path,
    socket: &str,
    accepts: impl Fn() -> bool,
) {
    for file in ["bound", "go"] {
        std::fs::remove_file(dir.join(file)).ok();
    }
    let handle = driver.reactor.handle();
    let started = ready.start_on(&handle, late_server(dir, socket), LIMIT);
    driver.until("it has the address", WATCHDOG, |_| dir.join("bound").exists());
    // Attempts come after 5, 10, 20, … ms.
    let end = driver.reactor.now() + ms(200);
    driver.until("some attempts have failed", WATCHDOG, |driver| {
        assert!(started.try_take().is_none(), "it is ready before it accepts");
        driver.reactor.now() >= end
    });
    assert!(!accepts());
    std::fs::write(dir.join("go"), "").expect("the directory takes a file");
    let program = driver.get(started).expect("it accepts");
    assert!(accepts() && program.process().pid().is_some_and(is_running));
    end_of(driver, program);
    assert!(!accepts(), "it was the program that accepted");
}

/// Case RY-02.
#[test]
fn a_port_shows_it_when_it_accepts_on_either_loopback_address() {
    let name = "a_port_shows_it_when_it_accepts_on_either_loopback_address";
    if !has_python(name) {
        return;
    }
    behaviour(name, |driver| {
        let dir = tempfile::tempdir().unwrap();
        for (family, address) in [("AF_INET", "127.0.0.1"), ("AF_INET6", "::1")] {
            let ip: std::net::IpAddr = address.parse().unwrap();
            if TcpListener::bind((ip, 0)).is_err() {
                skip(name, &format!("this machine has no {address}"));
                continue;
            }
            let port = free_port();
            let bound = format!("socket.socket(socket.{family}); s.bind(('{address}',{port}))");
            let accepts = || TcpStream::connect((ip, port)).is_ok();
            for ready in [Ready::tcp(port), Ready::tcp_at((ip, port))] {
                check_accepts(driver, ready, dir.path(), &bound, accepts);
            }
        }
    });
}

/// Case RY-03.
#[test]
fn a_port_or_a_socket_that_somebody_else_accepts_on_is_an_error_and_starts_nothing() {
    let name = "a_port_or_a_socket_that_somebody_else_accepts_on_is_an_error_and_starts_nothing";
    behaviour(name, |driver| {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("started");
        let touch = || Command::new("touch").arg(&file);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let path = dir.path().join("socket");
        let other = UnixListener::bind(&path).unwrap();
        for ready in [Ready::tcp(port), Ready::unix(&path)] {
            let error = start(driver, ready, touch(), LIMIT).unwrap_err();
            assert!(matches!(error, ReadyError::AlreadyReady { .. }), "{error}");
        }
        assert!(!file.exists());
        drop((listener, other));
        // The file of a socket that nobody listens on is no obstacle.
        assert!(path.exists());
        let error = start(driver, Ready::unix(&path), touch(), LIMIT).unwrap_err();
        assert!(matches!(error, ReadyError::Exited { .. }), "{error}");
        assert!(file.exists());
    });
}

/// Case RY-04.
#[test]
fn a_unix_socket_shows_it_when_it_accepts() {
    let name = "a_unix_socket_shows_it_when_it_accepts";
    if !has_python(name) {
        return;
    }
    behaviour(name, |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let bound = "socket.socket(socket.AF_UNIX); s.bind('sock')";
        let accepts = || UnixStream::connect(&path).is_ok();
        check_accepts(driver, Ready::unix(&path), dir.path(), bound, accepts);
    });
}

/// Case RY-05.
#[test]
fn a_file_shows_it_when_it_appears_or_changes() {
    behaviour("a_file_shows_it_when_it_appears_or_changes", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("up");
        // It appears with its text.
        let script = "[ -e up ] || { echo x >new; exec sh -c 'mv new up; exec sleep 60'; }; \
                      echo x >>up; exec sleep 60";
        let server = || sh(script).current_dir(dir.path());
        for size in [2, 4] {
            let program = start(driver, Ready::file(&path), server(), LIMIT).unwrap();
            assert_eq!(std::fs::metadata(&path).unwrap().len(), size);
            end_of(driver, program);
        }
        let idle = sh("exec sleep 60");
        let error = start(driver, Ready::file(&path), idle, ms(200)).unwrap_err();
        assert!(matches!(error, ReadyError::TimedOut { .. }), "an old file does not count");
    });
}

/// Case RY-06.
#[test]
fn a_line_feed_on_a_descriptor_shows_it() {
    behaviour("a_line_feed_on_a_descriptor_shows_it", |driver| {
        let server = sh("printf x >&5; sleep 0.05; echo >&5; exec 5>&-; exec sleep 60");
        let program = start(driver, Ready::fd(5), server, LIMIT).unwrap();
        end_of(driver, program);
        let closes = sh("printf x >&5; exec 5>&-; exec sleep 60");
        let error = start(driver, Ready::fd(5), closes, ms(200)).unwrap_err();
        assert!(matches!(error, ReadyError::TimedOut { .. }), "{error}");
    });
}

/// What a program of a test sends to the socket that it was given.
const NOTIFY: &str = "import os,socket,sys,time\n\
    def send(text,fds=[]):\n \
     s=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\n \
     s.connect('\\0'+os.environ['NOTIFY_SOCKET'][1:])\n \
     socket.send_fds(s,[text.encode()],fds) if fds else s.send(text.encode())\n";

/// Case RY-07.
#[cfg(target_os = "linux")]
#[test]
fn a_notification_shows_it_and_its_status_is_in_the_table() {
    let name = "a_notification_shows_it_and_its_status_is_in_the_table";
    if !has_python(name) {
        return;
    }
    behaviour(name, |driver| {
        let script = format!(
            "{NOTIFY}send('STATUS=loading')\ntime.sleep(0.1)\nsend('READY=1\\nSTATUS=2 of 3')\ntime.sleep(60)"
        );
        let handle = driver.reactor.handle();
        let policy = Policy::always().ready_when(Ready::notify());
        let monitor = Monitor::new().add("server", python(&script), policy);
        let running = monitor.start_on(&handle).unwrap();
        let row = || running.table().rows.remove(0);
        driver.until("it loads", WATCHDOG, |_| row().note == "loading");
        assert_eq!(row().state, ProgramState::Starting);
        driver.until("it is ready", WATCHDOG, |_| row().note == "2 of 3");
        assert_eq!(row().state, ProgramState::Running);
        let stopped = running.shutdown();
        driver.get(stopped).unwrap();
    });
}

/// Case RY-08.
#[cfg(target_os = "linux")]
#[test]
fn a_notification_counts_only_from_the_program_itself() {
    let name = "a_notification_counts_only_from_the_program_itself";
    if !has_python(name) {
        return;
    }
    behaviour(name, |driver| {
        let child = format!(
            "{NOTIFY}if os.fork()==0:\n send('READY=1')\n os._exit(0)\nos.wait()\nprint('sent',flush=True)\ntime.sleep(60)"
        );
        let error = start(driver, Ready::notify(), python(&child), ms(900)).unwrap_err();
        let ReadyError::TimedOut { output, .. } = error else { panic!("{error}") };
        assert_eq!(output, "sent\n");
    });
}

/// Case RY-09.
#[cfg(target_os = "linux")]
#[test]
fn descriptors_that_come_with_a_notification_are_closed() {
    let name = "descriptors_that_come_with_a_notification_are_closed";
    if !has_python(name) {
        return;
    }
    behaviour(name, |driver| {
        // The barrier of sd_notify_barrier(3): the pipe ends when the other side has closed its end. The
        // second message has more descriptors than the library takes from one. A program that waits too
        // long ends, and is not ready.
        let script = format!(
            "{NOTIFY}r,w=os.pipe()\nsend('BARRIER=1',[w])\nsend('X=1',[w]*40)\nos.close(w)\n\
             begun=time.monotonic()\nassert os.read(r,1)==b''\n\
             assert time.monotonic()-begun < {}\nsend('READY=1')\ntime.sleep(60)",
            bound(PROMPTLY).as_secs_f64()
        );
        let fds = open_fds().len();
        let program = start(driver, Ready::notify(), python(&script), LIMIT).unwrap();
        // Two pipes, a pidfd and the socket of the program that runs.
        assert!(open_fds().len() <= fds + 4, "{:?}", open_fds());
        end_of(driver, program);
    });
}

/// Case RY-16.
#[test]
fn what_can_never_come_about_is_refused_before_the_start() {
    behaviour("what_can_never_come_about_is_refused_before_the_start", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let touch = || Command::new("touch").arg("started").current_dir(dir.path());
        for ready in [Ready::tcp(0), Ready::fd(1), Ready::unix(""), Ready::file("a\0b")] {
            let error = start(driver, ready.clone(), touch(), LIMIT).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains("it waits for "), "{error}");
        }
        assert!(!dir.path().join("started").exists());
    });
}

/// Case RY-15.
#[cfg(target_os = "linux")]
#[test]
fn without_a_descriptor_for_the_socket_nothing_is_started() {
    behaviour("without_a_descriptor_for_the_socket_nothing_is_started", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let touch = || Command::new("touch").arg("started").current_dir(dir.path());
        let handle = driver.reactor.handle();
        let monitor = Monitor::new().add("a", touch(), Policy::never().ready_when(Ready::notify()));
        let running = monitor.start_on(&handle).unwrap();

        let before = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..before }).unwrap();
        let error = start(driver, Ready::notify(), touch(), LIMIT).unwrap_err();
        let failed = driver.get(running.ended()).unwrap_err();
        setrlimit(Resource::Nofile, before).unwrap();

        let text = error.to_string();
        let ReadyError::Watch { command, source, .. } = &error else { panic!("{text}") };
        assert_eq!((command.as_str(), source.raw_os_error()), ("touch started", Some(24)));
        // The C libraries have words of their own.
        let why = Reason(source);
        let about = "touch started is ready (READY=1 comes on NOTIFY_SOCKET)";
        assert_eq!(text, format!("cannot watch whether {about}: {why}"));
        assert_eq!((error.output(), error.kind()), (None, source.kind()));
        let about = "\"a\" has failed for good: cannot watch whether it is ready";
        assert_eq!(failed.to_string(), format!("{about}: {why}"));
        assert!(!dir.path().join("started").exists());
    });
}

/// Case RY-10.
#[test]
fn a_timeout_has_the_output_so_far_and_ends_the_group() {
    behaviour("a_timeout_has_the_output_so_far_and_ends_the_group", |driver| {
        let script = "sleep 60 & echo child $!; echo stuck >&2; wait";
        let error = start(driver, Ready::line("ready"), sh(script), ms(300)).unwrap_err();
        let output = error.output().unwrap().clone();
        let text = String::from_utf8_lossy(&output).into_owned();
        let child = text.lines().find_map(|line| line.strip_prefix("child ")).unwrap();
        assert!(!is_running(child.parse().unwrap()), "the group has ended before the error came");
        assert!(text.contains("stuck\n"));
        let error = error.to_string();
        assert!(error.contains(" was not ready after 0.3"), "{error}");
        assert!(error.contains(" s (ready: a line contains \"ready\"): "), "{error}");
        assert!(util::children().is_empty());
    });
}

/// Case RY-11.
#[test]
fn an_end_before_it_is_ready_has_the_reason_and_the_output() {
    behaviour("an_end_before_it_is_ready_has_the_reason_and_the_output", |driver| {
        let script = "echo no such table >&2; exit 3";
        let error = start(driver, Ready::line("ready"), sh(script), LIMIT).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(" exited with status 3 before it was ready (ready: "), "{text}");
        assert!(text.ends_with("): no such table"), "{text}");
        let missing = Command::new("/no/such/program");
        let error = start(driver, Ready::line("x"), missing, LIMIT).unwrap_err();
        assert!(matches!(error, ReadyError::Spawn(_)), "{error}");
    });
}

/// Case RY-12.
#[test]
fn a_result_that_is_dropped_ends_the_program_at_every_stage() {
    behaviour("a_result_that_is_dropped_ends_the_program_at_every_stage", |driver| {
        let handle = driver.reactor.handle();
        let server = || sh("exec sleep 60");
        for ready in
            [Ready::line("x"), Ready::tcp(1), Ready::unix("/no/such"), Ready::file("/no/x")]
        {
            drop(ready.clone().start_on(&handle, server(), LIMIT));
            driver.until_no_children(WATCHDOG);
            let started = ready.start_on(&handle, server(), LIMIT);
            driver.until("it runs", WATCHDOG, |_| !util::children().is_empty());
            drop(started);
            driver.until_no_children(WATCHDOG);
            assert!(util::children().is_empty());
        }
    });
}

/// Case RY-14.
#[test]
fn a_panic_of_the_closure_ends_the_program() {
    behaviour("a_panic_of_the_closure_ends_the_program", |driver| {
        let handle = driver.reactor.handle();
        let ready = Ready::line_where(|_| panic!("on purpose"));
        let started = ready.start_on(&handle, sh("echo line; exec sleep 600"), LIMIT);
        let panic = catch_unwind(AssertUnwindSafe(|| {
            loop {
                driver.reactor.turn(None).expect("a turn");
            }
        }));
        panic.expect_err("it unwinds out of a turn");
        driver.until_no_children(WATCHDOG);
        assert!(util::children().is_empty());
        drop(started);
    });
}

/// Case RY-13.
#[test]
fn a_monitor_waits_until_nobody_else_accepts_there() {
    behaviour("a_monitor_waits_until_nobody_else_accepts_there", |driver| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let handle = driver.reactor.handle();
        let policy = Policy::always().backoff(ms(10), ms(20)).ready_when(Ready::tcp(port));
        let server = sh("exec sleep 60").stdout(Fd::null());
        let running = Monitor::new().add("web", server, policy).start_on(&handle).unwrap();
        let mut events = running.events();
        let mut refused = 0;
        driver.until("it was not started twice", WATCHDOG, |_| {
            while let Some(event) = events.try_next() {
                assert!(!matches!(event.change, MonitorChange::Started { .. }));
                if let MonitorChange::NotStarted { reason, .. } = event.change {
                    assert_eq!(
                        reason,
                        format!("before its start, port {port} accepts a connection")
                    );
                    refused += 1;
                }
            }
            refused == 2
        });
        drop(listener);
        driver.until("it has started", WATCHDOG, |_| {
            let event = events.try_next();
            event.is_some_and(|event| matches!(event.change, MonitorChange::Started { .. }))
        });
        let stopped = running.shutdown();
        driver.get(stopped).unwrap();
    });
}
