//! Area UG: users by name and number, and the state of the parent that a change of ids leaves
//! unchanged.
#![cfg(feature = "reactor")]

mod util;

use std::fs;
use std::os::unix::fs::MetadataExt;

use procession_process_transport::{Command, Step};
use procession_protocol::SpawnPath;
use rustix::process::Gid;
use rustix::thread::{
    CapabilitySet, capabilities, set_capabilities, set_thread_groups, set_thread_res_gid,
};

use crate::util::users::{NOBODY, PublicProbe, become_nobody};
use crate::util::{Driver, Way, behaviour, command, forced_path, in_every_way, root_or_skip, sh};

/// Runs a child that exits with 0, and returns its output.
fn output(driver: &mut dyn Way, command: Command) -> String {
    let record = driver.run(command);
    assert_eq!(record.code(), 0, "{record:?}");
    record.text(1)
}

/// Finds a user of the database, besides root and nobody, whose group number differs from its user
/// number.
fn a_user_with_another_group() -> Option<(String, u32, u32)> {
    let passwd = fs::read_to_string("/etc/passwd").ok()?;
    let groups = fs::read_to_string("/etc/group").ok()?;
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let (uid, gid) = (fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?);
        let name = *fields.first()?;
        // A user that no group lists has only its own group.
        let listed = groups.lines().any(|line| {
            line.rsplit(':').next().is_some_and(|list| list.split(',').any(|who| who == name))
        });
        (uid != gid && uid != 0 && !listed).then(|| (name.to_owned(), uid, gid))
    })
}

/// Formats ids and groups as the probe prints them.
fn shown(uid: u32, gid: u32, groups: &[u32]) -> String {
    format!("({uid}, {uid}, {uid}) ({gid}, {gid}, {gid}) {groups:?}\n")
}

/// `user` sets the uid, the primary group and the group list, by name and by number.
#[test]
fn a_user_is_found_by_name_and_by_number() {
    in_every_way("a_user_is_found_by_name_and_by_number", |driver| {
        if !root_or_skip("users by name") {
            return;
        }
        let probe = PublicProbe::new();
        set_thread_groups(&[0, 4, 24].map(Gid::from_raw)).unwrap();
        for name in ["nobody", "65534"] {
            let text = output(driver, probe.run("ids").user(name));
            assert_eq!(text, shown(NOBODY, NOBODY, &[NOBODY]), "{name}");
        }
        if let Some((name, uid, gid)) = a_user_with_another_group() {
            let wanted = shown(uid, gid, &[gid]);
            assert_eq!(output(driver, probe.run("ids").user(&name)), wanted, "{name}");
            assert_eq!(output(driver, probe.run("ids").uid(uid)), wanted, "by its uid alone");
        }
        let text = output(driver, probe.run("ids").user("nobody").groups([7, 8]));
        assert_eq!(text, shown(NOBODY, NOBODY, &[7, 8]), "groups that are named come first");
    });
}

/// A user that the database does not know is an error before anything is started.
#[test]
fn an_unknown_user_is_an_error() {
    in_every_way("an_unknown_user_is_an_error", |driver| {
        for name in ["no-such-user-here", "", "54321", "no\0body"] {
            let error = driver.fails(command("/bin/true").user(name));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Resolve, Some(libc::EINVAL)));
            assert_eq!(error.subject(), name);
        }
        let both = command("/bin/true").user("nobody").uid(NOBODY);
        assert_eq!(driver.fails(both).step(), Step::Validate);
    });
}

/// The parent's groups are gone even if root changes only its group, or a user is given by name.
#[test]
fn no_group_of_the_parent_survives_unasked() {
    in_every_way("no_group_of_the_parent_survives_unasked", |driver| {
        if !root_or_skip("groups of the parent") {
            return;
        }
        let probe = PublicProbe::new();
        set_thread_groups(&[0, 4, 24].map(Gid::from_raw)).unwrap();
        let text = output(driver, probe.run("ids").gid(77));
        assert_eq!(text, "(0, 0, 0) (77, 77, 77) [77]\n");
        let text = output(driver, probe.run("ids").uid(NOBODY));
        assert_eq!(text, shown(NOBODY, NOBODY, &[NOBODY]));
        let text = output(driver, probe.run("ids").uid(NOBODY).gid(77).groups([4]));
        assert_eq!(text, shown(NOBODY, 77, &[4]));
        let none: [u32; 0] = [];
        let text = output(driver, probe.run("ids").uid(NOBODY).gid(77).groups(none));
        assert_eq!(text, shown(NOBODY, 77, &[]));
        assert_eq!(output(driver, probe.run("ids")), shown(0, 0, &[0, 4, 24]), "nothing was asked");
        // They are gone as well if the given ids are the parent's own.
        for (own, groups) in [
            (probe.run("ids").gid(0), &[0][..]),
            (probe.run("ids").uid(0).gid(0), &[0]),
            (probe.run("ids").uid(0).gid(0).groups([4]), &[4]),
        ] {
            assert_eq!(output(driver, own), shown(0, 0, groups));
        }
        let five = Gid::from_raw(5);
        set_thread_res_gid(five, five, five).unwrap();
        assert_eq!(output(driver, probe.run("ids").gid(5)), "(0, 0, 0) (5, 5, 5) [5]\n");
        let by_name = output(driver, probe.run("ids").user("root"));
        assert_eq!(output(driver, probe.run("ids").uid(0)), by_name);
        assert!(by_name.starts_with("(0, 0, 0) (0, 0, 0) "), "{by_name}");
        assert!(!by_name.contains("24"), "{by_name}");
    });
}

