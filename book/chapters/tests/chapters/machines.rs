//! Runs on other machines.

use std::error::Error;

use procession::prelude::*;

// ANCHOR: one
async fn kernel_of(host: &procession::Ssh) -> Result<String, Box<dyn Error>> {
    let uname = Run::new("uname").arg("-r").on(host).check().await?;
    Ok(uname.stdout_utf8()?.trim().to_owned())
}
// ANCHOR_END: one

// ANCHOR: many
fn builders() -> procession::Hosts {
    use procession::{Hosts, Ssh};

    Hosts::new([Ssh::new("build@a").slots(8), Ssh::new("build@b").slots(4)])
}

async fn build_all(hosts: procession::Hosts) -> Result<usize, Box<dyn Error>> {
    let jobs = (0..20).map(|n| Run::new("echo").arg(n.to_string()).check());
    let outcomes = procession::run_all(jobs, hosts).all_or_first_error().await?;
    Ok(outcomes.len())
}
// ANCHOR_END: many

mod container {
    // ANCHOR: launcher
    use std::borrow::Cow;

    use procession::{Command, LaunchError, Launcher};

    /// Runs programs in a container.
    #[derive(Debug, Clone)]
    struct InContainer(String);

    impl Launcher for InContainer {
        fn launch(&self, command: &Command) -> Result<Command, LaunchError> {
            let docker = Command::new("docker").args(["exec", "-i", &self.0]);
            Ok(docker.arg(command.get_program()).args(command.get_args()))
        }

        fn name(&self) -> Cow<'_, str> {
            self.0.as_str().into()
        }
    }
    // ANCHOR_END: launcher

    #[test]
    fn the_command_begins_with_docker() {
        let local = InContainer("builder".to_owned()).launch(&Command::new("make").arg("-j4"));
        let local = local.unwrap();
        let words: Vec<_> = local.get_args().map(|word| word.to_str().unwrap()).collect();
        assert_eq!(words.join(" "), "exec -i builder make -j4");
    }
}

/// Stands in for another machine.
#[derive(Debug, Clone)]
struct Here;

impl procession::Launcher for Here {
    fn launch(&self, command: &Command) -> Result<Command, procession::LaunchError> {
        Ok(Command::new("env").arg(command.get_program()).args(command.get_args()))
    }

    fn name(&self) -> std::borrow::Cow<'_, str> {
        "here".into()
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_an_error_that_names_it() {
    // No ssh is needed for this: the program in its place fails.
    let host = procession::Ssh::new("build@example.invalid").program("false");
    let error = Reactor::new().unwrap().block_on(kernel_of(&host)).unwrap_err();
    assert!(error.to_string().contains("build@example.invalid"), "{error}");
}

#[test]
fn every_job_runs_on_some_host() {
    let hosts = procession::Hosts::new([procession::Host::new(&Here, 2)]);
    drop(builders()); // nothing is connected before a run
    assert_eq!(Reactor::new().unwrap().block_on(build_all(hosts)).unwrap(), 20);
}
