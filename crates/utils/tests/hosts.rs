//! Many programs on several hosts: launchers of the test that fail as it says, and real servers.
#![cfg(feature = "reactor")]

mod util;

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use procession_core::Failed;
use procession_process_transport::{Command, Fd};
use procession_utils::{
    Host, HostProgress, HostState, Hosts, LaunchError, Launcher, OutputError, Run, Stdin, run_all,
};
use util::sshd::{Keys, connections, with_text};
use util::{WATCHDOG, behaviour, ms, sh};

/// A host on this machine. Its first local commands report that their programs are not started, or lost.
#[derive(Debug, Clone)]
struct Double {
    name: &'static str,
    report: &'static str,
    failures: Arc<AtomicUsize>,
}

impl Double {
    fn new(name: &'static str) -> Self {
        Self::failing(name, "", 0)
    }

    fn failing(name: &'static str, report: &'static str, failures: usize) -> Self {
        Self { name, report, failures: Arc::new(AtomicUsize::new(failures)) }
    }
}

impl Launcher for Double {
    fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
        let left = |failures: usize| failures.checked_sub(1);
        if self.failures.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_err() {
            return Ok(command.clone());
        }
        let said = format!("echo {} >&3; exit 255", self.report);
        Ok(sh(&said).child_fd(3, Fd::from_child()))
    }

    fn name(&self) -> Cow<'_, str> {
        self.name.into()
    }
}

type Seen = Rc<RefCell<Vec<Vec<HostProgress>>>>;

fn watch(seen: &Seen) -> impl FnMut(&[HostProgress]) + 'static {
    let seen = Rc::clone(seen);
    move |hosts| seen.borrow_mut().push(hosts.to_vec())
}

/// Case RM-12.
#[test]
fn runs_fill_the_slots_of_all_hosts_and_results_are_in_order() {
    behaviour("runs_fill_the_slots_of_all_hosts_and_results_are_in_order", |driver| {
        let hosts = Hosts::new([Host::new(&Double::new("a"), 2), Host::new(&Double::new("b"), 1)]);
        let runs =
            (0..9).map(|n| Run::from(sh(&format!("echo {n}; exit {}", u8::from(n == 4)))).check());
        let (seen, came) = (Seen::default(), Rc::new(RefCell::new(Vec::new())));
        let order = Rc::clone(&came);
        let all = run_all(runs, hosts)
            .on_hosts(watch(&seen))
            .on_result(move |index, _| order.borrow_mut().push(index))
            .on_progress(|now| {
                assert!(now.running <= 3, "{now:?}");
                assert_eq!(now.done + now.running + now.failed + now.waiting, 9, "{now:?}");
            });
        let results = driver.get(all.all()).unwrap();
        for (n, result) in results.iter().enumerate() {
            match result {
                Ok(outcome) => assert_eq!(outcome.stdout, format!("{n}\n")),
                Err(error) => {
                    assert!(
                        error.to_string().starts_with("/bin/sh -c 'echo 4; exit 1' (on "),
                        "{error}"
                    );
                }
            }
        }
        came.borrow_mut().sort_unstable();
        assert_eq!(*came.borrow(), (0..9).collect::<Vec<_>>(), "each result comes once");
        let seen = seen.borrow();
        assert!(seen.iter().flatten().all(|host| host.running <= host.slots));
        let last = seen.last().unwrap();
        assert_eq!(
            last.iter().map(|host| (&host.name[..], host.slots)).collect::<Vec<_>>(),
            [("a", 2), ("b", 1)]
        );
        assert!(last.iter().all(|host| host.state == HostState::Up && host.done > 0), "{last:?}");
        assert_eq!(last.iter().map(|host| host.done + host.failed).sum::<usize>(), 9, "{last:?}");
    });
}

