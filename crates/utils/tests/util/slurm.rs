//! A Slurm cluster of one node, with a key that is thrown away.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Spawned};
use procession_test_support::{WATCHDOG, root_or_skip, skip};
use procession_utils::Run;

/// A running cluster.
pub(crate) struct Slurm {
    daemons: Vec<Spawned>,
    pub(crate) config: PathBuf,
    _folder: tempfile::TempDir,
}

impl Slurm {
    /// Starts a cluster whose node has so many processors. Returns `None` if a program is missing, which
    /// is said. For a test in its own process.
    pub(crate) fn start(test: &str, cpus: usize) -> Option<Self> {
        let needed = [
            ("/usr/sbin/slurmctld", "slurmctld"),
            ("/usr/sbin/slurmd", "slurmd"),
            ("/usr/bin/srun", "slurm-client"),
            ("/usr/sbin/munged", "munge"),
        ];
        for (path, package) in needed {
            if !Path::new(path).exists() {
                skip(test, &format!("needs {path} of Debian's {package}"));
                return None;
            }
        }
        if !root_or_skip(test) {
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        let text = |name: &str| path(name).to_str().expect("it is text").to_owned();
        Run::new("chmod")
            .arg("755")
            .arg(folder.path())
            .check()
            .output_blocking()
            .expect("our folder");
        for name in ["spool", "state"] {
            fs::create_dir(path(name)).expect("a folder of the test");
        }
        let key = format!("umask 077; head -c 1024 /dev/urandom >{}", text("key"));
        Run::new("sh").args(["-c", &key]).check().output_blocking().expect("a key");
        let [controller, node] = [free_port(), free_port()];
        let config = path("slurm.conf");
        let settings = format!(
            "ClusterName=test\nSlurmctldHost=localhost(127.0.0.1)\nSlurmUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={socket}\nCredType=cred/munge\n\
             SlurmctldPort={controller}\nSlurmdPort={node}\nSlurmctldPidFile={ctld}\n\
             SlurmdPidFile={d}\nSlurmdSpoolDir={spool}\nStateSaveLocation={state}\n\
             SwitchType=switch/none\nProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n\
             MpiDefault=none\nReturnToService=2\nSelectType=select/cons_tres\n\
             SelectTypeParameters=CR_CPU\nAccountingStorageType=accounting_storage/none\n\
             JobAcctGatherType=jobacct_gather/none\nSlurmdParameters=config_overrides\n\
             NodeName=localhost NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN\n\
             PartitionName=all Nodes=localhost Default=YES MaxTime=INFINITE State=UP\n",
            socket = text("munge"),
            ctld = text("slurmctld.pid"),
            d = text("slurmd.pid"),
            spool = text("spool"),
            state = text("state"),
        );
        fs::write(&config, settings).expect("a file of the test");
        let mut slurm = Self { daemons: Vec::new(), config, _folder: folder };
        let file = slurm.config.to_str().expect("it is text").to_owned();
        let name = |option: &str, name: &str| {
            format!("--{option}={}", slurm._folder.path().join(name).display())
        };
        let munge = Command::new("/usr/sbin/munged").args(["--foreground", "--force"]).args([
            name("socket", "munge"),
            name("key-file", "key"),
            name("pid-file", "munge.pid"),
            name("log-file", "munge.log"),
            name("seed-file", "seed"),
        ]);
        slurm.daemon(munge);
        slurm.until("munged listens", || slurm._folder.path().join("munge").exists());
        slurm.daemon(Command::new("/usr/sbin/slurmctld").args(["-D", "-f", &file]));
        slurm.daemon(Command::new("/usr/sbin/slurmd").args(["-D", "-f", &file, "-N", "localhost"]));
        slurm.until("the node is idle", || {
            let state = slurm.run("sinfo").args(["-h", "-o", "%T"]).output_blocking();
            state.is_ok_and(|outcome| outcome.stdout == "idle\n")
        });
        Some(slurm)
    }

    /// Returns a run of one of Slurm's programs.
    pub(crate) fn run(&self, program: &str) -> Run {
        Run::new(program).env("SLURM_CONF", &self.config)
    }

    fn daemon(&mut self, command: Command) {
        let command = command.stdin(Fd::null()).stdout(Fd::null()).stderr(Fd::null());
        let command = command.env("SLURM_CONF", &self.config).owned(true);
        let command = command.parent_death_signal(Signal::KILL);
        self.daemons.push(command.spawn().expect("it is there"));
    }

    fn until(&self, what: &str, done: impl FnMut() -> bool) {
        super::until(what, WATCHDOG * 3, done);
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            daemon.terminate(Signal::TERM, Duration::from_secs(5)).ok();
        }
    }
}

fn free_port() -> u16 {
    // Nothing keeps the port free, but the kernel chooses others first.
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("it has one").port()
}
