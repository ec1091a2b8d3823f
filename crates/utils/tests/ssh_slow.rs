//! Runs over `ssh` that take long: a link that is cut, and gigabytes. The slow tier (`PROCESSION_SLOW` is 1).
#![cfg(feature = "reactor")]

mod util;

use std::fs::File;
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Spawned};
use procession_test_support::{Sshd, root_or_skip, skip, sys};
use procession_utils::{Hosts, Keep, OutputError, Run, Ssh, Stdin, run_all};
use util::sshd::{Keys, connections, with_text};
use util::{Driver, WATCHDOG, behaviour, bound, ms, rss_peak_bytes, sh};

/// Two network namespaces with a link between them. Nothing of them can be seen outside.
struct Net {
    client: Spawned,
    server: Spawned,
}

const CLIENT: &str = "10.99.0.1";
const SERVER: &str = "10.99.0.2";

impl Net {
    fn new(test: &str) -> Option<Self> {
        if !root_or_skip(test) {
            return None;
        }
        let holder = || {
            let command = Command::new("unshare").args(["-n", "sh", "-c", "echo; exec sleep 1000"]);
            let mut child = command.owned(true).stdin(Fd::null()).spawn().ok()?;
            let mut line = [0; 1];
            let out = child.take(1).expect("a pipe");
            rustix::io::read(&out, &mut line).ok().filter(|length| *length == 1)?;
            Some(child)
        };
        let net = match (holder(), holder()) {
            (Some(client), Some(server)) => Self { client, server },
            _ => {
                skip(test, "the system gives no network namespace");
                return None;
            }
        };
        let peer = net.server.pid().to_string();
        let link = format!("ip link add v0 type veth peer name v1 netns {peer}");
        let made = net.in_client(&format!(
            "{link} && ip link set lo up && ip addr add {CLIENT}/24 dev v0 && ip link set v0 up"
        ));
        let made = made
            && Self::run(
                &net.server,
                &format!(
                    "ip link set lo up && ip addr add {SERVER}/24 dev v1 && ip link set v1 up"
                ),
            );
        if !made {
            skip(test, "needs nsenter, and ip of Debian's iproute2, and virtual links");
        }
        made.then_some(net)
    }

    fn run(at: &Spawned, script: &str) -> bool {
        let pid = at.pid().to_string();
        let run = Run::new("nsenter").args(["-t", &pid, "-n", "sh", "-c", script]);
        run.output_blocking().is_ok_and(|outcome| outcome.is_success())
    }

    fn in_client(&self, script: &str) -> bool {
        Self::run(&self.client, script)
    }

    /// Starts a server on the other side, and returns it as a host of this side.
    fn serve(&self, keys: &Keys) -> (Sshd, Ssh) {
        let pid = self.server.pid().to_string();
        let server = keys.serve_by(&["nsenter", "-t", &pid, "-n"], SERVER, "");
        let ssh = keys.path("ssh-in-client");
        let script = format!("#!/bin/sh\nexec nsenter -t {} -n ssh \"$@\"\n", self.client.pid());
        let write = Run::new("sh").args(["-c", "cat >\"$0\" && chmod 755 \"$0\""]).arg(&ssh);
        write.stdin(script).check().output_blocking().expect("a script");
        let host = keys.host_at(SERVER, server.port).program(ssh);
        (server, host.keep_alive(Duration::from_secs(1)))
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for holder in [&mut self.client, &mut self.server] {
            holder.terminate(Signal::KILL, Duration::ZERO).ok();
        }
    }
}

fn slow(test: &str, body: impl FnOnce(&mut Driver, &Keys)) {
    if !util::is_slow() {
        return;
    }
    behaviour(test, |driver| {
        sys::alarm(Duration::from_secs(900));
        let Some(keys) = Keys::new(test) else { return };
        body(driver, &keys);
    });
}

/// Cases RM-10 and RM-16.
#[test]
fn a_link_that_is_cut_ends_the_runs_on_both_sides() {
    let test = "a_link_that_is_cut_ends_the_runs_on_both_sides";
    slow(test, |driver, keys| {
        let Some(net) = Net::new(test) else { return };
        let (far, far_host) = net.serve(keys);
        let near = keys.serve("");
        let number = std::process::id();
        let text = format!("sleep 86{number}");
        let script = format!("trap '' TERM; {text}; {text}");
        // One run goes nowhere else, and one is repeated on the other host.
        let alone = Run::from(sh(&script)).on(&far_host).kill_grace(ms(500)).start();
        let hosts = Hosts::new([far_host.clone(), keys.host(&near)]);
        let file = keys.path("began");
        let again = sh(&format!("mkdir {} && {text}; echo done", file.display()));
        let runs = [Run::from(again).check().retry(2, ms(1))];
        let all = run_all(runs, hosts).all_or_first_error();
        driver.until("both run", WATCHDOG, |_| {
            with_text(&text).iter().filter(|(_, line)| line.starts_with("sleep")).count() == 2
        });
        assert!(net.in_client("ip link set v0 down"));
        let start = driver.reactor.now();
        match driver.get(alone).unwrap_err().error() {
            Some(OutputError::ConnectionLost { may_have_started: true, .. }) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(driver.get(all).unwrap()[0].stdout, "done\n");
        driver.until("the tree has ended", WATCHDOG, |_| with_text(&text).is_empty());
        let took = driver.reactor.now() - start;
        assert!(took < bound(Duration::from_secs(9)), "six keep-alives and the grace: {took:?}");
        drop(far_host);
        // Its server does not ask for signs of life, so it would keep the connection.
        connections(&far).into_iter().for_each(util::sshd::kill);
    });
}

/// Case RM-18.
#[test]
fn gigabytes_pass_in_both_directions_and_the_memory_stays_flat() {
    let test = "gigabytes_pass_in_both_directions_and_the_memory_stays_flat";
    slow(test, |driver, keys| {
        let server = keys.serve("");
        let host = keys.host(&server);
        let bytes: u64 = 2 << 30;
        driver.get(Run::new("true").on(&host).start()).expect("the host is there");
        let before = rss_peak_bytes();
        let get = async |run: Run| run.start().await.expect("it passes");
        let zero = || File::open("/dev/zero").expect("it is there");
        let outcome = driver.reactor.block_on(async {
            let there = Run::new("head").args(["-c", &bytes.to_string(), "/dev/zero"]).on(&host);
            let out = get(there.keep(Keep::nothing()).check()).await;
            let reader = Stdin::reader(std::io::Read::take(zero(), bytes));
            let back = get(Run::new("wc").arg("-c").on(&host).stdin(reader).check()).await;
            (out, back)
        });
        let gap = outcome.0.stdout_gap.expect("nothing was kept");
        assert_eq!(gap.skipped_bytes, bytes);
        assert_eq!(outcome.1.stdout_utf8().unwrap().trim(), bytes.to_string());
        let grown = rss_peak_bytes() - before;
        assert!(grown < 16 << 20, "{grown} bytes more at the peak");
    });
}
