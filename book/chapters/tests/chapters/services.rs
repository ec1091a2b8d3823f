//! Programs that are kept running.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

// ANCHOR: monitor
use std::time::Duration;

use procession::{Command, Monitor, MonitorError, Policy, Reactor, Ready, Stopped};

fn services() -> Monitor {
    let db = Command::new("postgres").args(["-D", "data"]);
    let web = Policy::on_failure().after("db");
    let web = web.backoff(Duration::from_millis(200), Duration::from_secs(30));
    let always = Policy::always().ready_when(Ready::line("ready to accept connections"));
    Monitor::new().add("db", db, always).add("web", Command::new("./web"), web)
}

fn main() -> Result<Stopped, MonitorError> {
    // On Ctrl-C they end in reverse order: TERM, a grace, KILL. Then the program dies by the signal.
    Reactor::new()?.run_main(services().run())
}
// ANCHOR_END: monitor

/// The server ends the program that has started it.
const STAND_INS: [(&str, &str); 2] = [
    ("postgres", "echo LOG: database system is ready to accept connections >&2; exec sleep 600"),
    ("web", "echo started > web.log; kill -TERM $PPID; exec sleep 600"),
];

#[test]
fn the_server_starts_when_the_database_is_ready() {
    // In a folder with stand-ins for both programs, the test runs once more.
    const WITH_STAND_INS: &str = "TEST_WITH_STAND_INS";
    if std::env::var_os(WITH_STAND_INS).is_some() {
        main().unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    for (program, script) in STAND_INS {
        let file = folder.path().join(program);
        std::fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(file, Permissions::from_mode(0o755)).unwrap();
    }
    let name = "services::the_server_starts_when_the_database_is_ready";
    let again = Command::new(std::env::current_exe().unwrap()).args([name, "--exact"]);
    let path = format!("{}:/usr/bin:/bin", folder.path().display());
    let again = again.env("PATH", path).env(WITH_STAND_INS, "1").current_dir(folder.path());
    let outcome = procession::Run::from(again).output_blocking().unwrap();
    assert_eq!(outcome.signal(), Some(procession::Signal::TERM), "{outcome:?}");
    assert_eq!(std::fs::read_to_string(folder.path().join("web.log")).unwrap(), "started\n");
}

mod events {
    // ANCHOR: events
    use procession::{Command, Monitor, MonitorChange, MonitorError, Policy};

    async fn watch() -> Result<Vec<String>, MonitorError> {
        let hello = Command::new("sh").args(["-c", "echo hello; exit 0"]);
        let running = Monitor::new().add("hello", hello, Policy::never()).start()?;
        let mut events = running.events();
        let mut lines = Vec::new();
        while let Some(event) = events.next().await {
            match event.change {
                MonitorChange::Line(line) => lines.push(line.to_string()),
                MonitorChange::Done => break,
                other => println!("{}: {other}", event.program),
            }
        }
        println!("{}", running.table());
        Ok(lines)
    }
    // ANCHOR_END: events

    #[test]
    fn they_have_every_line() {
        let lines = procession::Reactor::new().unwrap().block_on(watch()).unwrap();
        assert_eq!(lines, ["hello"]);
    }
}

mod ready {
    // ANCHOR: ready
    use std::time::Duration;

    use procession::{Command, Failed, Ready, ReadyError};

    /// Starts a server for a test, and returns when it can be used.
    async fn server(script: &str) -> Result<u32, Failed<ReadyError>> {
        let server = Command::new("sh").args(["-c", script]).owned(true);
        let server = Ready::line("listening").start(server, Duration::from_secs(10)).await?;
        Ok(server.process().pid().unwrap_or(0))
    }
    // ANCHOR_END: ready

    #[test]
    fn a_server_is_ready_after_its_line() {
        let mut reactor = procession::Reactor::new().unwrap();
        let pid = reactor.block_on(server("echo listening; exec sleep 60")).unwrap();
        assert!(pid > 0);
        let error = reactor.block_on(server("echo no port; exit 1")).unwrap_err();
        assert!(error.to_string().contains("no port"), "{error}");
    }
}

mod dialogue {
    // ANCHOR: dialogue
    use std::error::Error;
    use std::time::Duration;

    use procession::{Command, DialogueError, Handle, Pty, StartDialogue, line};

    async fn multiply(calculator: Command) -> Result<String, Box<dyn Error>> {
        let mut bc = Handle::current().dialogue(calculator.pty(Pty::new()))?;
        bc.send_line("6 * 7").await?;
        let answer = bc.expect(line(r"^\d+$")).within(Duration::from_secs(2)).await?;
        Ok(answer.text().into_owned())
    }
    // ANCHOR_END: dialogue

    // ANCHOR: secret
    async fn log_in(program: Command, password: &str) -> Result<String, DialogueError> {
        let Ok(mut login) = Handle::current().dialogue(program.pty(Pty::new())) else {
            return Ok("the program is missing".to_owned());
        };
        login.expect("password: ").within(Duration::from_secs(10)).await?;
        login.send_secret(password).await?; // waits until the echo is off
        login.expect("welcome").within(Duration::from_secs(10)).await?;
        Ok(login.transcript()) // has "[secret]" where the password was
    }
    // ANCHOR_END: secret

    #[test]
    fn a_calculator_answers() {
        // A stand-in for `bc -i`, which is not everywhere.
        let bc = Command::new("sh").args(["-c", "read question; echo $((6 * 7))"]);
        let mut reactor = procession::Reactor::new().unwrap();
        assert_eq!(reactor.block_on(multiply(bc)).unwrap(), "42");
    }

    #[test]
    fn a_password_is_in_no_transcript() {
        let script = "stty -echo; printf 'password: '; read secret; echo; echo welcome $secret";
        let login = Command::new("sh").args(["-c", script]);
        let mut reactor = procession::Reactor::new().unwrap();
        let said = reactor.block_on(log_in(login, "hunter2")).unwrap();
        assert!(said.contains("[secret]") && !said.contains("hunter2"), "{said}");
    }
}

mod any {
    // ANCHOR: any
    use std::time::Duration;

    use procession::{Dialogue, DialogueError};

    async fn is_let_in(login: &mut Dialogue, limit: Duration) -> Result<bool, DialogueError> {
        let found = login.expect_any(["welcome", "incorrect"]).within(limit).await?;
        println!("{}, after {} bytes", found.text(), found.before.len());
        Ok(found.which == 0)
    }
    // ANCHOR_END: any

    #[test]
    fn the_first_that_comes_is_found() {
        use procession::{Command, StartDialogue};

        let mut reactor = procession::Reactor::new().unwrap();
        let limit = Duration::from_secs(60);
        for (answer, expected) in [("welcome", true), ("incorrect", false)] {
            let mut login = reactor.dialogue(Command::new("echo").arg(answer)).unwrap();
            assert_eq!(reactor.block_on(is_let_in(&mut login, limit)).unwrap(), expected);
        }
    }
}

#[test]
fn a_monitor_is_checked_before_it_starts_anything() {
    services().check().unwrap();
    let wrong = Monitor::new().add("web", "web", Policy::always().after("db"));
    assert!(wrong.check().unwrap_err().to_string().contains("db"));
}
