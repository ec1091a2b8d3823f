//! The task `fuzz`: one target of `fuzz/`, for some minutes, by cargo-fuzz.
//!
//! `cargo xtask fuzz TARGET --minutes N`. The corpus stays below `fuzz/corpus`; an input that fails
//! is kept below `fuzz/artifacts` and named.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::arguments::Arguments;
use crate::tool;

/// Those that start children. AddressSanitizer sees only a child that copies its parent's memory, and
/// a copy of the sanitizer's own takes milliseconds: a hundredth of the tries.
const SPAWNING: [&str; 1] = ["path_and_args"];

/// A fact takes some bytes of an input, and libFuzzer would try short inputs for minutes: those of
/// three facts, among which there is little to find.
const LONG_INPUTS: [&str; 2] = ["-len_control=0", "-max_len=512"];

/// Fuzzes the target that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let minutes = arguments.option::<f64>("--minutes")?.unwrap_or(1.0);
    let target = arguments.word().unwrap_or_default();
    arguments.end()?;
    let files = sh.read_dir("fuzz/fuzz_targets")?.into_iter();
    let targets: Vec<_> = files.filter_map(|file| Some(file.file_stem()?.to_owned())).collect();
    ensure!(targets.iter().any(|name| *name == *target), "fuzz what? one of {targets:?}");
    tool::nightly(sh)?;
    cmd!(sh, "cargo fuzz --version")
        .quiet()
        .ignore_stderr()
        .read()
        .context("cargo-fuzz is missing: cargo install cargo-fuzz --locked")?;
    let time = format!("-max_total_time={:.0}", minutes * 60.0);
    let _no_toolchain = sh.push_env("RUSTUP_TOOLCHAIN", "nightly");
    let sanitizer = if SPAWNING.contains(&target.as_str()) { "none" } else { "address" };
    let run = ["run", "--fuzz-dir", "fuzz", "--sanitizer", sanitizer, &target];
    cmd!(sh, "rustup run nightly cargo fuzz {run...} -- {time} {LONG_INPUTS...}").run()?;
    println!("{target}: {minutes} minutes without a finding");
    Ok(())
}
