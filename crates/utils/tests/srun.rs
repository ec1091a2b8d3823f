//! Runs by Slurm: the words of `srun`, and, in the slow tier (`PROCESSION_SLOW` is 1), a real cluster of
//! one node.
#![cfg(feature = "reactor")]

mod util;

use std::time::Duration;

use procession_process_transport::Command;
use procession_test_support::sys;
use procession_utils::{Hosts, LaunchError, Launcher, OutputError, Run, Srun, run_all};
use util::slurm::Slurm;
use util::sshd::with_text;
use util::{WATCHDOG, behaviour, is_slow, ms, sh};

/// Case RM-19.
#[test]
fn the_words_of_srun_say_all_of_a_command() {
    let words = |srun: Srun, command: &Command| {
        let local = srun.launch(command).unwrap();
        assert_eq!(local.get_program(), "srun");
        local.get_args().map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    let command =
        Command::new("make").arg("a b").env("A", "c d").env_remove("E").current_dir("/s r");
    assert_eq!(
        words(Srun::new().exclusive().option("--mem=1G"), &command),
        "--quiet --nodes=1 --ntasks=1 --exclusive --mem=1G --chdir=/s r -- env -u E A=c d make a b"
    );
    let merged = Command::new("make").stderr(procession_process_transport::Fd::same_as(1));
    assert_eq!(
        words(Srun::new().overlap(), &merged),
        "--quiet --nodes=1 --ntasks=1 --overlap -- /bin/sh -c exec \"$@\" 2>&1 sh make"
    );
    let refused = Srun::new().launch(&Command::new("make").gid(1));
    assert!(matches!(refused, Err(LaunchError::NotCarried { option: "gid" })), "{refused:?}");
}

/// Case RM-20.
#[test]
fn a_cluster_runs_programs_in_its_slots_and_cancels_their_steps() {
    let test = "a_cluster_runs_programs_in_its_slots_and_cancels_their_steps";
    if !is_slow() {
        return;
    }
    behaviour(test, |driver| {
        sys::alarm(Duration::from_secs(300));
        let Some(slurm) = Slurm::start(test, 4) else { return };
        // The variable is for `srun`, and comes to the program too.
        let srun = Srun::new().option("--export=ALL");
        let conf = slurm.config.to_str().unwrap().to_owned();
        let via = |run: Run| run.on(&Via(srun.clone(), conf.clone()));
        for status in [0, 7, 255] {
            let run = via(Run::from(sh(&format!("echo $A; pwd; cat; exit {status}"))));
            let run = run.env("A", "it's\n").current_dir("/usr").stdin("in");
            let outcome = driver.get(run.start()).unwrap();
            assert_eq!(outcome.exit_code(), Some(status), "{outcome:?}");
            assert_eq!(outcome.stdout, "it's\n/usr\nin");
        }
        let text = format!("sleep 86{}", std::process::id());
        let deaf = Run::from(sh(&format!("trap '' TERM; {text}; {text}"))).timeout(ms(1500));
        match driver.get(via(deaf).start()).unwrap_err().error() {
            Some(OutputError::TimedOut { .. }) => {}
            other => panic!("{other:?}"),
        }
        driver.until("the step has ended", WATCHDOG, |_| with_text(&text).is_empty());
        driver.until("no job is left", WATCHDOG, |_| {
            slurm.run("squeue").arg("-h").output_blocking().unwrap().stdout.is_empty()
        });

        // Four slots of one node: four allocations at a time.
        let host = procession_utils::Host::new(&Via(srun.clone(), conf.clone()), 4);
        let runs = (0..12).map(|n| Run::from(sh(&format!("sleep 0.2; echo {n}"))).check());
        let all =
            run_all(runs, Hosts::new([host])).on_hosts(|hosts| assert!(hosts[0].running <= 4));
        let outcomes = driver.get(all.all_or_first_error()).unwrap();
        assert!(outcomes.iter().enumerate().all(|(n, outcome)| outcome.stdout == format!("{n}\n")));
    });
}

/// `srun` with the configuration of the test.
#[derive(Debug, Clone)]
struct Via(Srun, String);

impl Launcher for Via {
    fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
        Ok(self.0.launch(command)?.env("SLURM_CONF", &self.1))
    }

    fn name(&self) -> std::borrow::Cow<'_, str> {
        self.0.name()
    }
}