/// Case RM-13.
#[test]
fn what_has_not_started_goes_elsewhere_and_its_host_is_set_aside() {
    behaviour("what_has_not_started_goes_elsewhere_and_its_host_is_set_aside", |driver| {
        let a = Double::failing("a", "unstarted", 2);
        let hosts = Hosts::new([Host::new(&a, 2), Host::new(&Double::new("b"), 1)]);
        let seen = Seen::default();
        let runs = (0..6).map(|n| Run::new("echo").arg(n.to_string()));
        let all = run_all(runs, hosts).on_hosts(watch(&seen)).all_or_first_error();
        let outcomes = driver.get(all).unwrap();
        assert_eq!(outcomes[5].stdout, "5\n");
        let seen = seen.borrow();
        let is_aside = |host: &HostProgress| matches!(host.state, HostState::SetAside { .. });
        assert!(seen.iter().any(|hosts| is_aside(&hosts[0])), "{seen:?}");
        let last = seen.last().unwrap();
        assert_eq!((last[0].failed, last[1].done), (2, 6), "{last:?}");
    });
}

/// Case RM-14.
#[test]
fn what_may_have_started_is_repeated_only_by_a_retry() {
    behaviour("what_may_have_started_is_repeated_only_by_a_retry", |driver| {
        let hosts = || {
            let a = Double::failing("a", "lost", 1);
            Hosts::new([Host::new(&a, 1), Host::new(&Double::new("b"), 1)])
        };
        let run = || Run::new("echo").arg("once").check();
        let result = driver.get(run_all([run()], hosts()).all()).unwrap().pop().unwrap();
        match result {
            Err(Failed::Error(
                error @ OutputError::ConnectionLost { may_have_started: true, .. },
            )) => {
                assert!(
                    error.to_string().starts_with("echo once (on a) lost its connection after")
                );
            }
            other => panic!("{other:?}"),
        }
        let lines = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&lines);
        let again =
            run().retry(2, ms(1)).for_each_line(move |line| seen.borrow_mut().push(line.text));
        let outcomes = driver.get(run_all([again], hosts()).all_or_first_error()).unwrap();
        assert_eq!((&outcomes[0].stdout[..], lines.borrow().len()), (&b"once\n"[..], 1));
    });
}

/// Case RM-14.
#[test]
fn a_retry_counts_what_failed_and_not_what_did_not_start() {
    behaviour("a_retry_counts_what_failed_and_not_what_did_not_start", |driver| {
        let a = Double::failing("a", "unstarted", 1);
        let hosts = Hosts::new([Host::new(&a, 1), Host::new(&Double::new("b"), 1)]);
        let folder = tempfile::tempdir().unwrap();
        let script = "echo >>times; test $(wc -l <times) = 2";
        let run = Run::from(sh(script)).current_dir(folder.path()).check().retry(2, ms(1));
        driver.get(run_all([run], hosts).all_or_first_error()).unwrap();
        assert_eq!(std::fs::read(folder.path().join("times")).unwrap(), b"\n\n");
    });
}

/// Case RM-15.
#[test]
fn without_any_hope_the_waiting_runs_say_why() {
    behaviour("without_any_hope_the_waiting_runs_say_why", |driver| {
        let none: [Host; 0] = [];
        let results = driver.get(run_all(["true"; 3], Hosts::new(none)).all()).unwrap();
        assert_eq!(results.len(), 3);
        for result in results {
            match result {
                Err(Failed::Error(OutputError::Unreachable { reason, .. })) => {
                    assert_eq!(reason, "no host can be reached");
                }
                other => panic!("{other:?}"),
            }
        }
        // A reader cannot be read again, so its run stays where it was.
        let a = Double::failing("a", "unstarted", 1);
        let run = Run::new("cat").stdin(Stdin::reader(&b"x"[..]));
        let results = driver.get(run_all([run], Hosts::new([Host::new(&a, 1)])).all()).unwrap();
        let is_lost = |error: &OutputError| {
            matches!(error, OutputError::ConnectionLost { may_have_started: false, .. })
        };
        assert!(matches!(&results[0], Err(Failed::Error(error)) if is_lost(error)), "{results:?}");
    });
}

