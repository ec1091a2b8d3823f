//! Area LF: descriptors by name, and make's jobserver.
#![cfg(feature = "reactor")]

mod util;

use std::fs;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use procession_process_transport::{Fd, Pty, SpawnError, Step};
use procession_protocol::SpawnPath;

use crate::util::{Ended, Way, command, in_every_way, sh, skip};

const LISTENER: &str = env!("CARGO_BIN_EXE_procession-listener");

fn tcp() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("a port")
}

#[track_caller]
fn assert_stdout(ended: &Ended, expected: &str) {
    assert_eq!((ended.text(1).as_str(), ended.text(2).as_str(), ended.code()), (expected, "", 0));
}

/// Case LF-01.
#[test]
fn descriptors_come_by_name_from_3_on() {
    in_every_way("descriptors_come_by_name_from_3_on", |way| {
        let directory = tempfile::tempdir().unwrap();
        let unix = UnixListener::bind(directory.path().join("socket")).unwrap();
        let fds = [("http", Fd::from(tcp())), ("a control", unix.into()), ("null", Fd::null())];
        let ended = way.run(command(LISTENER).listen_fds(fds));
        assert_stdout(&ended, "http on 3\na control on 4\nnull on 5\nthen AlreadyExists\n");
        let none: [(&str, Fd); 0] = [];
        assert_stdout(&way.run(command(LISTENER).listen_fds(none)), "then 0\n");
    });
}

/// Case LF-02.
#[test]
fn the_variables_name_the_child_on_each_spawn_path() {
    in_every_way("the_variables_name_the_child_on_each_spawn_path", |way| {
        let script =
            "test $LISTEN_PID = $$ && echo $LISTEN_FDS:$LISTEN_FDNAMES:$OTHER$LISTEN_PIDFDID";
        let command =
            || sh(script).env("OTHER", "x").listen_fds([("a", Fd::null()), ("b", Fd::null())]);
        for path in [SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork] {
            assert_stdout(&way.run(command().spawn_path(path)), "2:a:b:x\n");
        }
        assert_stdout(&way.run(command().env_clear().env("PATH", "/bin")), "2:a:b:\n");
        // One command names each of its children.
        let twice = command();
        for _ in 0..2 {
            assert_stdout(&way.run(twice.clone()), "2:a:b:x\n");
        }
    });
}

/// Case LF-03.
#[test]
fn a_terminal_and_a_replaced_map_keep_them() {
    in_every_way("a_terminal_and_a_replaced_map_keep_them", |way| {
        let listening = command(LISTENER).listen_fds([("a", Fd::null())]);
        let on_terminal = way.run(listening.clone().pty(Pty::new()));
        assert_eq!(on_terminal.text(1), "a on 3\r\nthen AlreadyExists\r\n");
        let replaced = way.run(listening.child_fds([(1, Fd::from_child()), (4, Fd::null())]));
        assert_eq!(replaced.text(1), "a on 3\nthen AlreadyExists\n");
    });
}

