//! The machines, and how qemu boots them.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::report::Report;

/// A kernel: the newest of a Debian release.
#[derive(Debug)]
pub(crate) struct Kernel {
    pub(crate) suite: &'static str,
    /// Debian's names for the architectures.
    pub(crate) architectures: &'static [&'static str],
}

/// Releases with the kernels 5.10, 6.1, 6.12 and, of testing, the newest one.
pub(crate) const KERNELS: [Kernel; 4] = [
    Kernel { suite: "bullseye", architectures: &["amd64"] },
    Kernel { suite: "bookworm", architectures: &["amd64"] },
    Kernel { suite: "trixie", architectures: &["amd64"] },
    Kernel { suite: "forky", architectures: &["amd64", "arm64"] },
];

/// A kind of processor: its names, and its tools.
#[derive(Debug)]
pub(crate) struct Architecture {
    pub(crate) debian: &'static str,
    pub(crate) target: &'static str,
    pub(crate) linker: &'static str,
    pub(crate) strip: &'static str,
    pub(crate) user_emulator: &'static str,
    emulator: &'static str,
    options: &'static [&'static str],
    console: &'static str,
}

impl Architecture {
    /// Returns the name of a machine, of which `--only` takes a part.
    pub(crate) fn machine_name(&self, kind: &str) -> String {
        format!("{kind}-{}", self.debian)
    }
}

/// The processor that the tests usually run on.
pub(crate) const X86: Architecture = Architecture {
    debian: "amd64",
    target: "x86_64-unknown-linux-gnu",
    linker: "x86_64-linux-gnu-gcc",
    strip: "x86_64-linux-gnu-strip",
    user_emulator: "qemu-x86_64",
    emulator: "qemu-system-x86_64",
    options: &["-cpu", "max"],
    console: "ttyS0",
};

/// Another processor, which is emulated on any machine.
pub(crate) const ARM: Architecture = Architecture {
    debian: "arm64",
    target: "aarch64-unknown-linux-gnu",
    linker: "aarch64-linux-gnu-gcc",
    strip: "aarch64-linux-gnu-strip",
    user_emulator: "qemu-aarch64",
    emulator: "qemu-system-aarch64",
    options: &["-M", "virt,gic-version=3", "-cpu", "max,pauth-impdef=on"],
    console: "ttyAMA0",
};

/// The programs that this task starts, and the command that installs them all.
const PROGRAMS: [&str; 8] = [
    "qemu-system-x86_64",
    "qemu-system-aarch64",
    "qemu-x86_64",
    "qemu-aarch64",
    "aarch64-linux-gnu-gcc",
    "cpio",
    "apt-get",
    "dpkg-deb",
];
const INSTALL: &str = "apt-get install --no-install-recommends qemu-system-x86 qemu-system-arm \
                       qemu-user cpio gcc-aarch64-linux-gnu libc6-dev-arm64-cross";

/// The time after which a machine ends that does not end by itself.
const HOURS: &str = "6h";

/// Fails if a program is missing. The error has the command that installs it.
pub(crate) fn needs() -> Result<()> {
    let path = std::env::var_os("PATH").context("no PATH")?;
    let is_there = |name: &&str| std::env::split_paths(&path).any(|dir| dir.join(name).exists());
    let missing: Vec<_> = PROGRAMS.into_iter().filter(|name| !is_there(name)).collect();
    ensure!(missing.is_empty(), "missing: {}; {INSTALL}", missing.join(", "));
    Ok(())
}

/// A machine to boot.
#[derive(Debug)]
pub(crate) struct Machine<'a> {
    pub(crate) architecture: &'a Architecture,
    pub(crate) name: String,
    pub(crate) kernel: PathBuf,
    /// The whole console is added to this file.
    pub(crate) log: PathBuf,
}

/// Boots machines, one for each processor of this computer at a time. Their consoles go to their logs.
///
/// A processor is emulated, and its clock counts instructions, so whatever else this computer does
/// changes no test: a test that waits takes no time here, and a slow emulation is not slow by the
/// machine's clock. That takes machines with one processor. The kernels' mitigations are off: they
/// change nothing for a test, and a switch of page tables at each system call is slow to emulate.
/// Addresses are not random, because the emulator translates code again at each new address.
pub(crate) fn boot_all(machines: &[Machine<'_>], image: &Path) -> Result<()> {
    let waiting = Mutex::new(machines.iter());
    let next = || waiting.lock().expect("no thread panics").next();
    let boot_some = || std::iter::from_fn(next).try_for_each(|machine| boot(machine, image));
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let threads: Vec<_> =
            (0..processors.min(machines.len())).map(|_| scope.spawn(boot_some)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("no thread panics"))
    })
}

fn boot(machine: &Machine<'_>, image: &Path) -> Result<()> {
    let Machine { architecture, name, kernel, log } = machine;
    println!("== {name}: {}", log.display());
    let console = architecture.console;
    let mut emulator = Command::new("timeout")
        .args([HOURS, architecture.emulator])
        .args(architecture.options)
        .args(["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off", "-smp", "1"])
        .args(["-m", "3000", "-nodefaults", "-nographic", "-no-reboot", "-serial", "stdio"])
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(image)
        .arg("-append")
        .arg(format!("console={console} quiet panic=-1 mitigations=off norandmaps rdinit=/init"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {}", architecture.emulator))?;
    #[expect(clippy::disallowed_methods, reason = "how long the emulation takes is only shown")]
    let begun = Instant::now();
    let mut log = OpenOptions::new().append(true).create(true).open(log)?;
    let mut report = Report::new(name);
    let console = BufReader::new(emulator.stdout.take().context("it is a pipe")?);
    for line in console.split(b'\n') {
        let line = String::from_utf8_lossy(&line?).trim_end_matches('\r').to_owned();
        writeln!(log, "{line}")?;
        if let Some(progress) = report.read(&line) {
            println!("{:5.0} s  {name}: {progress}", begun.elapsed().as_secs_f32());
        }
    }
    emulator.wait()?;
    Ok(())
}
