//! Real OpenSSH servers on ports of this machine, with keys that are thrown away.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use procession_core::Signal;
use procession_process_transport::{Command, Fd, Spawned};
use procession_test_support::{children, skip, skip_here};
use procession_utils::{Run, Ssh};
use rustix::process::{Pid, kill_process};

/// Where Debian puts the server.
const SSHD: &str = "/usr/sbin/sshd";

/// Keys, and the files of servers and clients.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
}

/// A server.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    server: Spawned,
    config: PathBuf,
}

impl Keys {
    /// Returns `None` if a program is missing, which is said.
    pub(crate) fn new(test: &str) -> Option<Self> {
        for (path, package) in [(SSHD, "openssh-server"), ("/usr/bin/ssh", "openssh-client")] {
            if !Path::new(path).exists() {
                // In a process of its own a parent forwards the line; else nobody does.
                let isolated = std::env::var_os(procession_test_support::VARIABLE).is_some();
                let say = if isolated { skip } else { skip_here };
                say(test, &format!("needs {path} of Debian's {package}"));
                return None;
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        let keys = Self { folder };
        for key in ["host", "user"] {
            let key = keys.path(key);
            let made =
                Run::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(key);
            made.check().output_blocking().expect("a key");
        }
        Some(keys)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the folders of connections on the side of the servers.
    pub(crate) fn folders(&self) -> usize {
        entries(&self.path("there")).len()
    }

    /// Returns the files of runs in these folders.
    pub(crate) fn runs(&self) -> usize {
        let files = entries(&self.path("there")).into_iter().flat_map(|folder| entries(&folder));
        let is_run = |file: &PathBuf| {
            file.file_name().is_some_and(|name| name != "keeper" && name != "beat")
        };
        files.filter(is_run).count()
    }

    /// Starts a server. `settings` come first in its file, and count.
    pub(crate) fn serve(&self, settings: &str) -> Sshd {
        self.serve_by(&[], "127.0.0.1", settings)
    }

    /// Starts a server at an address, by a command that goes before its words.
    pub(crate) fn serve_by(&self, by: &[&str], address: &str, settings: &str) -> Sshd {
        for _ in 0..10 {
            // Nothing keeps the port free, but the kernel chooses others first.
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
            let port = listener.local_addr().expect("it has one").port();
            drop(listener);
            let config = self.path(&format!("sshd_config_{address}_{port}"));
            // The folders of connections are in one of the test, and the user's shell finds no start-up
            // files.
            for name in ["there", "home"] {
                fs::create_dir_all(self.path(name)).expect("a folder of the test");
            }
            let text = format!(
                "{settings}\nSetEnv TMPDIR={there} HOME={home}\nHostKey {host}\nAuthorizedKeysFile {user}\nPidFile none\nUsePAM no\n\
                 StrictModes no\nPermitRootLogin yes\nListenAddress {address}\nPrintMotd no\n\
                 PrintLastLog no\nUseDNS no\nMaxStartups 500\nPasswordAuthentication no\n",
                there = self.path("there").display(),
                home = self.path("home").display(),
                host = self.path("host").display(),
                user = self.path("user.pub").display(),
            );
            fs::write(&config, text).expect("a file of the test");
            // The server of root needs a folder in /run: its own /run has one.
            let script = "if [ \"$(id -u)\" = 0 ]; then mount -t tmpfs none /run && mkdir /run/sshd; fi\n\
                          exec \"$@\"";
            let mut words: Vec<OsString> = by.iter().map(OsString::from).collect();
            if rustix::process::geteuid().is_root() {
                words.extend(["unshare", "-m"].map(OsString::from));
            }
            words.extend(["/bin/sh", "-c", script, "sh", SSHD, "-D", "-e"].map(OsString::from));
            words.extend([
                "-f".into(),
                config.clone().into(),
                "-p".into(),
                port.to_string().into(),
            ]);
            let command = Command::new(&words[0]).args(&words[1..]).owned(true).stdin(Fd::null());
            let command = command.parent_death_signal(Signal::KILL);
            let mut server = command.spawn().expect("the server");
            let stderr = fs::File::from(server.take(2).expect("a pipe"));
            let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
            if lines.any(|line| line.starts_with("Server listening on")) {
                // Nobody reads what it says from now on, so it must not get a signal for that.
                std::thread::spawn(move || lines.for_each(drop));
                return Sshd { port, server, config };
            }
        }
        panic!("no port stays free");
    }

    /// Returns a server as a host.
    pub(crate) fn host(&self, server: &Sshd) -> Ssh {
        self.host_at("127.0.0.1", server.port)
    }

    pub(crate) fn host_at(&self, address: &str, port: u16) -> Ssh {
        let config = self.path("ssh_config");
        let text = format!(
            "StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nIdentityFile {}\n\
             IdentitiesOnly yes\n",
            self.path("user").display()
        );
        fs::write(&config, text).expect("a file of the test");
        Ssh::new(address).config_file(config).option(format!("Port={port}"))
    }
}

impl Sshd {
    /// Returns the processes of the server's connections.
    pub(crate) fn connections(&self) -> Vec<u32> {
        let is_ours = |pid: &u32| {
            let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            parent_of(*pid) == Some(self.server.pid()) && line.starts_with(b"sshd: ")
        };
        processes().filter(is_ours).collect()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Ends the server and its connections.
    pub(crate) fn stop(&mut self) {
        self.server.terminate(Signal::KILL, Duration::ZERO).ok();
        drop(self.server.wait().expect("it is ours"));
        fs::remove_file(&self.config).ok();
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    // It may go at any time.
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.filter_map(|entry| Some(entry.ok()?.path())).collect()
}

/// Returns the numbers of all processes.
pub(crate) fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
}

/// Returns the living processes whose command line has this text.
pub(crate) fn with_text(text: &str) -> Vec<(u32, String)> {
    let line = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        (pid != std::process::id() && line.contains(text)).then_some((pid, line))
    };
    processes().filter_map(line).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Kills a process of a server.
pub(crate) fn kill(pid: u32) {
    let pid =
        Pid::from_raw(i32::try_from(pid).expect("a number of a process")).expect("it is not 0");
    kill_process(pid, rustix::process::Signal::KILL).ok(); // it may have ended meanwhile
}

/// Returns the control sockets of the connections that this process has.
pub(crate) fn sockets() -> Vec<PathBuf> {
    let socket = |pid: u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line);
        let mut words = line.split('\0').skip_while(|word| *word != "-S");
        line.contains("ControlMaster=yes").then(|| words.nth(1).map(PathBuf::from)).flatten()
    };
    children().into_iter().filter_map(|(pid, ..)| socket(pid)).collect()
}