/// The user nobody needs no privilege to stay nobody, in whatever way the command asks for it.
#[test]
fn a_change_to_the_same_ids_needs_no_privilege() {
    in_every_way("a_change_to_the_same_ids_needs_no_privilege", |driver| {
        if !root_or_skip("ids without privilege") {
            return;
        }
        let probe = PublicProbe::new();
        become_nobody(&[NOBODY]);
        let ids = || probe.run("ids");
        for same in [
            ids().uid(NOBODY),
            ids().gid(NOBODY),
            ids().user("nobody"),
            ids().groups([NOBODY]),
            ids().uid(NOBODY).gid(NOBODY).groups([NOBODY]),
        ] {
            let what = format!("{same:?}");
            assert_eq!(output(driver, same), shown(NOBODY, NOBODY, &[NOBODY]), "{what}");
        }
        for (other, step) in [
            (ids().groups([4]), Step::Groups),
            (ids().uid(NOBODY).groups([NOBODY, 4]), Step::Groups),
            (ids().gid(4), Step::Gid),
        ] {
            let error = driver.fails(other);
            assert_eq!((error.step(), error.raw_os_error()), (step, Some(libc::EPERM)));
        }
    });
}

/// Root without the right to set groups, as in a user namespace, keeps its groups if the command
/// names only its own ids.
#[test]
fn groups_that_may_not_be_set_stay_if_no_id_changes() {
    in_every_way("groups_that_may_not_be_set_stay_if_no_id_changes", |driver| {
        if !root_or_skip("root that may not set groups") {
            return;
        }
        let probe = PublicProbe::new();
        set_thread_groups(&[0, 4, 24].map(Gid::from_raw)).unwrap();
        let mut sets = capabilities(None).unwrap();
        for set in [&mut sets.effective, &mut sets.permitted] {
            set.remove(CapabilitySet::SETGID);
        }
        set_capabilities(None, sets).unwrap();
        let ids = || probe.run("ids");
        for own in [ids().uid(0), ids().gid(0), ids().uid(0).gid(0), ids().user("root")] {
            let what = format!("{own:?}");
            assert_eq!(output(driver, own), shown(0, 0, &[0, 4, 24]), "{what}");
        }
        for (asked, step) in [
            (ids().groups([4]), Step::Groups),
            (ids().uid(0).groups([4]), Step::Groups),
            (ids().uid(NOBODY), Step::Groups),
            (ids().gid(4), Step::Groups),
        ] {
            let error = driver.fails(asked);
            assert_eq!((error.step(), error.raw_os_error()), (step, Some(libc::EPERM)));
        }
    });
}

/// The group of one's own id counts as a member, whether it is listed or not.
#[test]
fn a_user_without_groups_is_in_its_own_group() {
    in_every_way("a_user_without_groups_is_in_its_own_group", |driver| {
        if !root_or_skip("ids without privilege") {
            return;
        }
        let probe = PublicProbe::new();
        become_nobody(&[]);
        let ids = || probe.run("ids");
        for same in [
            ids().user("nobody"),
            ids().user("65534"),
            ids().uid(NOBODY),
            ids().uid(NOBODY).gid(NOBODY).groups([NOBODY]),
        ] {
            let what = format!("{same:?}");
            assert_eq!(output(driver, same), shown(NOBODY, NOBODY, &[]), "{what}");
        }
        assert_eq!(driver.fails(ids().groups([NOBODY, 4])).step(), Step::Groups);
    });
}

/// A spawn with other ids takes the fork path unless another path is forced, and reports it.
#[test]
fn other_ids_take_a_copied_memory() {
    behaviour("other_ids_take_a_copied_memory", |driver| {
        if !root_or_skip("the path of a change of ids") {
            return;
        }
        let path = |driver: &mut Driver, command: Command| {
            let child = driver.spawn(command);
            driver.drive_to_end(&child.record);
            assert_eq!(child.record.code(), 0);
            child.process.spawned_by()
        };
        let usual = path(driver, command("/bin/true"));
        for other in [command("/bin/true").uid(NOBODY), command("/bin/true").gid(NOBODY)] {
            let wanted = forced_path().unwrap_or(SpawnPath::Fork);
            assert_eq!(path(driver, other), Some(wanted));
        }
        assert_eq!(path(driver, command("/bin/true").uid(0)), usual, "nothing changes");
    });
}

/// The parent stays dumpable and the owner of its own /proc entry.
#[test]
fn the_parent_stays_dumpable() {
    in_every_way("the_parent_stays_dumpable", |driver| {
        if !root_or_skip("the parent's dumpable flag") {
            return;
        }
        // A forced shared path gives this up, as its documentation says.
        if forced_path().is_some_and(|path| path != SpawnPath::Fork) {
            return;
        }
        // The files of a process that is not dumpable belong to root. A different group makes that
        // visible.
        let other = Gid::from_raw(4);
        set_thread_res_gid(other, other, Gid::ROOT).unwrap();
        let dumpable = rustix::process::DumpableBehavior::Dumpable;
        rustix::process::set_dumpable_behavior(dumpable).unwrap();
        let state = || {
            let dumpable = rustix::process::dumpable_behavior().unwrap();
            let this = fs::metadata("/proc/thread-self/stat").unwrap();
            (dumpable, this.uid(), this.gid())
        };
        let before = state();
        assert_eq!(before, (dumpable, 0, 4));
        assert_eq!(output(driver, sh("id -u; id -g").uid(NOBODY).gid(NOBODY)), "65534\n65534\n");
        assert_eq!(state(), before);
    });
}
