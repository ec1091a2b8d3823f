//! Properties of a child besides its descriptors and ids: umask, limits, priority, processors, and
//! out-of-memory score. A change applies to the child alone, and the parent keeps its own values.
#![cfg(feature = "reactor")]

mod util;

use std::fs;

use procession_process_transport::{Command, Fd, Resource, Rlimit, Step};
use rustix::fs::Mode;
use rustix::process::{getpriority_process, getrlimit, setrlimit};
use rustix::thread::sched_getaffinity;

use crate::util::{Way, command, in_every_way, probe, root_or_skip, sh, skip};

/// Runs a child that exits with 0, and returns its output.
fn output(driver: &mut dyn Way, command: Command) -> String {
    let record = driver.run(command);
    assert_eq!(record.code(), 0, "{record:?}");
    record.text(1)
}

/// Builds a limit from its soft and hard values.
fn limit(soft: impl Into<Option<u64>>, hard: impl Into<Option<u64>>) -> Rlimit {
    Rlimit { soft: soft.into(), hard: hard.into() }
}

/// Returns the parent's umask, which can be read only by setting it.
fn own_umask() -> u32 {
    let mask = rustix::process::umask(Mode::empty());
    rustix::process::umask(mask);
    mask.bits()
}

/// A umask changes the child's alone.
#[test]
fn a_umask_is_set_or_inherited() {
    in_every_way("a_umask_is_set_or_inherited", |driver| {
        rustix::process::umask(Mode::from_raw_mode(0o022));
        assert_eq!(output(driver, sh("umask")), "0022\n");
        assert_eq!(output(driver, sh("umask").umask(0o077)), "0077\n");
        assert_eq!(output(driver, sh("umask").umask(0)), "0000\n");
        assert_eq!(own_umask(), 0o022);
    });
}

/// Limits change the child's alone. The last value for a resource wins.
#[test]
fn limits_are_set_or_inherited() {
    in_every_way("limits_are_set_or_inherited", |driver| {
        let own = getrlimit(rustix::process::Resource::Nofile);
        let both = "ulimit -Sn; ulimit -Hn";
        let text = output(driver, sh(both).rlimit(Resource::OpenFiles, limit(60, 70)));
        assert_eq!(text, "60\n70\n");
        let twice = sh(both)
            .rlimit(Resource::OpenFiles, limit(1, 1))
            .rlimit(Resource::OpenFiles, limit(50, 50));
        assert_eq!(output(driver, twice), "50\n50\n");
        let core = sh("ulimit -Sc; ulimit -Hc").rlimit(Resource::Core, limit(0, 0));
        assert_eq!(output(driver, core), "0\n0\n");
        assert_eq!(getrlimit(rustix::process::Resource::Nofile), own);
        let shown =
            |soft: Option<u64>| soft.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
        assert!(output(driver, sh("ulimit -Sn")).starts_with(&shown(own.current)));
    });
}

/// Returns whether a limit of memory takes effect. An emulator needs memory of its own, and ignores it.
fn memory_can_be_limited() -> bool {
    let before = getrlimit(rustix::process::Resource::Stack);
    let wanted = Some(before.current.map_or(6 << 20, |bytes| bytes / 2));
    let half = rustix::process::Rlimit { current: wanted, ..before };
    setrlimit(rustix::process::Resource::Stack, half).expect("it is below the hard limit");
    let is_set = getrlimit(rustix::process::Resource::Stack).current == wanted;
    setrlimit(rustix::process::Resource::Stack, before).expect("it was the limit before");
    is_set
}

/// Every resource reaches the kernel under its own number.
#[test]
fn every_resource_has_its_own_limit() {
    in_every_way("every_resource_has_its_own_limit", |driver| {
        let mut resources = vec![
            (Resource::AddressSpace, "Max address space", 4 << 30),
            (Resource::Core, "Max core file size", 4096),
            (Resource::Cpu, "Max cpu time", 100),
            (Resource::Data, "Max data size", 3 << 30),
            (Resource::FileSize, "Max file size", 1 << 20),
            (Resource::LockedMemory, "Max locked memory", 8192),
            (Resource::OpenFiles, "Max open files", 33),
            (Resource::Processes, "Max processes", 4321),
            (Resource::Stack, "Max stack size", 4 << 20),
        ];
        if !memory_can_be_limited() {
            skip("limits of memory", "this system ignores them");
            let of_memory = [Resource::AddressSpace, Resource::Data, Resource::Stack];
            resources.retain(|(resource, ..)| !of_memory.contains(resource));
        }
        let mut child = command("/bin/cat").arg("/proc/self/limits");
        for (resource, _, value) in &resources {
            child = child.rlimit(*resource, limit(*value, *value));
        }
        let text = output(driver, child);
        for (_, name, value) in resources {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let fields: Vec<&str> = line[name.len()..].split_whitespace().collect();
            let value = value.to_string();
            assert_eq!(fields[..2], [value.as_str(), value.as_str()], "{line}");
        }
    });
}

