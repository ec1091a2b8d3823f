//! Area SC: a build with Debian's sccache, whose first compiler starts a server in the background. The
//! slow tier.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::{env, fs};

use procession_core::Signal;
use procession_process_transport::{Command, Fd};
use util::scopes::{cgroup_or_skip, ends_without_a_trace, until};
use util::{bound, isolated, ms, sh, skip};

fn is_slow() -> bool {
    env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1")
}

fn has(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).exists())
}

/// A place for a build: sources, a cache, and a port for the server.
struct Build {
    folder: tempfile::TempDir,
    port: u16,
}

impl Build {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        for name in ["a", "b", "c"] {
            let source = format!("int {name}(void) {{ return 1; }}\n");
            fs::write(folder.path().join(format!("{name}.c")), source).expect("a folder");
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
        Self { folder, port: free.local_addr().expect("it is bound").port() }
    }

    /// A command with the settings of this build.
    fn sh(&self, script: &str) -> Command {
        let place = self.folder.path();
        let command = sh(script).current_dir(place).env("SCCACHE_DIR", place.join("cache"));
        let command = command.env("SCCACHE_SERVER_PORT", self.port.to_string());
        command.child_fd(0, Fd::null()).child_fd(1, Fd::null()).child_fd(2, Fd::null())
    }

    fn compile(&self) -> Command {
        self.sh("for name in a b c; do sccache cc -c $name.c -o $name.o || exit 1; done")
            .owned(true)
    }

    fn is_built(&self) -> bool {
        ["a.o", "b.o", "c.o"].iter().all(|name| self.folder.path().join(name).exists())
    }

    /// Returns whether the server listens.
    fn listens(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// Returns the living processes of this build: those with its port in their environment.
    fn processes(&self) -> Vec<u32> {
        let setting = format!("SCCACHE_SERVER_PORT={}", self.port);
        let is_of_it = |pid: &u32| {
            let environment = fs::read(Path::new("/proc").join(pid.to_string()).join("environ"));
            let environment = environment.unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|one| one == setting.as_bytes())
        };
        let entries = fs::read_dir("/proc").expect("/proc").filter_map(Result::ok);
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        numbers.filter(is_of_it).collect()
    }
}

/// Case SC-27. The server has left the session and the group of the build, so it lives on; that of a build
/// in a scope does not.
#[test]
fn nothing_of_a_build_with_a_cache_outlives_its_scope() {
    const NAME: &str = "nothing_of_a_build_with_a_cache_outlives_its_scope";
    if !is_slow() {
        return;
    }
    isolated(NAME, || {
        if !has("sccache") || !has("cc") {
            return skip(NAME, "sccache or a compiler is not installed");
        }
        let Some(scope) = cgroup_or_skip(NAME) else { return };
        let alone = Build::new();
        let mut run = alone.compile().spawn().unwrap();
        assert!(run.wait().unwrap().is_ok() && alone.is_built());
        // A part of the server may be in the group still, but not what does the work.
        run.terminate(Signal::KILL, ms(0)).ok();
        assert!(alone.listens() && !alone.processes().is_empty(), "it outlives the group");

        let build = Build::new();
        let run = build.compile().scope(&scope).spawn().unwrap().wait().unwrap();
        assert!(run.is_ok() && build.is_built(), "{run:?}");
        assert!(build.listens(), "it outlives the run");
        let mut processes = build.processes();
        processes.sort_unstable();
        assert_eq!(scope.members().unwrap(), processes, "in the scope");
        let ended = scope.terminate(Signal::TERM, bound(ms(5000))).unwrap();
        assert!(ended.is_gone(), "{ended}");
        assert!(!build.listens());
        assert_eq!(build.processes(), [0; 0]);

        // The drop of the scope ends the next server as well.
        assert!(build.compile().scope(&scope).spawn().unwrap().wait().unwrap().is_ok());
        assert!(build.listens());
        ends_without_a_trace(scope);
        assert!(!build.listens());
        assert_eq!(build.processes(), [0; 0]);

        assert!(alone.listens(), "no other build is concerned");
        let stop = alone.sh("exec sccache --stop-server").spawn().unwrap().wait().unwrap();
        assert!(stop.is_ok(), "{stop:?}");
        until("its server has ended", || alone.processes().is_empty());
    });
}
