//! Tests of the command's conversions, changes and getters.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::Duration;

use procession_protocol::ChildFd;

use super::{Command, Fd, FileMode, Pty};

#[test]
fn every_string_and_path_type_converts_to_a_command() {
    let path = PathBuf::from("/bin/true");
    let name = "/bin/true".to_owned();
    let all: [Command; 8] = [
        "/bin/true".into(),
        (&name).into(),
        name.into(),
        path.as_os_str().into(),
        path.clone().into_os_string().into(),
        path.as_path().into(),
        (&path).into(),
        path.clone().into(),
    ];
    assert!(all.iter().all(|command| command.get_program() == path));
}

#[test]
fn the_last_change_of_a_variable_wins() {
    let command = Command::new("x").env("A", "1").env_remove("A").env("A", "2");
    assert_eq!(command.env.changes.len(), 1);
    assert_eq!(command.env_clear().env.changes.len(), 0);
}

#[test]
fn a_command_lists_what_the_parent_reads_and_writes() {
    let x = || Command::new("x");
    let all = x().child_fd(3, Fd::socketpair()).child_fd(4, Fd::to_child());
    assert_eq!((all.input_fds(), all.output_fds()), (fds([0, 3, 4]), fds([1, 2, 3])));
    let terminal = x().pty(Pty::new()).child_fd(5, Fd::from_child());
    assert_eq!((terminal.input_fds(), terminal.output_fds()), (fds([0]), fds([1, 5])));
    let none = x().child_fds([(0, Fd::null()), (1, Fd::same_as(0))]);
    assert_eq!((none.input_fds(), none.output_fds()), (fds([]), fds([])));
}

fn fds<const N: usize>(numbers: [i32; N]) -> Vec<ChildFd> {
    numbers.map(ChildFd::from).to_vec()
}

#[test]
fn a_command_tells_its_environment_terminal_and_owner() {
    let plain = Command::new("x");
    assert_eq!((plain.get_envs().count(), plain.is_owned()), (0, false));
    assert!(plain.get_pty().is_none());
    let owned = Command::new("x").owned(true).pty(Pty::new());
    assert!(owned.is_owned() && owned.get_pty().is_some());
    let command = Command::new("x").env("B", "1").env_clear().env("A", "2").env_remove("C");
    let changes: Vec<_> = command.get_envs().collect();
    let [a, c] = ["A", "C"].map(OsStr::new);
    assert_eq!(changes, [(a, Some(OsStr::new("2"))), (c, None)]);
}

#[test]
fn its_debug_form_is_one_line_without_the_environment() {
    let command = Command::new("/bin/echo").args(["a b", "c\"d"]).env("TOKEN", "secret");
    let command = command.child_fd(3, Fd::from_child()).owned(true).current_dir("/");
    assert_eq!(format!("{command:?}"), r#""/bin/echo" "a b" "c\"d""#);
    assert_eq!(format!("{command:#?}"), format!("{command:?}"));
    assert_eq!(format!("{:?}", command.arg0("-e")), r#"["/bin/echo"] "-e" "a b" "c\"d""#);
}

#[test]
fn commands_are_the_same_if_they_start_the_same_child() {
    let file = || Fd::file("/dev/null", FileMode::Write);
    let x = || Command::new("x").arg("1").env("A", "1").child_fd(3, file()).nice(5);
    assert!(x().is_same(&x()) && x().pty(Pty::new()).is_same(&x().pty(Pty::new())));
    let others = [
        Command::new("y").arg("1").env("A", "1").child_fd(3, file()).nice(5),
        x().arg("2"),
        x().arg0("z"),
        x().env("A", "2"),
        x().env_remove("A"),
        x().env_clear(),
        x().current_dir("/"),
        x().child_fd(3, Fd::file("/dev/null", FileMode::Append)),
        x().child_fd(3, Fd::null()),
        x().child_fd(4, Fd::null()),
        x().child_fd(1, Fd::same_as(2)),
        x().child_fds([(3, file())]),
        x().nice(6),
        x().uid(1),
        x().owned(true),
        x().kill_grace(Duration::ZERO),
        x().pty(Pty::new()),
        x().adaptive_pipes(false),
        x().drain_after_exit(Duration::ZERO),
    ];
    let same: Vec<usize> = (0..others.len()).filter(|at| x().is_same(&others[*at])).collect();
    assert_eq!(same, [0; 0]);
    let inherited = x().child_fd(3, Fd::inherit(std::io::stderr()));
    assert!(inherited.is_same(&inherited.clone()));
    assert!(!inherited.is_same(&x().child_fd(3, Fd::inherit(std::io::stderr()))));
}
