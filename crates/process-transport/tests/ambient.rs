//! Area UG: a parent whose privileges are ambient capabilities, as a service manager gives them.
#![cfg(all(feature = "reactor", target_os = "linux"))]

mod util;

#[path = "spawn_paths/filter.rs"]
mod filter;

use std::fs;

use procession_process_transport::{Command, Step};
use procession_protocol::SpawnPath;
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, configure_capability_in_ambient_set, set_capabilities,
    set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

use crate::filter::{Calls, answer};
use crate::util::{Way, command, forced_path, in_every_way, root_or_skip};

/// Turns this thread, the only one that spawns, into that user and the group of the same number,
/// with these supplementary groups. The thread keeps only the wanted capabilities, as ambient ones.
/// This cannot be undone.
fn become_user_with(id: u32, groups: &[u32], wanted: CapabilitySet) {
    let (uid, gid) = (Uid::from_raw(id), Gid::from_raw(id));
    let groups: Vec<Gid> = groups.iter().copied().map(Gid::from_raw).collect();
    set_keep_capabilities(true).expect("anybody may");
    set_thread_groups(&groups).expect("root may");
    set_thread_res_gid(gid, gid, gid).expect("root may");
    set_thread_res_uid(uid, uid, uid).expect("root may");
    let sets = CapabilitySets { effective: wanted, permitted: wanted, inheritable: wanted };
    set_capabilities(None, sets).expect("they were kept");
    for one in wanted.iter() {
        configure_capability_in_ambient_set(one, true).expect("permitted and inheritable");
    }
}

/// A child that prints its ids, groups and capabilities.
fn status() -> Command {
    command("/bin/cat").arg("/proc/self/status")
}

/// Returns the value of one field that [`status`] printed.
fn field(driver: &mut dyn Way, command: Command, name: &str) -> String {
    let shown = format!("{command:?}");
    let record = driver.run(command);
    assert_eq!(record.code(), 0, "{shown}: {record:?}");
    let text = record.text(1);
    let line = text.lines().find_map(|line| line.strip_prefix(name)).expect("the line is there");
    line.trim_start_matches(':').split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Every spawn path, or the forced one.
fn paths() -> Vec<SpawnPath> {
    forced_path().map_or_else(
        || vec![SpawnPath::SharedFiles, SpawnPath::SharedMemory, SpawnPath::Fork],
        |path| vec![path],
    )
}

/// The number of the prctl(2) command. No other command in use has all of these bits.
const PR_CAP_AMBIENT: u64 = 47;

const NONE: &str = "0000000000000000";

/// A child whose uid, gid, user or groups change must not become root again with the parent's
/// ambient capabilities.
#[test]
fn a_change_of_ids_clears_the_ambient_set() {
    in_every_way("a_change_of_ids_clears_the_ambient_set", |driver| {
        if !root_or_skip("ambient capabilities") {
            return;
        }
        become_user_with(1000, &[27, 1000], CapabilitySet::SETUID | CapabilitySet::SETGID);
        let own = fs::read_to_string("/proc/thread-self/status").expect("/proc is mounted");
        assert!(own.contains("CapAmb:\t00000000000000c0"), "{own}");
        for path in paths() {
            let status = || status().spawn_path(path);
            for changed in [
                status().uid(1001).gid(1001),
                status().gid(1001),
                status().uid(1001).gid(1000),
                status().user("nobody"),
                status().uid(65534),
                status().groups([1000]),
                status().groups([28]),
            ] {
                let shown = format!("{changed:?}");
                let kept = changed.clone().keep_ambient();
                assert_eq!(field(driver, changed, "CapAmb"), NONE, "{shown}");
                assert_eq!(field(driver, kept, "CapAmb"), "00000000000000c0", "{shown}");
            }
            assert_eq!(field(driver, status(), "CapAmb"), "00000000000000c0", "nothing changes");
            let changed = status().uid(1001).gid(1001);
            assert_eq!(field(driver, changed.clone(), "CapPrm"), NONE);
            assert_eq!(field(driver, changed, "CapEff"), NONE);
        }
    });
}

/// The program does not start if the ambient set cannot be cleared.
#[test]
fn an_ambient_set_that_cannot_be_cleared_is_an_error() {
    in_every_way("an_ambient_set_that_cannot_be_cleared_is_an_error", |driver| {
        if !root_or_skip("a change of ids") {
            return;
        }
        answer(libc::SYS_prctl, Calls::With { index: 0, flag: PR_CAP_AMBIENT }, libc::EPERM);
        let error = driver.fails(status().uid(65534).gid(65534));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Capabilities, Some(libc::EPERM)));
        let kept = status().uid(65534).gid(65534).keep_ambient();
        assert_eq!(field(driver, kept, "CapAmb"), NONE, "the kernel empties it then");
    });
}

/// Supplementary groups follow a change of ids if the process may set groups. It does not have to
/// be root.
#[test]
fn groups_follow_if_the_capability_is_ambient() {
    in_every_way("groups_follow_if_the_capability_is_ambient", |driver| {
        if !root_or_skip("ambient capabilities") {
            return;
        }
        become_user_with(1000, &[27, 1000], CapabilitySet::SETUID | CapabilitySet::SETGID);
        for path in paths() {
            let status = || status().spawn_path(path);
            for (changed, groups) in [
                (status().gid(2000), "2000"),
                (status().gid(1000), "1000"),
                (status().uid(1000).gid(1000), "1000"),
                (status().uid(2000).gid(2000), "2000"),
                (status().uid(65534), "65534"),
                (status().gid(2000).groups([27]), "27"),
                (status(), "27 1000"),
            ] {
                let shown = format!("{changed:?}");
                assert_eq!(field(driver, changed, "Groups"), groups, "{shown}");
            }
        }
    });
}

/// A process that may not set groups, but may change to a group of its own, keeps its supplementary
/// groups.
#[test]
fn groups_stay_if_the_change_is_to_a_group_of_ones_own() {
    in_every_way("groups_stay_if_the_change_is_to_a_group_of_ones_own", |driver| {
        if !root_or_skip("ambient capabilities") {
            return;
        }
        become_user_with(1000, &[27, 1000], CapabilitySet::empty());
        assert_eq!(field(driver, status().gid(1000), "Groups"), "27 1000");
        assert_eq!(field(driver, status().uid(1000), "Groups"), "27 1000");
        assert_eq!(field(driver, status().uid(1000).gid(1000), "Groups"), "27 1000");
    });
}
