//! Servers of ssh on ports of this machine, with keys that are thrown away, and their clients. They end
//! with the program.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process;
use std::thread;

use anyhow::{Context, Result, ensure};
use procession::{Command, Fd, Signal, Spawned};

const SSHD: &str = "/usr/sbin/sshd";

/// Servers, and the configuration of their clients: they are `h0`, `h1`, ….
#[derive(Debug)]
pub struct Hosts {
    /// The clients that have the shared connections.
    masters: Vec<Spawned>,
    servers: Vec<Spawned>,
    folder: tempfile::TempDir,
}

impl Hosts {
    /// Starts so many servers.
    ///
    /// # Errors
    ///
    /// If OpenSSH is not there, or a server does not start.
    pub fn start(count: usize) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut hosts = Self { masters: Vec::new(), servers: Vec::new(), folder };
        let path = |name: &str| hosts.folder.path().join(name).display().to_string();
        let (host, user, home) = (path("host"), path("user"), path("home"));
        for key in [&host, &user] {
            let mut keygen = process::Command::new("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
            ensure!(keygen.status().context("ssh-keygen")?.success(), "no key");
        }
        // The start-up files of the user's shell would be measured too.
        fs::create_dir(&home)?;
        let mut config = String::new();
        for number in 0..count {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let script = format!(
                "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs none /run && mkdir /run/sshd; fi\n\
                 exec {SSHD} -D -e -f /dev/null -p {port} -h {host} -o ListenAddress=127.0.0.1 \
                 -o AuthorizedKeysFile={user}.pub -o UsePAM=no -o StrictModes=no -o PidFile=none \
                 -o PermitRootLogin=yes -o MaxStartups=100 -o MaxSessions=20 -o SetEnv=HOME={home}"
            );
            let is_root = rustix::process::geteuid().is_root();
            let sh = Command::new(if is_root { "unshare" } else { "sh" });
            let sh = sh.args(if is_root { &["-m", "sh", "-c"][..] } else { &["-c"] }).arg(script);
            let sh = sh.stdin(Fd::null()).stdout(Fd::null());
            let mut server = ends_with_program(sh).spawn()?;
            let stderr = fs::File::from(server.take(2)?);
            hosts.servers.push(server);
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
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
            let mut master = ends_with_program(master).spawn()?;
            let mut line = String::new();
            BufReader::new(fs::File::from(master.take(1)?)).read_line(&mut line)?;
            ensure!(line == "ready\n", "no connection");
            self.masters.push(master);
        }
        Ok(())
    }
}

/// Also if the program is killed: the kernel ends the child.
fn ends_with_program(command: Command) -> Command {
    command.owned(true).parent_death_signal(Signal::KILL)
}
