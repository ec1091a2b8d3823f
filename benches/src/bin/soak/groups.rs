//! Who of a group lives: every member has inherited a mark in its environment.
//!
//! A process that has ended, reaped or not, has no environment any more.

use std::collections::BTreeMap;

use super::World;

/// Has the mark of a group for its value.
pub(super) const VARIABLE: &str = "PROCESSION_SOAK_GROUP";

/// A mark that no other group has.
pub(super) fn mark(world: &World) -> String {
    let number = world.groups.get();
    world.groups.set(number + 1);
    format!("{}-{number}.", std::process::id())
}

/// The mark that every group of this program begins with.
pub(super) fn ours() -> String {
    format!("{}-", std::process::id())
}

/// Who lives of the groups whose mark begins like this, and what they run.
pub(super) fn living(mark: &str) -> BTreeMap<u32, String> {
    let wanted = format!("{VARIABLE}={mark}");
    let Ok(entries) = std::fs::read_dir("/proc") else { return BTreeMap::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
        let is_marked = |variable: &[u8]| variable.starts_with(wanted.as_bytes());
        if !environment.split(|byte| *byte == 0).any(is_marked) {
            return None;
        }
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        Some((pid, String::from_utf8_lossy(&command).replace('\0', " ")))
    })
    .collect()
}

/// Notes it if somebody lives of a group that is said to be gone.
pub(super) fn check_gone(world: &World, mark: &str, what: &str) {
    let living = living(mark);
    if !living.is_empty() {
        world.violation(format!("{what}, and {living:?} live on"));
    }
}

/// The same of a group that may have been given up a second after its KILL, without a word: on a
/// machine that is kept busy a process may take longer to die of it.
pub(super) fn check_killed(world: &World, mark: &str, what: &str) {
    let mut living = living(mark);
    if !living.is_empty() {
        living.retain(|pid, _| !is_killed(*pid));
        match living.is_empty() {
            true => world.count("groups slow to die"),
            false => world.violation(format!("{what}, and {living:?} live on, not killed")),
        }
    }
}

/// It has ended, or KILL waits for it.
fn is_killed(pid: u32) -> bool {
    const KILL: u64 = 1 << 8;
    let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) else { return true };
    let mut pending = status.lines().filter_map(|line| {
        let (name, mask) = line.split_once(':')?;
        matches!(name, "SigPnd" | "ShdPnd").then(|| u64::from_str_radix(mask.trim(), 16).ok())?
    });
    let is_over = status.contains("State:\tZ") || status.contains("State:\tX");
    is_over || pending.any(|mask| mask & KILL != 0)
}