/// Case RM-15.
#[test]
fn hosts_that_always_fail_are_tried_three_times() {
    behaviour("hosts_that_always_fail_are_tried_three_times", |driver| {
        if !util::is_slow() {
            return;
        }
        let hosts = Hosts::new([procession_utils::Ssh::new("a").program("/no/such/ssh").slots(2)]);
        let seen = Seen::default();
        let all = run_all(["true"; 3], hosts).on_hosts(watch(&seen)).all();
        let start = driver.reactor.now();
        let results = driver.get(all).unwrap();
        assert!(driver.reactor.now() - start >= ms(3000), "a second, and two");
        let error = results[2].as_ref().unwrap_err().to_string();
        assert!(error.starts_with("true was not started: a: "), "{error}");
        assert!(error.contains("No such file or directory"), "{error}");
    });
}

/// Cases RM-12, RM-13 and RM-16.
#[test]
fn real_hosts_take_over_the_runs_of_a_host_that_is_lost() {
    let test = "real_hosts_take_over_the_runs_of_a_host_that_is_lost";
    behaviour(test, |driver| {
        let Some(keys) = Keys::new(test) else { return };
        let servers = [keys.serve(""), keys.serve("")];
        let gone = {
            let server = keys.serve("");
            keys.host(&server)
        };
        let hosts = servers.each_ref().map(|server| keys.host(server).slots(2));
        let hosts = Hosts::new(hosts).and(gone);
        let number = std::process::id();
        let text = format!("sleep 86{number}");
        // The first runs last until their connection is lost; the others, and further attempts, are short.
        let folder = keys.path("began");
        std::fs::create_dir(&folder).unwrap();
        let runs = (0..8).map(|n| {
            let script = format!("mkdir {n} && test {n} -lt 2 && {text}; echo {n}");
            Run::from(sh(&script)).current_dir(&folder).check().retry(2, ms(1)).stdin("in")
        });
        let seen = Seen::default();
        let all = run_all(runs, hosts).on_hosts(watch(&seen)).all_or_first_error();
        driver.until("both run", WATCHDOG, |_| {
            with_text(&text).iter().filter(|(_, line)| line.starts_with("sleep")).count() == 2
        });
        for server in &servers {
            connections(server).into_iter().for_each(util::sshd::kill);
        }
        let outcomes = driver.get(all).unwrap();
        let outputs: Vec<_> =
            outcomes.iter().map(|outcome| outcome.stdout_utf8().unwrap()).collect();
        assert_eq!(outputs, (0..8).map(|n| format!("{n}\n")).collect::<Vec<_>>());
        driver.until("nothing is left", WATCHDOG, |_| with_text(&text).is_empty());
        let seen = seen.borrow();
        let reasons: Vec<_> = seen.iter().flat_map(|hosts| hosts.iter().enumerate()).collect();
        assert!(reasons.iter().any(|(at, host)| *at == 2
            && matches!(&host.state, HostState::SetAside { reason } if reason.contains("refused"))));
    });
}

/// Case RM-17.
#[test]
fn nothing_is_left_of_cancelled_batches() {
    let test = "nothing_is_left_of_cancelled_batches";
    behaviour(test, |driver| {
        procession_test_support::sys::alarm(Duration::from_secs(600));
        let Some(keys) = Keys::new(test) else { return };
        let servers = [keys.serve(""), keys.serve("")];
        let text = format!("sleep 87{}", std::process::id());
        let times = if util::is_slow() { 100 } else { 2 };
        let mut sockets = Vec::new();
        for time in 0..times {
            let hosts = Hosts::new(servers.each_ref().map(|server| keys.host(server).slots(4)));
            let runs = (0..12).map(|_| Run::from(sh(&text)).kill_grace(ms(500)));
            let all = run_all(runs, hosts).all();
            // At once, while it connects, and when some run.
            let running = [0, 0, 1, 8][time % 4];
            if time % 4 > 0 {
                driver.until("some run", WATCHDOG, |_| with_text(&text).len() >= running);
            }
            sockets.extend(util::sshd::sockets());
            drop(all);
        }
        assert!(sockets.len() >= times / 2);
        driver.until("nothing is left", WATCHDOG, |_| {
            let connections = servers.iter().any(|server| !connections(server).is_empty());
            let here =
                sockets.iter().any(|socket| socket.parent().is_none_or(std::path::Path::exists));
            with_text(&text).is_empty() && !connections && keys.folders() == 0 && !here
        });
    });
}
