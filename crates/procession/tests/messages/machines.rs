//! Errors of runs on other machines.

use std::borrow::Cow;

use procession::{Command, Fd, LaunchError, Launcher, OutputError, Run, Ssh};

use crate::{Row, row};

/// A launcher whose connection is lost.
#[derive(Debug, Clone)]
struct Loses;

impl Launcher for Loses {
    fn launch(&self, _: &Command) -> Result<Command, LaunchError> {
        let script = "echo lost >&3; exit 255";
        Ok(Command::new("sh").args(["-c", script]).child_fd(3, Fd::from_child()))
    }

    fn name(&self) -> Cow<'_, str> {
        "a".into()
    }
}

fn failed(run: Run) -> OutputError {
    run.output_blocking().expect_err("it fails")
}

pub(crate) fn rows() -> [Row; 6] {
    let ssh = Ssh::new("a");
    let not_carried = "uid counts on this machine only and cannot be carried to another";
    let as_user = || Command::new("make").uid(1000);
    [
        row(
            "LaunchError::NotCarried",
            &ssh.launch(&as_user()).expect_err("it is of this machine"),
            not_carried,
        ),
        row(
            "LaunchError::NotText",
            &ssh.launch(&Command::new("")).expect_err("no name"),
            "the program has no name",
        ),
        row(
            "LaunchError::TooLong",
            &LaunchError::TooLong { bytes: 3, max_bytes: 2 },
            "the command has 3 bytes when it is quoted, and at most 2 can be carried",
        ),
        row(
            "OutputError::Launch",
            &failed(Run::from(as_user()).on(&ssh)),
            format!("make (on a) was not started: {not_carried}"),
        ),
        row(
            "OutputError::Unreachable",
            &failed(Run::new("make").on(&ssh.program("/no/such/ssh"))),
            "make (on a) was not started: cannot execute \"/no/such/ssh\": No such file or directory",
        ),
        row(
            "OutputError::ConnectionLost",
            &failed(Run::new("make").on(&Loses)),
            "make (on a) lost its connection after N s",
        ),
    ]
}