/// A limit below the parent's open descriptors does not keep the child from getting its
/// descriptors.
#[test]
fn a_low_limit_of_descriptors_comes_after_the_map() {
    in_every_way("a_low_limit_of_descriptors_comes_after_the_map", |driver| {
        let child = probe(["tags", "9", "9"])
            .rlimit(Resource::OpenFiles, limit(5, 5))
            .child_fd(9, Fd::from_child());
        let record = driver.run(child);
        assert_eq!((record.text(9).as_str(), record.code()), ("9", 0));
    });
}

/// The kernel refuses a soft limit above the hard one.
#[test]
fn a_senseless_limit_is_an_error() {
    in_every_way("a_senseless_limit_is_an_error", |driver| {
        let error = driver.fails(sh("exit").rlimit(Resource::OpenFiles, limit(70, 60)));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Limits, Some(libc::EINVAL)));
    });
}

/// A limit on the file size takes effect: the child dies by its own write, and the parent is not
/// affected.
#[test]
fn a_limit_acts_on_the_child() {
    in_every_way("a_limit_acts_on_the_child", |driver| {
        let dir = tempfile::tempdir().unwrap();
        let child = command("/bin/dd")
            .args(["if=/dev/zero", "of=big", "bs=4096", "count=4"])
            .current_dir(dir.path())
            .rlimit(Resource::FileSize, limit(4096, None))
            .rlimit(Resource::Core, limit(0, 0));
        assert_eq!(driver.run(child).signal(), libc::SIGXFSZ);
        assert_eq!(fs::metadata(dir.path().join("big")).unwrap().len(), 4096);
    });
}

/// A nice value is absolute, and changes the child's alone.
#[test]
fn a_nice_value_is_set_or_inherited() {
    in_every_way("a_nice_value_is_set_or_inherited", |driver| {
        let own = getpriority_process(None).unwrap();
        let nice = |value: i32| command("/usr/bin/nice").nice(value);
        assert_eq!(output(driver, command("/usr/bin/nice")), format!("{own}\n"));
        assert_eq!(output(driver, nice(7.max(own))), format!("{}\n", 7.max(own)));
        assert_eq!(output(driver, nice(19)), "19\n");
        assert_eq!(getpriority_process(None).unwrap(), own);
    });
}

/// Only root may raise a child's priority.
#[test]
fn a_child_can_be_favoured_by_root() {
    in_every_way("a_child_can_be_favoured_by_root", |driver| {
        if !root_or_skip("a negative nice value") {
            return;
        }
        let own = getpriority_process(None).unwrap();
        assert_eq!(output(driver, command("/usr/bin/nice").nice(-5)), "-5\n");
        assert_eq!(getpriority_process(None).unwrap(), own);
    });
}

/// A child can be confined to one processor. The parent's thread keeps its own.
#[test]
fn a_child_can_be_confined_to_processors() {
    in_every_way("a_child_can_be_confined_to_processors", |driver| {
        let own = sched_getaffinity(None).unwrap();
        let cpu = (0..1024).rev().find(|cpu| own.is_set(*cpu)).unwrap();
        let list = sh("grep Cpus_allowed_list /proc/self/status");
        let text = output(driver, list.clone().cpu_affinity([cpu]));
        assert_eq!(text, format!("Cpus_allowed_list:\t{cpu}\n"));
        assert_eq!(sched_getaffinity(None).unwrap(), own);
        for nowhere in [vec![], vec![60_000]] {
            let error = driver.fails(list.clone().cpu_affinity(nowhere));
            assert_eq!((error.step(), error.raw_os_error()), (Step::Priority, Some(libc::EINVAL)));
        }
    });
}

/// The score for the out-of-memory killer changes the child's alone, even while parent and child
/// share memory.
#[test]
fn an_out_of_memory_score_is_set_or_inherited() {
    in_every_way("an_out_of_memory_score_is_set_or_inherited", |driver| {
        let own = || fs::read_to_string("/proc/self/oom_score_adj").unwrap();
        let before = own();
        let score = command("/bin/cat").arg("/proc/self/oom_score_adj");
        assert_eq!(output(driver, score.clone()), before);
        assert_eq!(output(driver, score.clone().oom_score_adj(1000)), "1000\n");
        assert_eq!(output(driver, score.clone().oom_score_adj(321)), "321\n");
        assert_eq!(own(), before);
        let error = driver.fails(score.oom_score_adj(1001));
        assert_eq!((error.step(), error.raw_os_error()), (Step::Priority, Some(libc::EINVAL)));
    });
}

/// All of these settings together, on one child.
#[test]
fn everything_at_once() {
    in_every_way("everything_at_once", |driver| {
        let script = "umask; ulimit -n; nice; cat /proc/$$/oom_score_adj; \
                      echo end";
        let child = sh(script)
            .umask(0o027)
            .rlimit(Resource::OpenFiles, limit(44, 44))
            .nice(11)
            .oom_score_adj(900)
            .cpu_affinity(0..64)
            .new_session();
        assert_eq!(output(driver, child), "0027\n44\n11\n900\nend\n");
    });
}
