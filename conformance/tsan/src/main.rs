//! Builds tests with ThreadSanitizer, the standard library too, and runs them: `cargo xtask tsan`.
//!
//! The standard library must be instrumented, or the sanitizer does not see its locks. So its source
//! is needed: that of the nightly toolchain, or Debian's second toolchain with the sanitizer's runtime
//! of nightly. The first test has a race on purpose, and must be reported.

#[path = "../../../xtask/src/binaries.rs"]
mod binaries;
#[path = "../../libcs/src/counts.rs"]
mod counts;
#[path = "../../../xtask/src/skips.rs"]
mod skips;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::counts::Counts;

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
        sh.remove_path(&reports)?;
        sh.create_dir(&reports)?;
        let suite = cmd!(
            sh,
            "{program} {arguments...} test -Zbuild-std --locked --target {TARGET} {options...}
             --target-dir {folder}"
        );
        let counts = counts::run(&sh, suite, is_wanted)?;
        anyhow::Ok((counts, texts(&sh, &reports)?))
    };
    let manifest = package.join("Cargo.toml").display().to_string();
    let own: &[&str] = &["--manifest-path", &manifest, "--tests"];

    let (canary, seen) = run(own, &|source| source.ends_with("canary.rs"))?;
    ensure!(
        canary.error.is_some() && seen.iter().any(|text| text.contains("data race")),
        "the race of tests/canary.rs was not reported, so no report means anything"
    );
    println!("the race on purpose was reported");

    let mut rows = vec![("conformance/tsan", run(own, &|source| !source.ends_with("canary.rs"))?)];
    for suite in SUITES {
        rows.push((suite[1], run(suite, &|_| true)?));
    }
    rows.iter().flat_map(|(_, (_, seen))| seen).for_each(|report| println!("{report}"));
    println!("\n{:<30} passed failed skipped reports", "suite");
    for (suite, (Counts { passed, failed, skipped, .. }, seen)) in &rows {
        println!("{suite:<30} {passed:>6} {failed:>6} {skipped:>7} {:>7}", seen.len());
    }
    let is_bad = |(_, (counts, seen)): &(_, (Counts, Vec<String>))| {
        counts.error.is_some() || !seen.is_empty()
    };
    ensure!(!rows.iter().any(is_bad), "there are races or failures, see above");
    Ok(())
}

/// Returns the reports that the sanitizer has written.
fn texts(sh: &Shell, reports: &Path) -> Result<Vec<String>> {
    sh.read_dir(reports)?.into_iter().map(|path| Ok(sh.read_file(path)?)).collect()
}
