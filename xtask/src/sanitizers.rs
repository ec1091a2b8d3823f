//! The tasks `asan` and `leaks`: run the suite on nightly with AddressSanitizer, which includes
//! LeakSanitizer, or with LeakSanitizer alone, which costs far less.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::metadata::LIBRARIES;
use crate::{arguments, binaries, skips, tool};

/// Intended leaks: the payload of a panic that comes from the drop of another panic's payload.
const KNOWN_LEAKS: &str = "leak:procession_core::panics::FirstPanic*::discard
leak:a_discarded_payload_is_dropped_and_may_panic
";

/// The quarantine of freed memory is small, because it counts as resident memory. The default of
/// 256 MB is more than the tests allow.
const ASAN_OPTIONS: &str = "detect_leaks=1:detect_stack_use_after_return=0:quarantine_size_mb=4";

/// Runs the suite with AddressSanitizer.
pub(crate) fn asan(sh: &Shell) -> Result<()> {
    sanitized(sh, "address")
}

/// Runs the suite with LeakSanitizer.
pub(crate) fn leaks(sh: &Shell) -> Result<()> {
    sanitized(sh, "leak")
}

/// Runs the unit and behaviour tests, built with one of the compiler's sanitizers. The command line
/// may name packages.
fn sanitized(sh: &Shell, sanitizer: &str) -> Result<()> {
    let mut packages = arguments();
    if packages.is_empty() {
        packages = LIBRARIES.map(str::to_owned).to_vec();
    }
    tool::nightly(sh)?;
    let directory = sh.current_dir().join("target").join(sanitizer);
    let _flags = sh.push_env("RUSTFLAGS", format!("-Zsanitizer={sanitizer}"));
    let _toolchain = sh.push_env("RUSTUP_TOOLCHAIN", "nightly");
    // A report then names lines.
    let _lines = sh.push_env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only");
    // Reports go to files. On stderr they would mix with the output of children.
    let reports = directory.join("reports");
    sh.remove_path(&reports)?;
    sh.create_dir(&reports)?;
    // Children with other user ids must be able to write reports too.
    fs::set_permissions(&reports, fs::Permissions::from_mode(0o1777))?;
    let log = reports.join("report");
    let known = directory.join("known-leaks.txt");
    sh.write_file(&known, KNOWN_LEAKS)?;
    let options = format!("{ASAN_OPTIONS}:log_path={}", log.display());
    let _asan = sh.push_env("ASAN_OPTIONS", options);
    let leaks = format!("suppressions={}:print_suppressions=0", known.display());
    let _lsan = sh.push_env("LSAN_OPTIONS", leaks);
    // Tests that cannot work with a sanitizer, because they use a tracer or a memory limit, skip
    // themselves.
    let _sanitizer = sh.push_env("PROCESSION_TEST_SANITIZER", sanitizer);
    let chosen = packages.iter().flat_map(|package| ["--package", package]);
    let target = ["--target", "x86_64-unknown-linux-gnu", "--lib", "--tests", "--locked"];
    let suite =
        cmd!(sh, "rustup run nightly cargo test {chosen...} {target...} --target-dir {directory}");
    let result = skips::counting(sh, || binaries::run(sh, suite, |_| true))
        .with_context(|| format!("the suite under the {sanitizer} sanitizer"));
    print_reports(sh, &reports)?;
    result
}

/// Prints the reports of errors. A report may also be a warning, which is left out.
fn print_reports(sh: &Shell, reports: &Path) -> Result<()> {
    for file in sh.read_dir(reports)? {
        let text = sh.read_file(&file)?;
        if text.contains("ERROR: ") {
            println!("{text}");
        }
    }
    Ok(())
}
