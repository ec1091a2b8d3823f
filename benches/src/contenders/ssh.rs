//! Plain `ssh`, and GNU parallel over `ssh`, by shared connections that are there already.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::{Prepare, rounds};
use crate::clock::Stopwatch;
use crate::job::{Job, Ready};
use crate::sshd::Hosts;

/// How many hosts there are, and how many programs run on each at a time.
pub(super) const HOSTS: usize = 4;
pub(super) const SLOTS: usize = 4;

pub(super) fn row(id: &str) -> Option<Prepare> {
    (id == "ssh-bulk").then_some(bulk)
}

pub(super) fn row_of_parallel(id: &str) -> Option<Prepare> {
    (id == "ssh-run-all").then_some(run_all)
}

/// Reads what `head` writes there. Returns gigabytes per second.
fn bulk(job: &Job) -> Result<Ready> {
    let mut hosts = Hosts::start(1)?;
    hosts.share()?;
    let (count, mut memory) = (job.count, vec![0; 256 << 10]);
    rounds::bulk(job, move |_| {
        let mut ssh = Command::new("ssh");
        ssh.args(hosts.words(0));
        ssh.arg(format!("head -c {count} /dev/zero")).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = ssh.spawn()?;
        let mut out = child.stdout.take().context("no stdout")?;
        let received = rounds::read_all(&mut out, &mut memory)?;
        ensure!(child.wait()?.success(), "head failed");
        Ok(received)
    })
}

/// The connections are those of its users: `ssh` with a control socket.
fn run_all(job: &Job) -> Result<Ready> {
    let mut hosts = Hosts::start(HOSTS)?;
    hosts.share()?;
    let folder = tempfile::tempdir()?;
    let mut logins = String::new();
    for number in 0..HOSTS {
        logins += &format!("{SLOTS}/ssh {}\n", hosts.words(number).join(" "));
    }
    let file = folder.path().join("logins");
    fs::write(&file, logins)?;
    let lines = (0..job.crowd).map(|number| format!("{number}\n")).collect::<String>();
    Ok(Ready::rounds(move || {
        let _keep = &hosts;
        let watch = Stopwatch::start();
        let mut parallel = Command::new("parallel");
        parallel.args(["--will-cite", "--plain", "-k", "--sshloginfile"]).arg(&file);
        parallel.args(["true {}"]).env("HOME", folder.path());
        parallel.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = parallel.spawn().context("GNU parallel, of Debian's parallel")?;
        child.stdin.take().context("no stdin")?.write_all(lines.as_bytes())?;
        ensure!(child.wait()?.success(), "parallel failed");
        Ok(watch.elapsed().as_secs_f64() * 1e3)
    }))
}
