//! Real OpenSSH servers on ports of this machine, with keys that are thrown away.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Where Debian puts the server.
const SSHD: &str = "/usr/sbin/sshd";

/// A server. It ends with this value, and with the thread that has started it.
#[derive(Debug)]
pub struct Sshd {
    /// The port where it listens.
    pub port: u16,
    server: Child,
}

impl Sshd {
    /// Returns why no server can be started, if a program is missing.
    #[must_use]
    pub fn missing() -> Option<String> {
        let programs = [(SSHD, "openssh-server"), ("/usr/bin/ssh", "openssh-client")];
        let missing = programs.iter().find(|(path, _)| !Path::new(path).exists());
        missing.map(|(path, package)| format!("needs {path} of Debian's {package}"))
    }

    /// Starts a server at an address, by a command that goes before its words. All servers of a folder
    /// have the same keys, which are files there, and the folder `home` as the home of the user.
    /// `settings` come first in the server's file, and count.
    #[must_use]
    pub fn start(folder: &Path, by: &[&str], address: &str, settings: &str) -> Self {
        let path = |name: &str| folder.join(name).display().to_string();
        let [host, user, home] = ["host", "user", "home"].map(path);
        // The user's shell finds no start-up files.
        fs::create_dir_all(&home).expect("a folder of the test");
        for key in [&host, &user] {
            if !Path::new(key).exists() {
                let mut keygen = Command::new("ssh-keygen");
                keygen.args(["-q", "-t", "ed25519", "-N", "", "-f", key]);
                assert!(keygen.status().is_ok_and(|status| status.success()), "ssh-keygen");
            }
        }
        for _ in 0..10 {
            // Nothing keeps the port free, but the kernel chooses others first.
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let port = listener.local_addr().expect("it has one").port();
            drop(listener);
            let config = path(&format!("sshd_config_{address}_{port}"));
            let text = format!(
                "{settings}\nSetEnv HOME={home}\nHostKey {host}\nAuthorizedKeysFile {user}.pub\n\
                 PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin yes\n\
                 ListenAddress {address}\nPort {port}\nPrintMotd no\nPrintLastLog no\nUseDNS no\n\
                 MaxStartups 500\nPasswordAuthentication no\n"
            );
            fs::write(&config, text).expect("a file of the test");
            // The server of root needs a folder in /run: its own /run has one.
            let script = "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs none /run && mkdir /run/sshd; fi\n\
                          exec \"$@\"";
            let is_root = rustix::process::geteuid().is_root();
            let unshare: &[&str] = if is_root { &["unshare", "-m"] } else { &[] };
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL"]).args(by).args(unshare);
            command.args(["/bin/sh", "-c", script, "sh", SSHD, "-D", "-e", "-f", &config]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
            let mut server = command.spawn().expect("the server");
            let stderr = BufReader::new(server.stderr.take().expect("a pipe"));
            let server = Self { port, server };
            let mut lines = stderr.lines().map_while(Result::ok);
            if lines.any(|line| line.starts_with("Server listening on")) {
                // Nobody reads what it says from now on, so it must not get a signal for that.
                std::thread::spawn(move || lines.for_each(drop));
                return server;
            }
        }
        panic!("no port stays free");
    }

    /// Returns the settings of a client of the servers of a folder.
    #[must_use]
    pub fn client_settings(folder: &Path) -> String {
        format!(
            "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nIdentityFile {}\n\
             IdentitiesOnly yes\n",
            folder.join("user").display()
        )
    }

    /// Returns the number of the server's process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.server.id()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.server.kill().ok(); // it may have ended
        self.server.wait().expect("it is our child");
    }
}
