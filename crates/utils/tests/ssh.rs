//! Runs on another machine by `ssh`: real servers on ports of this machine.
#![cfg(feature = "reactor")]

mod util;

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use procession_process_transport::{Command, Fd};
use procession_test_support::{Sshd, root_or_skip};
use procession_utils::{LaunchError, Launcher, OutputError, Run, Ssh};
use util::sshd::{Keys, connections, kill, sockets, with_text};
use util::{Driver, behaviour, both, bound, ms, sh};

/// Runs `body` with a server, on both drivers.
fn with_server(test: &str, body: impl Fn(&mut util::Runner, &Keys, &Sshd)) {
    both(test, |runner| {
        let Some(keys) = Keys::new(test) else { return };
        let server = keys.serve("");
        body(runner, &keys, &server);
    });
}

/// Runs `body` with a host, on both drivers.
fn on_host(test: &str, body: impl Fn(&mut util::Runner, &Ssh)) {
    with_server(test, |runner, keys, server| body(runner, &keys.host(server)));
}

/// Runs `body` with a host and its server, on a loop.
fn on_loop(test: &str, body: impl FnOnce(&mut Driver, &Ssh, &Sshd)) {
    behaviour(test, |driver| {
        let Some(keys) = Keys::new(test) else { return };
        let server = keys.serve("");
        body(driver, &keys.host(&server), &server);
    });
}

/// Case RM-02.
#[test]
fn every_status_comes_back_also_that_of_ssh_itself() {
    let test = "every_status_comes_back_also_that_of_ssh_itself";
    on_host(test, |runner, host| {
        for status in [0, 7, 128, 255] {
            let run = Run::from(sh(&format!("echo out; echo err >&2; exit {status}"))).on(host);
            let outcome = runner.get(run).unwrap();
            assert_eq!(outcome.exit_code(), Some(status));
            assert_eq!((&outcome.stdout[..], &outcome.stderr[..]), (&b"out\n"[..], &b"err\n"[..]));
        }
        let outcome = runner.get(Run::from(sh("kill -KILL $$")).on(host)).unwrap();
        assert_eq!(outcome.exit_code(), Some(128 + 9));
        let outcome = runner.get(Run::new("/no/such/program").on(host)).unwrap();
        assert_eq!(outcome.exit_code(), Some(127), "{outcome:?}");
        let outcome = runner.get(Run::new("pwd").current_dir("/no/such").on(host)).unwrap();
        assert_eq!(outcome.exit_code(), Some(126), "{outcome:?}");
    });
}

/// Case RM-03.
#[test]
fn environment_directory_umask_and_streams_are_those_of_the_command() {
    let test = "environment_directory_umask_and_streams_are_those_of_the_command";
    on_host(test, |runner, host| {
        let script = "umask; pwd; printf '%s|' \"$A\" \"${HOME-none}\" \"$@\"; cat";
        let run =
            Run::from(sh(script)).args(["it's", "a\n!b\\", "", "é\u{1}"]).env("A", "x y\n'$`");
        let run = run.env_remove("HOME").current_dir("/usr").command(|command| command.umask(0o27));
        let outcome = runner.get(run.stdin("bytes\0\x01").on(host).check()).unwrap();
        let expected = "0027\n/usr\nx y\n'$`|none|a\n!b\\||é\u{1}|bytes\0\x01";
        assert_eq!(outcome.stdout_utf8().unwrap(), expected);
        let clear = Run::new("env").env_clear().env("B.C", "d").on(host).check();
        assert_eq!(runner.get(clear).unwrap().stdout, "B.C=d\n");
        let merged = Run::from(sh("for n in 1 2 3; do echo $n; echo $n >&2; done")).merge_stderr();
        assert_eq!(runner.get(merged.on(host)).unwrap().stdout, "1\n1\n2\n2\n3\n3\n");
        // A builtin command of a shell is no program.
        let error = runner.get(Run::new("exit").arg("3").on(host).check()).unwrap_err();
        assert_eq!(error.terminated().and_then(|end| end.exit_code()), Some(127), "{error}");
        assert!(
            error.to_string().starts_with("exit 3 (on 127.0.0.1) exited with status 127 after")
        );
    });
}

/// Case RM-04.
#[test]
fn what_counts_here_only_is_refused_before_anything_starts() {
    let host = Ssh::new("a").program("/no/such/ssh");
    let with = |change: fn(Command) -> Command| Run::new("true").command(change).on(&host);
    for (run, option) in [
        (with(|command| command.uid(1)), "uid"),
        (with(|command| command.nice(5)), "nice"),
        (with(|command| command.child_fd(5, Fd::null())), "a descriptor beyond 0 to 2"),
        (with(|command| command.arg0("x")), "arg0"),
        (Run::new("true").outlive_parent().on(&host), "outlive_parent"),
    ] {
        match host.launch(&Command::new("true").uid(1)) {
            Err(LaunchError::NotCarried { option: "uid" }) => {}
            other => panic!("{other:?}"),
        }
        // There is no connection either; that comes later.
        match run.output_blocking() {
            Err(OutputError::Launch {
                error: LaunchError::NotCarried { option: found }, ..
            }) => {
                assert_eq!(found, option);
            }
            other => panic!("{other:?}"),
        }
    }
    let long = Run::new("echo").arg("x".repeat(200_000)).on(&host).output_blocking();
    match long {
        Err(OutputError::Launch { error: LaunchError::TooLong { .. }, .. }) => {}
        other => panic!("{other:?}"),
    }
}

