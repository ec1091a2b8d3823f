//! The children of helpers have no terminal, and report that they lack one, unless the program lets
//! them use its own. The error of a timeout says if the child was stopped.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use bytes::Bytes;
use procession_core::{Failed, Signal};
use procession_process_transport::{Command, Fd, Pipeline, Pty, SpawnProcess};
use procession_reactor::Handle;
use procession_utils::{
    OutputError, Run, Stdin, get_process_output, get_process_output_and_value,
    get_process_output_merged, get_process_value, run_all,
};
use util::{Driver, behaviour, bound, ms, on_terminal, sh, skip_here};

/// A background process that reads the terminal is stopped. A process without a terminal gets an
/// error.
const ASK: &str = "read x </dev/tty; echo $x";

/// Prints the pid, the group and the session of the shell. The program's name has no space.
const WHERE: &str = "cut -d' ' -f1,5,6 /proc/$$/stat";

const NO_TERMINAL: &str = "/dev/tty: No such device or address";

/// Which session or group a child leads or is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ChildPlacement {
    Session,
    Group,
    Parent,
}

/// Parses the output of [`WHERE`].
#[track_caller]
fn place(output: &Bytes) -> ChildPlacement {
    let text = String::from_utf8_lossy(output);
    let [pid, group, session] = numbers(&text)[..] else { panic!("{text}") };
    let (own_group, own_session) = own_group_and_session();
    match (group, session) {
        _ if (group, session) == (pid, pid) => ChildPlacement::Session,
        _ if (group, session) == (pid, own_session) => ChildPlacement::Group,
        _ if (group, session) == (own_group, own_session) => ChildPlacement::Parent,
        _ => panic!("{text}"),
    }
}

/// Both are 0 if they belong to another PID namespace.
fn own_group_and_session() -> (i32, i32) {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("/proc is mounted");
    let (_, fields) = stat.rsplit_once(") ").expect("it has a name");
    let fields: Vec<&str> = fields.split(' ').skip(2).take(2).collect();
    let [group, session] = numbers(&fields.join(" "))[..] else { panic!("{stat}") };
    (group, session)
}

fn numbers(text: &str) -> Vec<i32> {
    text.split_ascii_whitespace().map(|number| number.parse().expect("a number")).collect()
}

#[track_caller]
fn place_of(driver: &mut Driver, run: Run) -> ChildPlacement {
    place(&driver.get(run.start()).expect("a shell").stdout)
}

/// Case TT-01.
#[test]
fn a_child_that_opens_the_terminal_fails_at_once() {
    on_terminal("a_child_that_opens_the_terminal_fails_at_once", "", |driver| {
        std::fs::File::open("/dev/tty").expect("the program has a terminal");
        let run = Run::from(sh(ASK)).timeout(bound(Duration::from_secs(5)));
        let outcome = driver.get(run.start()).unwrap();
        assert!(outcome.stderr_utf8().unwrap().contains(NO_TERMINAL), "{outcome:?}");
        let all = driver.get(run_all([sh(ASK), sh(ASK)], 2).all()).unwrap();
        assert!(all.into_iter().all(|one| !one.unwrap().stderr.is_empty()));
        let merged = driver.get(get_process_output_merged(sh(ASK))).unwrap();
        assert!(String::from_utf8_lossy(&merged).contains(NO_TERMINAL));
    });
}

/// Case TT-02.
#[test]
fn the_children_of_helpers_lead_sessions() {
    behaviour("the_children_of_helpers_lead_sessions", |driver| {
        assert_eq!(place_of(driver, Run::from(sh(WHERE))), ChildPlacement::Session);
        let all = driver.get(run_all([sh(WHERE), sh(WHERE)], 2).all()).unwrap();
        assert!(all.into_iter().all(|one| place(&one.unwrap().stdout) == ChildPlacement::Session));
        let output = driver.get(get_process_output(sh(WHERE))).unwrap();
        assert_eq!(place(&output), ChildPlacement::Session);
        let output = driver.get(get_process_output_merged(sh(WHERE))).unwrap();
        assert_eq!(place(&output), ChildPlacement::Session);
        let (output, ..) = driver.get(get_process_output_and_value(sh(WHERE), "")).unwrap();
        assert_eq!(place(&output), ChildPlacement::Session);
        let script = format!("set -- $({WHERE}); [ $1 = $2 ] && [ $1 = $3 ]");
        assert_eq!(driver.get(get_process_value(sh(&script))).unwrap(), 0);
        // An end of the group reaches every member, as before.
        let run = Run::from(sh("sleep 60 & wait")).timeout(bound(ms(100)));
        assert!(driver.get(run.start()).is_err());
        driver.until_no_children(ms(2000));
    });
}

/// Cases TT-03 and TT-04.
#[test]
fn a_session_or_group_that_the_command_sets_takes_precedence() {
    on_terminal("a_session_or_group_that_the_command_sets_takes_precedence", "", |driver| {
        let run = |change: fn(Command) -> Command| Run::from(sh(WHERE)).command(change);
        // In a session of its own, its nice value would count only there.
        assert_eq!(place_of(driver, run(|command| command.nice(5))), ChildPlacement::Group);
        assert_eq!(
            place_of(driver, run(|command| command.process_group(0))),
            ChildPlacement::Group
        );
        let asked = run(|command| command.new_session().nice(5));
        assert_eq!(place_of(driver, asked), ChildPlacement::Session);
        assert_eq!(place_of(driver, run(|command| command).foreground()), ChildPlacement::Parent);
        let in_ours = run(|command| {
            let (group, _) = own_group_and_session();
            command.process_group(group)
        });
        assert_eq!(place_of(driver, in_ours), ChildPlacement::Parent);
        for (pty, expected) in [
            (Pty::new(), ChildPlacement::Session),
            (Pty::new().controlling(false), ChildPlacement::Group),
        ] {
            let run = Run::from(sh(WHERE).pty(pty)).stdin(Stdin::as_in_command());
            assert_eq!(place_of(driver, run), expected);
        }
        let own = Run::from(sh("echo seen >/dev/tty").pty(Pty::new()));
        let shown = driver.get(own.stdin(Stdin::as_in_command()).check().start()).unwrap();
        assert_eq!(shown.stdout, "seen\r\n");
    });
}

