//! A server of ssh on a port of this machine, with keys that are thrown away, and its clients.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, ensure};

const SSHD: &str = "/usr/sbin/sshd";

/// Servers, and the configuration of their clients: they are `h0`, `h1`, ….
#[derive(Debug)]
pub struct Hosts {
    folder: tempfile::TempDir,
    servers: Vec<Child>,
}

impl Hosts {
    /// Starts so many servers.
    ///
    /// # Errors
    ///
    /// If OpenSSH is not there, or a server does not start.
    pub fn start(count: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut hosts = Self { folder, servers: Vec::new() };
        let path = |name: &str| hosts.folder.path().join(name).display().to_string();
        let (host, user) = (path("host"), path("user"));
        for key in [&host, &user] {
            let mut keygen = Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
            ensure!(keygen.status().context("ssh-keygen")?.success(), "no key");
        }
        let mut config = String::new();
        for number in 0..count {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let script = format!(
                "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs none /run && mkdir /run/sshd; fi\n\
                 exec {SSHD} -D -e -f /dev/null -p {port} -h {host} -o ListenAddress=127.0.0.1 \
                 -o AuthorizedKeysFile={user}.pub -o UsePAM=no -o StrictModes=no -o PidFile=none \
                 -o PermitRootLogin=yes -o MaxStartups=100 -o MaxSessions=20"
            );
            let is_root = rustix::process::geteuid().is_root();
            let mut sh = Command::new(if is_root { "unshare" } else { "sh" });
            sh.args(if is_root { &["-m", "sh", "-c"][..] } else { &["-c"] }).arg(script);
            let mut server = sh.stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
            let lines = BufReader::new(server.stderr.take().context("no stderr")?).lines();
            hosts.servers.push(server);
            let mut lines = lines.map_while(Result::ok);
            let listens = lines.any(|line| line.starts_with("Server listening"));
            ensure!(listens, "{SSHD} does not start");
            thread::spawn(move || lines.for_each(drop));
            config += &format!("Host h{number}\nHostName 127.0.0.1\nPort {port}\n");
        }
        config += &format!(
            "Host *\nStrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n\
             IdentitiesOnly yes\nIdentityFile {user}\nBatchMode yes\n"
        );
        fs::write(hosts.config(), config)?;
        Ok(hosts)
    }

    /// Returns the configuration of clients.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("config")
    }

    /// Returns a command for `ssh`, with a shared connection to this host.
    #[must_use]
    pub fn ssh(&self, number: usize) -> Command {
        let mut ssh = Command::new("ssh");
        let socket = self.folder.path().join(format!("c{number}"));
        ssh.arg("-F").arg(self.config()).arg("-S").arg(socket).arg("-T").arg(format!("h{number}"));
        ssh
    }

    /// Makes the shared connections that [`ssh`](Self::ssh) uses.
    ///
    /// # Errors
    ///
    /// If a host cannot be reached.
    pub fn share(&self) -> Result<()> {
        for number in 0..self.servers.len() {
            let mut master = self.ssh(number);
            master.args(["-fNM"]).stdin(Stdio::null()).stdout(Stdio::null());
            ensure!(master.stderr(Stdio::null()).status()?.success(), "no connection");
        }
        Ok(())
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for (number, server) in self.servers.iter_mut().enumerate() {
            let socket = self.folder.path().join(format!("c{number}"));
            if socket.exists() {
                let mut exit = Command::new("ssh");
                exit.arg("-S").arg(&socket).args(["-O", "exit", "h"]).stderr(Stdio::null());
                exit.status().ok(); // its server ends now in any case
            }
            server.kill().ok();
            server.wait().ok();
        }
    }
}
