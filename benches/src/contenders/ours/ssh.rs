//! Runs on hosts, by shared connections that are there already.

use anyhow::{Result, ensure};
use procession::{Hosts, Keep, Reactor, Run, Ssh, run_all as all_runs};

use crate::clock::Stopwatch;
use crate::contenders::rounds;
use crate::contenders::ssh::{HOSTS, SLOTS};
use crate::job::{Job, Ready};
use crate::sshd;

/// Reads what `head` writes there. Returns gigabytes per second.
pub(super) fn bulk(job: &Job) -> Result<Ready> {
    let hosts = sshd::Hosts::start(1)?;
    let ssh = Ssh::new("h0").config_file(hosts.config());
    let mut reactor = Reactor::new()?;
    reactor.block_on(Run::new("true").on(&ssh).check())?;
    let count = job.count;
    rounds::bulk(job, move |_| {
        let _keep = &hosts;
        let head = Run::new("head").args(["-c", &count.to_string(), "/dev/zero"]).on(&ssh);
        let outcome = reactor.block_on(head.keep(Keep::nothing()).check())?;
        Ok(outcome.stdout_gap.map_or(0, |gap| gap.skipped_bytes))
    })
}

/// Runs `true` many times on all hosts. Returns milliseconds.
pub(super) fn run_all(job: &Job) -> Result<Ready> {
    let hosts = sshd::Hosts::start(HOSTS)?;
    let ssh = |number| Ssh::new(format!("h{number}")).config_file(hosts.config()).slots(SLOTS);
    let all: Vec<_> = (0..HOSTS).map(ssh).collect();
    let mut reactor = Reactor::new()?;
    for ssh in &all {
        reactor.block_on(Run::new("true").on(ssh).check())?;
    }
    let crowd = job.crowd;
    Ok(Ready::rounds(move || {
        let _keep = &hosts;
        let watch = Stopwatch::start();
        let runs = (0..crowd).map(|number| Run::new("true").arg(number.to_string()).check());
        let outcomes =
            reactor.block_on(all_runs(runs, Hosts::new(all.clone())).all_or_first_error());
        ensure!(outcomes.is_ok_and(|all| all.len() as u64 == crowd), "a run failed");
        Ok(watch.elapsed().as_secs_f64() * 1e3)
    }))
}