/// Case TT-05.
#[test]
fn other_children_stay_where_they_were() {
    behaviour("other_children_stay_where_they_were", |driver| {
        let reactor = driver.reactor.handle();
        for (command, expected) in
            [(sh(WHERE), ChildPlacement::Parent), (sh(WHERE).owned(true), ChildPlacement::Group)]
        {
            let output = driver.reactor.block_on(async {
                let mut child = reactor.spawn_child(command.clone()).unwrap();
                let output = child.stdout().next().await.unwrap();
                child.ended().await.unwrap();
                output
            });
            assert_eq!(place(&output), expected);
            let output = command.spawn().unwrap().output().unwrap();
            assert_eq!(place(&Bytes::copy_from_slice(output.stdout())), expected);
        }
        let (reader, writer) = std::io::pipe().unwrap();
        let last = Command::new("cat").child_fd(1, Fd::inherit(writer));
        let pipeline = Pipeline::new().stage(sh(WHERE)).stage(last);
        let pipeline = driver.reactor.spawn_pipeline(pipeline).unwrap();
        driver.reactor.block_on(pipeline.ended()).unwrap();
        assert_ne!(place(&read_all(reader)), ChildPlacement::Session);
    });
}

fn read_all(mut reader: std::io::PipeReader) -> Bytes {
    let mut all = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut all).expect("a pipe");
    all.into()
}

/// Case TT-06.
#[test]
fn an_error_of_a_child_that_wanted_a_terminal_names_what_gives_it_one() {
    let name = "an_error_of_a_child_that_wanted_a_terminal_names_what_gives_it_one";
    on_terminal(name, "typed\n", |driver| {
        let ask = || Run::from(sh("set -e; read x </dev/tty; echo $x")).check();
        let error = driver.get(ask().start()).unwrap_err().to_string();
        assert!(error.contains(NO_TERMINAL) && error.contains("foreground()"), "{error}");
        let words = "echo sudo: a terminal is required to read the password >&2";
        let error = driver.get(Run::from(sh(words)).fail_on_stderr().start());
        assert!(error.unwrap_err().to_string().contains("foreground()"));
        let asked = driver.get(ask().foreground().start()).unwrap();
        assert_eq!(asked.stdout, "typed\n");
    });
}

/// Case TT-06, with git, which most users meet.
#[test]
fn git_that_would_ask_for_a_name_says_that_it_cannot() {
    let name = "git_that_would_ask_for_a_name_says_that_it_cannot";
    if std::process::Command::new("git").arg("--version").output().is_err() {
        return skip_here(name, "there is no git");
    }
    on_terminal(name, "", |driver| {
        let git = Run::new("git").args(["credential", "fill"]).stdin("url=https://example.org\n\n");
        let git = git.env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", "/").env_remove("GIT_ASKPASS");
        let git =
            git.env_remove("SSH_ASKPASS").env_remove("GIT_TERMINAL_PROMPT").env("LC_ALL", "C");
        let error = driver.get(git.check().timeout(bound(Duration::from_secs(5))).start());
        let error = error.unwrap_err().to_string();
        assert!(error.contains("could not read Username"), "{error}");
        assert!(error.contains("foreground()"), "{error}");
    });
}

/// Returns what a timeout says about the signal that stopped the child.
fn stopped_by(driver: &mut Driver, run: Run) -> (Option<Signal>, String) {
    let result = driver.get(run.timeout(bound(ms(300))).start());
    match result {
        Err(Failed::Error(error @ OutputError::TimedOut { stopped_by, .. })) => {
            (stopped_by, error.to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// Case TT-07.
#[test]
fn a_timeout_of_a_child_that_is_stopped_says_so() {
    on_terminal("a_timeout_of_a_child_that_is_stopped_says_so", "", |driver| {
        let background = || Run::from(sh(ASK).process_group(0));
        let (signal, message) = stopped_by(driver, background());
        assert_eq!(signal, Some(Signal::TTIN));
        assert!(message.contains(" s, stopped by SIGTTIN"), "{message}");
        let (signal, _) = stopped_by(driver, Run::from(sh("kill -STOP $$; sleep 60")));
        assert_eq!(signal, Some(Signal::STOP));
        let (signal, message) = stopped_by(driver, Run::from(sh("sleep 60")));
        assert_eq!(signal, None);
        assert!(!message.contains("stopped"), "{message}");
        // A child that was continued is not stopped.
        let script = "(sleep 0.1; kill -CONT $$) & kill -STOP $$; sleep 60";
        assert_eq!(stopped_by(driver, Run::from(sh(script))).0, None);
        // A child that has ended is not stopped.
        let child = Handle::current().spawn_child(Command::new("true")).unwrap();
        let process = child.process().clone();
        driver.until("it has ended", ms(2000), |_| process.pid().is_none());
        assert_eq!(process.stopped_by(), None);
    });
}

/// Case TT-07, without a pidfd.
#[test]
fn a_child_without_a_pidfd_is_looked_at_by_its_number() {
    behaviour("a_child_without_a_pidfd_is_looked_at_by_its_number", |driver| {
        let stopped = Run::from(sh("kill -STOP $$").without_pidfd());
        assert_eq!(stopped_by(driver, stopped).0, Some(Signal::STOP));
    });
}
