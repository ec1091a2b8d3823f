//! Servers of ssh as hosts, and what is left of their connections.

use std::fs;
use std::path::{Path, PathBuf};

use procession_test_support::{Sshd, children, skip, skip_here};
use procession_utils::Ssh;
use rustix::process::{Pid, kill_process};

/// Keys, and the files of servers and clients.
pub(crate) struct Keys {
    folder: tempfile::TempDir,
}

impl Keys {
    /// Returns `None` if a program is missing, which is said.
    pub(crate) fn new(test: &str) -> Option<Self> {
        if let Some(why) = Sshd::missing() {
            // In a process of its own a parent forwards the line; else nobody does.
            let isolated = std::env::var_os(procession_test_support::VARIABLE).is_some();
            let say = if isolated { skip } else { skip_here };
            say(test, &why);
            return None;
        }
        Some(Self { folder: tempfile::tempdir().expect("a folder") })
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
        // The folders of connections are in one of the test. Of two SetEnv, the first one counts.
        let (there, home) = (self.path("there"), self.path("home"));
        fs::create_dir_all(&there).expect("a folder of the test");
        let settings =
            format!("{settings}\nSetEnv TMPDIR={} HOME={}", there.display(), home.display());
        Sshd::start(self.folder.path(), by, address, &settings)
    }

    /// Returns a server as a host.
    pub(crate) fn host(&self, server: &Sshd) -> Ssh {
        self.host_at("127.0.0.1", server.port)
    }

    pub(crate) fn host_at(&self, address: &str, port: u16) -> Ssh {
        let config = self.path("ssh_config");
        let text = Sshd::client_settings(self.folder.path());
        fs::write(&config, text).expect("a file of the test");
        Ssh::new(address).config_file(config).option(format!("Port={port}"))
    }
}

/// Returns the processes of a server's connections.
pub(crate) fn connections(server: &Sshd) -> Vec<u32> {
    let is_ours = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        parent_of(*pid) == Some(server.pid()) && line.starts_with(b"sshd: ")
    };
    processes().filter(is_ours).collect()
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
