//! Tests of the example `parallel`: it runs every line, a limited number at once, and outputs do
//! not mix.

mod util;

use procession::ChildError;
use procession::prelude::*;
use procession_test_support::{Sshd, skip_here};
use util::{example, feed, on_terminal};

#[test]
fn every_line_is_run_and_reported_on_the_standard_error() {
    let ended = feed(example("parallel"), "echo one\n\n  \necho two; echo aside >&2\n");
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    assert_eq!((ended.status, lines), (0, vec!["one", "two"]));
    let errors: Vec<_> = ended.stderr.lines().collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors.iter().any(|line| line.starts_with("echo one: 0.")), "{errors:?}");
    assert!(errors.contains(&"aside"), "{errors:?}");
}

#[test]
fn no_more_than_asked_for_run_at_a_time() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().display();
    // Each command counts the commands that run with it.
    let line = format!("touch {path}/$$; sleep 0.05; ls {path} | wc -l; rm {path}/$$\n");
    for (parallelism, most) in [("1", 1), ("3", 3)] {
        let command = example("parallel").args(["-P", parallelism]);
        let ended = feed(command, line.repeat(9));
        let counts: Vec<u32> =
            ended.stdout.lines().map(|line| line.trim().parse().unwrap()).collect();
        assert_eq!((ended.status, counts.len()), (0, 9), "{}", ended.stderr);
        assert!(counts.iter().max() <= Some(&most), "{counts:?}");
    }
}

#[test]
fn with_one_at_a_time_the_order_is_that_of_the_lines() {
    let lines: String = (0..20).map(|number| format!("echo {number}\n")).collect();
    let wanted: String = (0..20).map(|number| format!("{number}\n")).collect();
    assert_eq!(feed(example("parallel").args(["-P", "1"]), lines).stdout, wanted);
}

#[test]
fn outputs_do_not_mix() {
    let line = "for n in 1 2 3 4 5; do echo $$; sleep 0.01; done\n";
    let ended = feed(example("parallel").args(["-P", "4"]), line.repeat(8));
    let lines: Vec<_> = ended.stdout.lines().collect();
    assert_eq!(lines.len(), 40);
    assert!(
        lines.chunks(5).all(|of_one| of_one.iter().all(|line| line == &of_one[0])),
        "{lines:?}"
    );
}

#[test]
fn failed_commands_are_reported_and_counted_and_the_others_run() {
    let ended = feed(example("parallel"), "echo fine\necho why >&2; exit 3\nkill -9 $$\n");
    assert_eq!((ended.status, ended.stdout.as_str()), (1, "fine\n"));
    for part in ["exited with status 3 after", ": why\n", "ended by signal 9 (SIGKILL) after"] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
    assert!(ended.stderr.ends_with("parallel: 2 of 3 failed\n"), "{}", ended.stderr);
}

#[test]
fn an_output_that_is_cut_off_is_reported_and_counts_as_a_failure() {
    let too_long = "head -c 67108865 /dev/zero";
    for (lines, rest) in
        [(format!("{too_long}\n"), ""), (format!("{too_long}; exit 3\n"), "; exit 3")]
    {
        let ended = feed(example("parallel").child_fd(1, Fd::null()), lines);
        assert_eq!(ended.status, 1, "{}", ended.stderr);
        let last = format!("{too_long}{rest}: its output is cut off\nparallel: 1 of 1 failed\n");
        assert!(ended.stderr.ends_with(&last), "{}", ended.stderr);
    }
}

#[test]
fn what_a_command_leaves_in_the_background_is_waited_for() {
    let ended = feed(example("parallel"), "(sleep 1; echo late) & echo early\n");
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "early\nlate\n"), "{}", ended.stderr);
}

#[test]
fn without_lines_there_is_nothing_to_do() {
    let ended = feed(example("parallel"), "");
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (0, "", ""));
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_it_is() {
    // A user types the end of the input.
    let typed = "echo ou''tput\nsleep 0.3\nexit 1\n\x04";
    let ended = on_terminal(example("parallel").args(["-P", "2"]).env("TERM", "xterm"), typed);
    assert_eq!(ended.status, 1, "{}", ended.stdout);
    for part in ["Koutput\r\n", "1/3", "3/3", "0 running, 1 failed", "exited with status 1 after"] {
        assert!(ended.stdout.contains(part), "{part:?} in {:?}", ended.stdout);
    }
    assert!(ended.stdout.ends_with("parallel: 1 of 3 failed\r\n"), "{:?}", ended.stdout);
}

