//! Builds tests with ThreadSanitizer, the standard library too, and runs them: `cargo xtask tsan`.
//!
//! The standard library must be instrumented, or the sanitizer does not see its locks. So its source
//! is needed: that of the nightly toolchain, or Debian's second toolchain with the sanitizer's runtime
//! of nightly. The first test has a race on purpose, and must be reported.

#[path = "../../../xtask/src/binaries.rs"]
mod binaries;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The tests of the libraries that start no child, and so make no `clone`, which the sanitizer
/// refuses.
const SUITES: [&[&str]; 3] = [
    &["--package", "procession-core", "--lib"],
    &["--package", "procession-reactor", "--lib", "--test", "wakeups", "--test", "futures"],
    &["--package", "procession-utils", "--lib"],
];

/// A compiler, and the source of its standard library.
enum Toolchain {
    Nightly,
    /// The path is that of the sanitizer's runtime.
    Debian(PathBuf),
}

impl Toolchain {
    fn find(sh: &Shell) -> Result<Self> {
        let sysroot = cmd!(sh, "rustup run nightly rustc --print sysroot").quiet().read();
        let sysroot = sysroot.context("no nightly: rustup toolchain install nightly")?;
        let library = Path::new(&sysroot).join("lib/rustlib");
        if library.join("src/rust/library/std").exists() {
            return Ok(Self::Nightly);
        }
        let debian = ["/usr/bin/cargo", "/usr/bin/rustc", "/usr/lib/rustlib/src/rust/library/std"];
        let runtime = library.join(TARGET).join("lib/librustc-nightly_rt.tsan.a");
        if debian.iter().all(|path| Path::new(path).exists()) && runtime.exists() {
            return Ok(Self::Debian(runtime));
        }
        bail!(
            "no source of the standard library: rustup component add rust-src --toolchain nightly, \
             or apt-get install rustc-web cargo-web rust-web-src"
        )
    }

    fn cargo(&self) -> &'static [&'static str] {
        match self {
            Self::Nightly => &["rustup", "run", "nightly", "cargo"],
            Self::Debian(_) => &["/usr/bin/cargo"],
        }
    }

    fn flags(&self) -> String {
        match self {
            Self::Nightly => "-Zsanitizer=thread".to_owned(),
            Self::Debian(runtime) => format!(
                "-Zsanitizer=thread -Zexternal-clangrt \
                 -Zpre-link-arg=-Wl,--whole-archive,{},--no-whole-archive",
                runtime.display()
            ),
        }
    }
}

fn main() -> Result<()> {
    let sh = Shell::new()?;
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let root = package.ancestors().nth(2).context("it is below the root")?;
    sh.change_dir(root);
    let toolchain = Toolchain::find(&sh)?;
    let folder = root.join("target").join("thread");
    let reports = folder.join("reports");
    sh.remove_path(&reports)?;
    sh.create_dir(&reports)?;
    let _flags = sh.push_env("RUSTFLAGS", toolchain.flags());
    let _bootstrap = match &toolchain {
        Toolchain::Nightly => None,
        Toolchain::Debian(_) => {
            Some([sh.push_env("RUSTC_BOOTSTRAP", "1"), sh.push_env("RUSTC", "/usr/bin/rustc")])
        }
    };
    let log = reports.join("report");
    let _options = sh.push_env("TSAN_OPTIONS", format!("log_path={}", log.display()));
    let _sanitizer = sh.push_env("PROCESSION_TEST_SANITIZER", "thread");
    let [program, arguments @ ..] = toolchain.cargo() else { bail!("no cargo") };
    let run = |options: &[&str], is_wanted: &dyn Fn(&Path) -> bool| {
        let suite = cmd!(
            sh,
            "{program} {arguments...} test -Zbuild-std --locked --target {TARGET} {options...}
             --target-dir {folder}"
        );
        binaries::run(&sh, suite, is_wanted)
    };
    let manifest = package.join("Cargo.toml").display().to_string();
    let own = ["--manifest-path", manifest.as_str(), "--tests"];

    let canary = run(&own, &|source| source.ends_with("canary.rs"));
    let seen = texts(&sh, &reports)?;
    ensure!(
        canary.is_err() && seen.iter().any(|text| text.contains("data race")),
        "the race of tests/canary.rs was not reported, so no report means anything"
    );
    println!("the race on purpose was reported");
    sh.remove_path(&reports)?;
    sh.create_dir(&reports)?;

    let mut failed = Vec::new();
    failed.extend(run(&own, &|source| !source.ends_with("canary.rs")).err());
    for suite in SUITES {
        failed.extend(run(suite, &|_| true).err());
    }
    let seen = texts(&sh, &reports)?;
    seen.iter().for_each(|text| println!("{text}"));
    println!("ThreadSanitizer: {} reports, {} suites failed", seen.len(), failed.len());
    failed.iter().for_each(|error| println!("{error:#}"));
    ensure!(seen.is_empty() && failed.is_empty(), "there are races or failures, see above");
    Ok(())
}

/// Returns the reports that the sanitizer has written.
fn texts(sh: &Shell, reports: &Path) -> Result<Vec<String>> {
    sh.read_dir(reports)?.into_iter().map(|path| Ok(sh.read_file(path)?)).collect()
}
