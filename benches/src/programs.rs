//! The programs that children run, built with the system's C compiler.
//!
//! They are static and have no C library, so that a child costs as little as possible. `limit` is
//! not a child but a contender: the bare loop of system calls for the spawn rows. It is in C
//! because it needs `clone` without a library above it.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

/// The environment variable that names a child's processor.
pub const CHILDS_PROCESSOR: &str = "PROCESSION_CHILDS_PROCESSOR";

const CHILDREN: [(&str, &str); 6] = [
    ("exit0", include_str!("../programs/exit0.c")),
    ("hold", include_str!("../programs/hold.c")),
    ("cat", include_str!("../programs/cat.c")),
    ("flood", include_str!("../programs/flood.c")),
    ("lines", include_str!("../programs/lines.c")),
    ("sink", include_str!("../programs/sink.c")),
];
const HEADER: &str = include_str!("../programs/raw.h");
const LIMIT: &str = include_str!("../peers/limit.c");
const BARE: [&str; 5] =
    ["-static", "-nostdlib", "-ffreestanding", "-fno-builtin", "-fno-stack-protector"];

/// Builds the programs below the build's target folder, if they are not built yet, and returns the
/// folder.
///
/// # Errors
///
/// If there is no C compiler, or it rejects the programs.
pub fn build() -> Result<PathBuf> {
    // One thread of this process builds at a time. Other processes use other file names.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = target()?.join("compare").join("programs");
    fs::create_dir_all(&folder)?;
    write_if_new(&folder.join("raw.h"), HEADER)?;
    for (name, source) in CHILDREN {
        compile(&folder, name, source, &BARE)?;
    }
    compile(&folder, "limit", LIMIT, &[])?;
    Ok(folder)
}

/// Returns cargo's target folder, which contains the running program.
///
/// # Errors
///
/// If the running program is not in a build folder.
pub fn target() -> Result<PathBuf> {
    let own = env::current_exe()?;
    let is_profile = |path: &&Path| path.ends_with("release") || path.ends_with("debug");
    let profile = own.ancestors().find(is_profile);
    let target = profile.and_then(Path::parent).context("run this from cargo's target folder")?;
    Ok(target.to_owned())
}

fn compile(folder: &Path, name: &str, source: &str, flags: &[&str]) -> Result<()> {
    let file = folder.join(name).with_extension("c");
    let program = folder.join(name);
    if !write_if_new(&file, source)? && program.exists() {
        return Ok(());
    }
    // The file has another name until it is complete, because two builds may run at once.
    let unfinished = folder.join(format!("{name}.{}", std::process::id()));
    let mut cc = Command::new("cc");
    cc.arg("-O2").args(flags).arg("-o").arg(&unfinished).arg(&file);
    let status = cc.status().context("no C compiler: install one as `cc`")?;
    ensure!(status.success(), "cc does not accept {}", file.display());
    Ok(fs::rename(unfinished, program)?)
}

/// Writes the file if its text differs. Returns whether it did.
fn write_if_new(file: &Path, text: &str) -> Result<bool> {
    if fs::read_to_string(file).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    fs::write(file, text)?;
    Ok(true)
}