/// Case RM-05.
#[test]
fn a_host_that_cannot_be_reached_is_a_typed_error_with_the_reason() {
    let test = "a_host_that_cannot_be_reached_is_a_typed_error_with_the_reason";
    both(test, |runner| {
        let Some(keys) = Keys::new(test) else { return };
        let server = keys.serve("");
        let strange = keys.host(&server).option("IdentityFile=/dev/null").config_file("none");
        let strange = strange.option(format!("Port={}", server.port));
        let strange =
            strange.option("StrictHostKeyChecking=no").option("UserKnownHostsFile=/dev/null");
        let port = server.port;
        drop(server);
        for (host, reason) in [
            (keys.host_at("127.0.0.1", port), "Connection refused"),
            (strange, "Connection refused"),
            (Ssh::new("a").program("/no/such/ssh"), "No such file or directory"),
        ] {
            match runner.get(Run::new("true").on(&host)) {
                Err(error @ OutputError::Unreachable { .. }) => {
                    assert!(error.to_string().contains(reason), "{error}");
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

/// Case RM-06.
#[test]
fn a_timeout_and_a_cancellation_end_the_whole_tree_there() {
    let test = "a_timeout_and_a_cancellation_end_the_whole_tree_there";
    on_host(test, |runner, host| {
        // One of them ends by TERM, and one by KILL.
        let script = |number: u32| {
            let deaf = format!("(trap '' TERM; sleep 86{number}; sleep 87{number}) &");
            Run::from(sh(&format!("{deaf} echo ready; sleep 88{number} & wait")))
        };
        let number = std::process::id();
        let left = || {
            let all = ["sleep 86", "sleep 87", "sleep 88"]
                .map(|sleep| with_text(&format!("{sleep}{number}")));
            all.concat()
        };
        let run = script(number).on(host).timeout(bound(ms(1500))).kill_grace(ms(300));
        match runner.get(run) {
            Err(OutputError::TimedOut { outcome, .. }) => assert_eq!(outcome.stdout, "ready\n"),
            other => panic!("{other:?}"),
        }
        assert_eq!(left(), [], "the error comes when the tree is gone");
        // The host goes on.
        assert_eq!(runner.get(Run::new("echo").arg("on").on(host)).unwrap().stdout, "on\n");
        if let util::Runner::OnLoop(driver) = runner {
            let run = script(number).on(host).kill_grace(ms(300)).start();
            driver.until("it runs", util::WATCHDOG, |_| left().len() >= 3);
            drop(run);
            driver.until("nothing is left", util::WATCHDOG, |_| left().is_empty());
        }
    });
}

/// Case RM-07.
#[test]
fn nothing_is_left_of_a_connection_that_is_closed() {
    let test = "nothing_is_left_of_a_connection_that_is_closed";
    with_server(test, |runner, keys, server| {
        let host = keys.host(server);
        for _ in 0..3 {
            runner.get(Run::new("true").on(&host).check()).unwrap();
        }
        assert_eq!((connections(server).len(), keys.folders()), (1, 1), "three runs share one");
        let socket = sockets().pop().expect("there is a connection");
        assert!(socket.exists());
        drop(host);
        assert!(!socket.parent().unwrap().exists(), "the drop waits");
        runner.until("nothing is left", util::WATCHDOG, || {
            keys.folders() == 0 && connections(server).is_empty()
        });
    });
}

/// Case RM-08.
#[test]
fn a_lost_connection_ends_the_run_here_and_the_tree_there() {
    let test = "a_lost_connection_ends_the_run_here_and_the_tree_there";
    on_loop(test, |driver, host, server| {
        let number = std::process::id();
        let text = format!("sleep 86{number}");
        let run = Run::from(sh(&format!("echo ready; trap '' TERM; {text}; {text}"))).on(host);
        let is_ready = Rc::new(Cell::new(false));
        let ready = Rc::clone(&is_ready);
        let run = run.for_each_line(move |_| ready.set(true)).start();
        driver.until("it runs", util::WATCHDOG, |_| is_ready.get() && !with_text(&text).is_empty());
        for pid in connections(server) {
            kill(pid);
        }
        match driver.get(run).unwrap_err().error() {
            Some(error @ OutputError::ConnectionLost { may_have_started: true, .. }) => {
                assert_eq!(error.stdout().unwrap(), "ready\n");
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionAborted);
            }
            other => panic!("{other:?}"),
        }
        driver.until("nothing is left", util::WATCHDOG, |_| with_text(&text).is_empty());
        // The next run makes another connection.
        let again = driver.get(Run::new("echo").arg("on").on(host).start()).unwrap();
        assert_eq!(again.stdout, "on\n");
    });
}

/// Case RM-09.
#[test]
fn a_run_that_has_not_started_never_will() {
    let test = "a_run_that_has_not_started_never_will";
    behaviour(test, |driver| {
        let Some(keys) = Keys::new(test) else { return };
        // The keeper has the only session.
        let server = keys.serve("MaxSessions 1");
        let host = keys.host(&server);
        let file = keys.path("started");
        let run = Run::new("touch").arg(&file).on(&host).start();
        match driver.get(run).unwrap_err().error() {
            // Nobody can ask there.
            Some(OutputError::ConnectionLost { may_have_started: true, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert!(!file.exists());
    });
}

/// Returns why no program starts there.
fn reason(runner: &mut util::Runner, host: &Ssh) -> String {
    match runner.get(Run::new("true").on(host)) {
        Err(OutputError::Unreachable { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

/// Case RM-22.
#[test]
fn a_login_that_ends_or_hangs_is_no_connection_and_its_words_are_the_reason() {
    let test = "a_login_that_ends_or_hangs_is_no_connection_and_its_words_are_the_reason";
    both(test, |runner| {
        let Some(keys) = Keys::new(test) else { return };
        // The last login lasts as long as its connection, so it takes the whole time.
        for (login, within, expected) in [
            ("echo Not available.; exit 1", util::WATCHDOG, "Not available."),
            ("exit 1", util::WATCHDOG, "the login has ended"),
            ("cat >/dev/null", ms(2000), "it was not ready in time"),
        ] {
            let server = keys.serve(&format!("ForceCommand {login}"));
            let host = keys.host(&server).connect_timeout(bound(within));
            assert_eq!(reason(runner, &host), expected);
        }
    });
}

/// Case RM-22.
#[test]
fn a_full_disk_there_is_no_connection() {
    let test = "a_full_disk_there_is_no_connection";
    both(test, |runner| {
        let Some(keys) = Keys::new(test).filter(|_| root_or_skip(test)) else { return };
        let full = keys.path("full");
        std::fs::create_dir(&full).unwrap();
        let full = full.display();
        let script = format!(
            "mount -t tmpfs -o size=4k none {full}; head -c 9999 /dev/zero >{full}/x; exec \"$@\""
        );
        let by = ["unshare", "-m", "sh", "-c", &script, "sh"];
        let server = keys.serve_by(&by, "127.0.0.1", &format!("SetEnv TMPDIR={full}"));
        let reason = reason(runner, &keys.host(&server));
        assert!(reason.contains("No space left on device"), "{reason}");
    });
}

/// Case RM-23.
#[test]
fn a_client_that_is_killed_is_a_lost_connection_and_the_tree_there_ends() {
    let test = "a_client_that_is_killed_is_a_lost_connection_and_the_tree_there_ends";
    on_loop(test, |driver, host, _| {
        let text = format!("sleep 86{}", std::process::id());
        let run = Run::from(sh(&text)).on(host).start();
        let there = || with_text(&text).into_iter().filter(|(_, line)| line.starts_with("sleep"));
        driver.until("it runs", util::WATCHDOG, |_| there().count() == 1);
        let clients = with_text(&text).into_iter().filter(|(_, line)| line.starts_with("ssh "));
        clients.for_each(|(pid, _)| kill(pid));
        match driver.get(run).unwrap_err().error() {
            Some(OutputError::ConnectionLost { may_have_started: true, .. }) => {}
            other => panic!("{other:?}"),
        }
        driver.until("the tree has ended", util::WATCHDOG, |_| there().count() == 0);
        let killed = driver.get(Run::from(sh("kill -KILL $$")).on(host).start()).unwrap();
        assert_eq!(killed.exit_code(), Some(128 + 9), "a program that is killed is another case");
    });
}

/// Case RM-24.
#[test]
fn the_files_of_runs_that_are_over_go_while_the_connection_lasts() {
    let test = "the_files_of_runs_that_are_over_go_while_the_connection_lasts";
    with_server(test, |runner, keys, server| {
        let host = keys.host(server).keep_alive(Duration::from_secs(1));
        for status in [0, 3, 255] {
            let run = Run::from(sh(&format!("exit {status}"))).on(&host);
            assert_eq!(runner.get(run).unwrap().exit_code(), Some(status));
        }
        runner.until("no file is left", util::WATCHDOG, || keys.runs() == 0);
        assert_eq!((connections(server).len(), keys.folders()), (1, 1), "the connection lasts");
    });
}
