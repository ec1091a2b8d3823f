//! Which processes of a group are alive: every member has inherited a mark in its environment.
//!
//! A process that has ended has no environment any more, whether it is reaped or not.

use std::collections::BTreeMap;

use super::World;

/// The environment variable that holds the mark of a group.
pub(super) const VARIABLE: &str = "PROCESSION_SOAK_GROUP";

/// Returns a mark that no other group has.
pub(super) fn mark(world: &World) -> String {
    let number = world.groups.get();
    world.groups.set(number + 1);
    format!("{}-{number}.", std::process::id())
}

/// Returns the prefix of the marks of this program's groups.
pub(super) fn ours() -> String {
    format!("{}-", std::process::id())
}

/// Returns the living processes of the groups whose mark has this prefix, and their commands.
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

/// Records a violation if a process is alive in a group that is reported gone.
pub(super) fn check_gone(world: &World, mark: &str, what: &str) {
    let living = living(mark);
    if !living.is_empty() {
        world.violation(format!("{what}, and {living:?} live on"));
    }
}

/// Does the same for a group whose termination may have ended one second after KILL. On a busy
/// machine a process may take longer to die.
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

/// Returns whether a process has ended, or has a pending KILL.
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