#[test]
fn sigterm_ends_those_that_run() {
    let mut reactor = Reactor::new().unwrap();
    let command = example("parallel").child_fd(2, Fd::same_as(1));
    let output = reactor
        .block_on(async {
            let mut parallel = Handle::current().spawn_child(command)?;
            parallel.write("echo; echo; exec sleep 1000\n").await?;
            parallel.write("echo started\n").await?;
            parallel.close_stdin();
            let mut output = parallel.stdout().next().await.unwrap_or_default().to_vec();
            parallel.process().signal(Signal::TERM).expect("it runs");
            while let Some(chunk) = parallel.stdout().next().await {
                output.extend_from_slice(&chunk);
            }
            let ended = parallel.ended().await;
            assert!(matches!(ended, Err(ChildError::Terminated { reason, .. }) if reason.signal() == Some(Signal::TERM)));
            Ok::<_, ChildError>(output)
        })
        .unwrap();
    let output = String::from_utf8_lossy(&output);
    assert!(output.ends_with("parallel: stopped by SIGTERM\n"), "{output}");
}

/// A host of this test.
struct Host {
    folder: tempfile::TempDir,
    server: Sshd,
}

impl Host {
    /// Starts a server of ssh. Returns `None` if there is none, which is said.
    fn serve(test: &str) -> Option<Self> {
        if let Some(why) = Sshd::missing() {
            skip_here(test, &why);
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let server = Sshd::start(folder.path(), &[], "127.0.0.1", "");
        let hosts = format!(
            "{}Host near\nHostName 127.0.0.1\nPort {}\nHost gone\nHostName 127.0.0.1\nPort 1\n",
            Sshd::client_settings(folder.path()),
            server.port
        );
        std::fs::write(folder.path().join("config"), hosts).expect("the folder is there");
        Some(Self { folder, server })
    }

    fn parallel(&self, hosts: &str) -> Command {
        let file = self.folder.path().join("hosts");
        std::fs::write(&file, hosts).expect("the folder is there");
        let command = example("parallel").arg("--hosts").arg(file);
        command.arg("-F").arg(self.folder.path().join("config"))
    }
}

/// Case RM-21.
#[test]
fn with_hosts_the_lines_run_there_and_a_bar_shows_each() {
    let Some(host) = Host::serve("with_hosts_the_lines_run_there_and_a_bar_shows_each") else {
        return;
    };
    let command = host.parallel("# a comment\nnear 2\ngone\n");
    let ended = feed(command, "echo $SSH_CONNECTION\nexit 3\necho it\\'s\n");
    assert_eq!(ended.status, 1, "{}", ended.stderr);
    let mut lines: Vec<_> = ended.stdout.lines().collect();
    lines.sort_unstable();
    let [connection, its] = lines[..] else { panic!("{lines:?}") };
    assert!(connection.ends_with(&format!("127.0.0.1 {}", host.server.port)), "{connection}");
    assert_eq!(its, "it's");
    assert!(
        ended.stderr.contains("sh -c 'exit 3' (on near) exited with status 3"),
        "{}",
        ended.stderr
    );

    let typed = "echo ou''tput\nsleep 0.3\n\x04";
    let ended = on_terminal(host.parallel("near\n").env("TERM", "xterm"), typed);
    assert_eq!(ended.status, 0, "{}", ended.stdout);
    for part in ["output\r\n", "2/2", "near [", "2 done, 0 failed"] {
        assert!(ended.stdout.contains(part), "{part:?} in {:?}", ended.stdout);
    }
}

#[test]
fn a_wrong_argument_is_one_line_and_status_1() {
    let wrong = [
        &["-P"][..],
        &["-P", "many"],
        &["-x"],
        &["-P", "2", "more"],
        &["--hosts"],
        &["-F", "x"],
        &["--hosts", "/no/such/file"],
        &["--hosts", "/dev/null"],
    ];
    for args in wrong {
        let ended = feed(example("parallel").args(args), "echo\n");
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    }
}
