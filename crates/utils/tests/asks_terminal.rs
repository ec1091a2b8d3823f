//! Real programs that ask the terminal for something. A helper runs them in a program on a
//! terminal. Each ends by itself with its own message, and none stays stopped in the background.
#![cfg(feature = "reactor")]

mod on_terminal;

use std::process::{Command, Stdio};

use crate::on_terminal::{OnTerminal, bound, ms, skip_here};

/// Returns whether such a program exists. If not, reports that its test is skipped.
fn is_there(program: &str) -> bool {
    let found = Command::new("sh")
        .args(["-c", &format!("command -v {program}")])
        .env("PATH", path())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        skip_here(&format!("{program}, which asks the terminal"), "it is not installed");
    }
    found
}

/// Returns the search path, including the folders of servers.
fn path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/sbin")
}

/// Runs `script` with a helper, in a program that holds a terminal. Returns how the script ended.
#[track_caller]
fn asked_on_a_terminal(program: &str, script: &str) -> String {
    let script = format!("PATH={}; {script}", path());
    let mut started = OnTerminal::start(program, &script);
    let since = started.now();
    let outcome = started.until_said("outcome=");
    let took = started.now() - since;
    assert!(took < bound(ms(5000)), "{took:?}\n{started}");
    started.until_nobody_lives();
    outcome
}

/// Asserts this for two programs: one waits with `block_on`, the other with `run_main`.
#[track_caller]
fn assert_ends(script: &str, code: i32) {
    for program in ["block_on", "run_main"] {
        let outcome = asked_on_a_terminal(program, script);
        let expected = format!("Some({code}) ");
        assert!(outcome.starts_with(&expected), "{program}: {outcome}");
    }
}

/// git asks for a user's name on /dev/tty, whatever its standard input is.
///
/// Case TE-10.
#[test]
fn git_that_asks_for_a_name_ends() {
    if is_there("git") {
        let script = "export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1; unset GIT_ASKPASS SSH_ASKPASS; \
                      printf 'protocol=http\\nhost=localhost\\n\\n' | git credential fill";
        assert_ends(script, 128);
    }
}

/// ssh's standard input and output are a server that it does not know. It asks whether to continue.
///
/// Case TE-10.
#[test]
fn ssh_that_asks_whether_to_trust_a_host_ends() {
    let what = "ssh that asks whether to trust a host";
    if !is_there("ssh") || !is_there("sshd") {
        return;
    }
    // The server of root needs a folder in /run: its own /run has one.
    let script = "run='mount -t tmpfs none /run && mkdir /run/sshd'; \
                  unset SSH_ASKPASS DISPLAY; dir=$(mktemp -d); trap 'rm -r $dir' EXIT; \
                  ssh-keygen -q -t ed25519 -N '' -f $dir/key; \
                  server=\"$(command -v sshd) -i -f /dev/null -h $dir/key -o StrictModes=no\"; \
                  [ $(id -u) != 0 ] || server=\"unshare -m sh -c '$run && exec $server'\"; \
                  ssh -F none -o UserKnownHostsFile=$dir/known -o ProxyCommand=\"$server\" \
                  nobody@localhost true 2>$dir/said; code=$?; \
                  grep -q 'Host key verification failed' $dir/said || exit 77; exit $code";
    for program in ["block_on", "run_main"] {
        let outcome = asked_on_a_terminal(program, script);
        if outcome.starts_with("Some(77) ") {
            return skip_here(what, "a server cannot start here");
        }
        assert!(outcome.starts_with("Some(255) "), "{program}: {outcome}");
    }
}

/// Scripts turn the echo off in this way before they ask for a password.
///
/// Case TE-10.
#[test]
fn stty_that_turns_the_echo_off_ends() {
    if is_there("stty") {
        // The exit status is that of the shell's own redirection error.
        assert_ends("exec stty -echo </dev/tty", 2);
    }
}

/// A shell with job control tries to become the terminal's foreground group.
///
/// Case TE-10.
#[test]
fn an_interactive_shell_ends() {
    if is_there("bash") {
        assert_ends("exec bash --norc -ic true", 0);
    }
}