/// Case LF-04.
#[test]
fn bad_names_and_numbers_that_are_taken_are_refused() {
    in_every_way("bad_names_and_numbers_that_are_taken_are_refused", |way| {
        let named = |name: &str| command("/bin/true").listen_fds([(name, Fd::null())]);
        let long = "x".repeat(256);
        let many = (0..600).map(|_| (&long[..255], Fd::null()));
        for (command, subject, why) in [
            (named(""), "listen_fds", r#"the name "": a name is empty"#),
            (named("a:b"), "listen_fds", r#"the name "a:b": a name has printable ASCII"#),
            (named("a\nb"), "listen_fds", r#"the name "a\nb": a name has printable ASCII"#),
            (named(&long), "listen_fds", "at most 255 bytes"),
            (command("/bin/true").listen_fds(many), "listen_fds", "the names have 153600 bytes"),
            (named("a").child_fd(3, Fd::null()), "child fd 3", "listen_fds puts"),
            (
                command("/bin/true").child_fd(3, Fd::closed()).listen_fds([("a", Fd::null())]),
                "child fd 3",
                "listen_fds puts",
            ),
            (named("a").env("LISTEN_FDS", "2"), "variable LISTEN_FDS", "sets it"),
            (named("a").env("LISTEN_PID", "2"), "variable LISTEN_PID", "sets it"),
        ] {
            let error: SpawnError = way.fails(command);
            assert_eq!((error.step(), error.subject().to_str()), (Step::Validate, Some(subject)));
            assert!(error.to_string().contains(why), "{error}");
        }
        // Other numbers, and variables that are removed, are free.
        let free = named("a").child_fd(4, Fd::null()).env_remove("LISTEN_FDS");
        assert_eq!(way.run(free).code(), 0);
    });
}

/// Case LF-05.
#[test]
fn bad_variables_take_nothing() {
    in_every_way("bad_variables_take_nothing", |way| {
        let said = |way: &mut dyn Way, variables: &str| {
            let script = format!("LISTEN_PID=$$ {variables} exec {LISTENER}");
            way.run(sh(&script).child_fd(3, Fd::null())).text(1)
        };
        let inherited = "unknown on 3\nthen AlreadyExists\n";
        assert_eq!(said(way, "LISTEN_FDS=1"), inherited);
        for none in ["", "LISTEN_FDS=0", "LISTEN_FDS=0 LISTEN_FDNAMES="] {
            assert_eq!(said(way, none), "then AlreadyExists\n", "{none}");
        }
        for (variables, why) in [
            ("LISTEN_FDS=x", r#"LISTEN_FDS is "x", not a number of descriptors"#),
            ("LISTEN_FDS=-1", r#"LISTEN_FDS is "-1", not a number of descriptors"#),
            // No memory is asked for.
            ("LISTEN_FDS=2147483644", r#"LISTEN_FDS is "2147483644", not a number of descriptors"#),
            ("LISTEN_FDS=2", "LISTEN_FDS is 2, but 4: Bad file descriptor (os error 9)"),
            ("LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "LISTEN_FDS is 1, and LISTEN_FDNAMES has 2 names"),
        ] {
            assert_eq!(said(way, variables), format!("InvalidData: {why}\n"), "{variables}");
        }
        // They are for another process.
        let others = sh(&format!("LISTEN_PID=1 LISTEN_FDS=1 exec {LISTENER}"));
        assert_stdout(&way.run(others.child_fd(3, Fd::null())), "then 0\n");
    });
}

/// Case LF-06: the program of systemd takes descriptors by name, and passes them on.
#[test]
fn systemd_takes_them_and_passes_its_own() {
    let activate = "/usr/bin/systemd-socket-activate";
    if !fs::exists(activate).unwrap() {
        return skip("LF-06", "it needs systemd-socket-activate, of Debian's systemd");
    }
    in_every_way("systemd_takes_them_and_passes_its_own", |way| {
        let http = tcp();
        let address = http.local_addr().unwrap();
        way.rebase();
        // It waits for a connection, and executes the program then.
        let client = std::thread::spawn(move || {
            let mut text = String::new();
            TcpStream::connect(address).unwrap().read_to_string(&mut text).unwrap();
            text
        });
        let passes = command(activate).args(["--fdname=web", LISTENER, "accept"]);
        let ended = way.run(passes.listen_fds([("http", http)]));
        assert_eq!(client.join().unwrap(), "hello\n");
        assert_eq!(ended.text(1), "web on 3\nthen AlreadyExists\n", "{}", ended.text(2));
        assert!(ended.text(2).contains("Received 1 descriptors via the environment"), "{ended:?}");
        way.rebase();
    });
}

/// Case LF-07: three jobs of the inner make share the two of the outer one.
#[test]
fn a_make_in_a_child_shares_the_jobs_of_the_make_outside() {
    if !fs::exists("/usr/bin/make").unwrap() {
        return skip("LF-07", "it needs make");
    }
    in_every_way("a_make_in_a_child_shares_the_jobs_of_the_make_outside", |way| {
        let directory = tempfile::tempdir().unwrap();
        let outer = directory.path().join("outer");
        let program = format!("{LISTENER} make inner");
        fs::write(&outer, format!("all:\n\t+{program}\nalone:\n\t{program}\n")).unwrap();
        // Two jobs wait for one another. A third would take the place of one of them.
        let jobs = "all: one two three\n\
                    one:\n\techo + >> log; echo > fifo; echo - >> log\n\
                    two:\n\techo + >> log; cat fifo; echo - >> log\n\
                    three:\n\techo + >> log; echo $(MAKEFLAGS); echo - >> log\n";
        fs::write(directory.path().join("inner"), jobs).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            directory.path().join("fifo"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        let make = |target: &str| {
            let make = command("/usr/bin/make").args(["-s", "-j2", "-f", "outer", target]);
            make.current_dir(directory.path())
        };
        let ended = way.run(make("all"));
        assert_eq!((ended.text(2).as_str(), ended.code()), ("", 0));
        // The numbers follow those of the command.
        assert!(ended.text(1).contains("--jobserver-auth=10,11"), "{}", ended.text(1));
        let log = fs::read_to_string(directory.path().join("log")).unwrap();
        let (mut now, mut most) = (0, 0);
        for line in log.lines() {
            now += if line == "+" { 1 } else { -1 };
            most = most.max(now);
        }
        assert_eq!(most, 2, "{log}");

        // Without `+`, make passes no jobserver, and there is nothing to hand on: make says so.
        fs::write(directory.path().join("inner"), "all:\n\techo alone\n").unwrap();
        let ended = way.run(make("alone"));
        assert_eq!((ended.text(1).as_str(), ended.code()), ("alone\n", 0));
        assert!(ended.text(2).contains("jobserver unavailable"), "{}", ended.text(2));
        fs::remove_file(directory.path().join("log")).unwrap();
    });
}
