//! The task `fuzz`: runs one target of `fuzz/` for some minutes, with cargo-fuzz.
//!
//! `cargo xtask fuzz TARGET --minutes N`. The corpus stays in `fuzz/corpus`. cargo-fuzz writes an
//! input that fails to `fuzz/artifacts` and prints its name.

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::{arguments, tool};

/// The targets that start children. They run without AddressSanitizer: it can check only a child
/// with a copy of its parent's memory, and copying the sanitizer's own memory takes milliseconds,
/// which leaves a hundredth of the tries.
const SPAWNING: [&str; 1] = ["path_and_args"];

/// Allows long inputs from the start. An event takes some bytes of an input, and libFuzzer would
/// try short inputs for minutes. Those have about three events, which find little.
const LONG_INPUTS: [&str; 2] = ["-len_control=0", "-max_len=512"];

/// Runs the target that the command line names.
pub(crate) fn run(sh: &Shell) -> Result<()> {
    let (target, minutes) = match &arguments()[..] {
        [target] => (target.clone(), 1.0),
        [target, option, minutes] if option == "--minutes" => (target.clone(), minutes.parse()?),
        _ => bail!("the arguments are a target of fuzz/fuzz_targets, and --minutes N"),
    };
    tool::nightly(sh)?;
    let time = format!("-max_total_time={:.0}", minutes * 60.0);
    let _no_toolchain = sh.push_env("RUSTUP_TOOLCHAIN", "nightly");
    let sanitizer = if SPAWNING.contains(&target.as_str()) { "none" } else { "address" };
    let run = ["run", "--fuzz-dir", "fuzz", "--sanitizer", sanitizer, &target];
    cmd!(sh, "rustup run nightly cargo fuzz {run...} -- {time} {LONG_INPUTS...}").run()?;
    println!("{target}: {minutes} minutes without a finding");
    Ok(())
}
