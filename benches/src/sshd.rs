//! Servers of ssh on ports of this machine, with keys that are thrown away, and their clients. They end
//! with the program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use procession::{Command, Fd, Signal, Spawned};
use procession_test_support::Sshd;

/// Servers, and the configuration of their clients: they are `h0`, `h1`, ….
#[derive(Debug)]
pub struct Hosts {
    /// The clients that have the shared connections.
    masters: Vec<Spawned>,
    servers: Vec<Sshd>,
    folder: tempfile::TempDir,
}

impl Hosts {
    /// Starts so many servers.
    ///
    /// # Errors
    ///
    /// If OpenSSH is not there.
    pub fn start(count: usize) -> Result<Self> {
        if let Some(why) = Sshd::missing() {
            bail!("{why}");
        }
        let folder = tempfile::tempdir()?;
        let start = |_| Sshd::start(folder.path(), &[], "127.0.0.1", "MaxSessions 20");
        let servers: Vec<_> = (0..count).map(start).collect();
        let mut config = String::new();
        for (number, server) in servers.iter().enumerate() {
            config += &format!("Host h{number}\nHostName 127.0.0.1\nPort {}\n", server.port);
        }
        let settings = Sshd::client_settings(folder.path());
        config += &format!("Host *\n{settings}LogLevel ERROR\nBatchMode yes\n");
        let hosts = Self { masters: Vec::new(), servers, folder };
        fs::write(hosts.config(), config)?;
        Ok(hosts)
    }

    /// Returns the configuration of clients.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Returns the words after `ssh` that use the shared connection to this host.
    #[must_use]
    pub fn words(&self, number: usize) -> Vec<String> {
        let (config, socket) = (self.config(), self.folder.path().join(format!("c{number}")));
        let [config, socket] = [config, socket].map(|path| path.display().to_string());
        ["-F", &config, "-S", &socket, "-T", &format!("h{number}")].map(str::to_owned).to_vec()
    }

    /// Makes the shared connections.
    ///
    /// # Errors
    ///
    /// If a host cannot be reached.
    pub fn share(&mut self) -> Result<()> {
        for number in 0..self.servers.len() {
            // It lasts until its input is closed.
            let master = Command::new("ssh").arg("-M").args(self.words(number));
            let master = master.arg("echo ready; exec cat").stderr(Fd::null());
            // It also ends if the program is killed.
            let mut master = master.owned(true).parent_death_signal(Signal::KILL).spawn()?;
            let mut line = String::new();
            BufReader::new(fs::File::from(master.take(1)?)).read_line(&mut line)?;
            ensure!(line == "ready\n", "no connection");
            self.masters.push(master);
        }
        Ok(())
    }
}
