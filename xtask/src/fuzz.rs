//! The task `fuzz`: runs one target of `fuzz/` for some minutes, with cargo-fuzz.
//!
//! `cargo xtask fuzz TARGET --minutes N`. The corpus stays in `fuzz/corpus`. cargo-fuzz writes an
//! input that fails to `fuzz/artifacts` and prints its name.

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::arguments::Arguments;
use crate::tool;

/// The targets that start children. They run without AddressSanitizer: it can check only a child
/// with a copy of its parent's memory, and copying the sanitizer's own memory takes milliseconds,
/// which leaves a hundredth of the tries.
const SPAWNING: [&str; 1] = ["path_and_args"];

/// Allows long inputs from the start. An event takes some bytes of an input, and libFuzzer would
/// try short inputs for minutes. Those have about three events, which find little.
const LONG_INPUTS: [&str; 2] = ["-len_control=0", "-max_len=512"];

/// Runs the target that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let mut arguments = Arguments::given();
    let minutes = arguments.option::<f64>("--minutes")?.unwrap_or(1.0);
    let target = arguments.word().unwrap_or_default();
    arguments.end()?;
    let files = sh.read_dir("fuzz/fuzz_targets")?.into_iter();
    let targets: Vec<_> = files.filter_map(|file| Some(file.file_stem()?.to_owned())).collect();
    ensure!(targets.iter().any(|name| *name == *target), "name one target: {targets:?}");
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
