//! Laws of the fd map against real children: whatever is asked for, on every path, the child finds
//! exactly that, and the parent's table is as before.
#![cfg(feature = "reactor")]

mod util;

#[path = "spawn_paths/paths.rs"]
mod paths;
#[path = "spawn_paths/table.rs"]
mod table;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use procession_process_transport::{Fd, FileMode};
use procession_protocol::SpawnPath;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl, fstat};
use rustix::pipe::{PipeFlags, pipe_with};

use crate::paths::{by, paths};
use crate::table::fd_table;
use crate::util::{Driver, PROBE, behaviour, sys};

/// What a descriptor of the caller is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    File,
    ReadEnd,
    WriteEnd,
    Null,
    Socket,
}

/// A descriptor of the caller, at a number of the test's choice.
#[derive(Debug, Clone, Copy)]
struct Source {
    kind: Kind,
    nonblocking: bool,
    cloexec: bool,
}

/// What is asked for on one number of the child.
#[derive(Debug, Clone, Copy)]
enum Wish {
    /// The caller's descriptor; the index is taken modulo their count.
    Inherit(usize),
    /// The same as another wish, likewise.
    SameAs(usize),
    ToChild,
    FromChild,
    Socketpair,
    Null,
    File(FileMode),
}

/// A whole map: the caller's descriptors by number, and the child's.
#[derive(Debug, Clone)]
struct Case {
    sources: BTreeMap<i32, Source>,
    wishes: BTreeMap<i32, Wish>,
    /// Where the child reports.
    report: i32,
}

impl Case {
    /// The numbers whose wishes make a descriptor, which others can share.
    fn makers(&self) -> Vec<i32> {
        let making = self.wishes.iter().filter(|(_, wish)| !matches!(wish, Wish::SameAs(_)));
        making.map(|(number, _)| *number).chain([self.report]).collect()
    }
}

/// What the child says of one descriptor, or what it should say.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    dev: u64,
    /// `None` for the far end of a socketpair, whose inode the parent cannot know.
    ino: Option<u64>,
    mode: u32,
    nonblocking: bool,
}

fn kind() -> impl Strategy<Value = Kind> {
    use Kind::{File, Null, ReadEnd, Socket, WriteEnd};
    prop::sample::select(vec![File, ReadEnd, WriteEnd, Null, Socket])
}

fn source() -> impl Strategy<Value = Source> {
    (kind(), any::<bool>(), any::<bool>()).prop_map(|(kind, nonblocking, cloexec)| Source {
        kind,
        nonblocking,
        cloexec,
    })
}

fn wish() -> impl Strategy<Value = Wish> {
    let mode = prop::sample::select(vec![FileMode::Read, FileMode::Append, FileMode::ReadWrite]);
    prop_oneof![
        8 => any::<usize>().prop_map(Wish::Inherit),
        2 => any::<usize>().prop_map(Wish::SameAs),
        1 => Just(Wish::ToChild),
        1 => Just(Wish::FromChild),
        1 => Just(Wish::Socketpair),
        1 => Just(Wish::Null),
        1 => mode.prop_map(Wish::File),
    ]
}

/// Numbers of the child: those of the caller's descriptors are among them, so that there are swaps
/// and cycles.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![6 => 0..6_i32, 6 => 20..28_i32, 1 => 28..300_i32]
}

fn case() -> impl Strategy<Value = Case> {
    let sources =
        prop::collection::btree_map(prop_oneof![6 => 20..28_i32, 1 => 28..300_i32], source(), 1..8);
    let wishes = prop::collection::btree_map(number(), wish(), 0..12);
    (sources, wishes, number()).prop_map(|(sources, wishes, report)| Case {
        sources,
        wishes,
        report,
    })
}

fn open(source: Source, number: i32) -> OwnedFd {
    let made: OwnedFd = match source.kind {
        Kind::File => tempfile::tempfile().expect("a file").into(),
        Kind::Null => File::open("/dev/null").expect("/dev/null").into(),
        Kind::ReadEnd => pipe_with(PipeFlags::CLOEXEC).expect("a pipe").0,
        Kind::WriteEnd => pipe_with(PipeFlags::CLOEXEC).expect("a pipe").1,
        Kind::Socket => std::os::unix::net::UnixStream::pair().expect("a pair").0.into(),
    };
    if source.nonblocking {
        let flags = fcntl_getfl(&made).expect("it is open");
        fcntl_setfl(&made, flags | OFlags::NONBLOCK).expect("it is open");
    }
    sys::copy_at(made, number, source.cloexec)
}

fn seen(fd: impl AsFd) -> Seen {
    let (stat, flags) = (fstat(&fd).expect("it is open"), fcntl_getfl(&fd).expect("it is open"));
    Seen {
        dev: stat.st_dev,
        ino: Some(stat.st_ino),
        mode: (flags & OFlags::RWMODE).bits(),
        nonblocking: flags.contains(OFlags::NONBLOCK),
    }
}

/// The lines of `fdinfo`; close-on-exec, which nothing may have, is checked here.
fn parse(text: &str) -> BTreeMap<i32, Seen> {
    let line = |line: &str| {
        let (number, rest) = line.split_once(' ').expect("a number first");
        let field = |name: &str| {
            let mut words = rest.split(' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).expect("a field")
        };
        assert_eq!(field("cloexec"), "false", "{line}");
        let seen = Seen {
            dev: field("dev").parse().expect("a number"),
            ino: Some(field("ino").parse().expect("a number")),
            mode: field("mode").parse().expect("a number"),
            nonblocking: field("nonblock") == "true",
        };
        (number.parse().expect("a number"), seen)
    };
    text.lines().map(line).collect()
}

/// The map that a case asks for, with every index resolved.
fn map_of(case: &Case, sources: &BTreeMap<i32, Arc<OwnedFd>>, file: &str) -> BTreeMap<i32, Fd> {
    let makers = case.makers();
    let all: Vec<&Arc<OwnedFd>> = sources.values().collect();
    let fd = |wish: Wish| match wish {
        Wish::Inherit(index) => Fd::inherit(all[index % all.len()].clone()),
        Wish::SameAs(index) => Fd::same_as(makers[index % makers.len()]),
        Wish::ToChild => Fd::to_child(),
        Wish::FromChild => Fd::from_child(),
        Wish::Socketpair => Fd::socketpair(),
        Wish::Null => Fd::null(),
        Wish::File(mode) => Fd::file(file, mode),
    };
    let mut map: BTreeMap<i32, Fd> =
        case.wishes.iter().map(|(number, wish)| (*number, fd(*wish))).collect();
    map.insert(case.report, Fd::from_child());
    map
}

/// Runs one case by one path.
fn run(driver: &mut Driver, case: &Case, path: SpawnPath) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    let opened = File::create(&file).expect("a file");
    let file = file.to_str().expect("its name is text");
    let sources: BTreeMap<i32, Arc<OwnedFd>> = case
        .sources
        .iter()
        .map(|(number, source)| {
            // What this process was started with may lie there.
            let number = (*number..).find(|number| !sys::is_open(*number)).expect("a free one");
            (number, Arc::new(open(*source, number)))
        })
        .collect();
    let before = fd_table();
    let map = map_of(case, &sources, file);
    let command = by(path, PROBE).args(["fdinfo", &case.report.to_string()]);
    let child = driver.spawn(command.child_fds(map.clone()));

    // Now, as long as the parent's ends are open, what each number should be.
    let all: Vec<&Arc<OwnedFd>> = sources.values().collect();
    let parents_end = |number: i32| child.process.with_fd(number, |fd| seen(fd)).expect("open");
    let made = |number: i32, wish: Wish| match wish {
        Wish::Inherit(index) => seen(all[index % all.len()]),
        // Both ends of a pipe are one inode; the child's blocks.
        Wish::ToChild => Seen { mode: 0, nonblocking: false, ..parents_end(number) },
        Wish::FromChild => Seen { mode: 1, nonblocking: false, ..parents_end(number) },
        Wish::Socketpair => Seen { ino: None, nonblocking: false, ..parents_end(number) },
        Wish::Null => Seen { mode: 2, ..seen(File::open("/dev/null").expect("/dev/null")) },
        Wish::File(mode) => {
            let mode = match mode {
                FileMode::Read => 0,
                FileMode::Append => 1,
                _ => 2,
            };
            Seen { mode, ..seen(&opened) }
        }
        Wish::SameAs(_) => unreachable!("resolved"),
    };
    let mut wishes = case.wishes.clone();
    wishes.insert(case.report, Wish::FromChild);
    let makers = case.makers();
    let expected: BTreeMap<i32, Seen> = wishes
        .iter()
        .map(|(number, wish)| match wish {
            Wish::SameAs(index) => {
                let maker = makers[index % makers.len()];
                (*number, made(maker, wishes[&maker]))
            }
            wish => (*number, made(*number, *wish)),
        })
        .collect();

    driver.drive_to_end(&child.record);
    let mut found = parse(&child.record.text(case.report));
    for (number, seen) in &mut found {
        if expected.get(number).is_some_and(|expected| expected.ino.is_none()) {
            seen.ino = None;
        }
    }
    assert_eq!(found, expected, "{path:?}: {case:?}");
    drop((child, map));
    assert_eq!(fd_table(), before, "{path:?}: {case:?}");
}

/// On each path a child finds exactly the map that was asked for.
#[test]
fn a_child_finds_exactly_the_map_that_was_asked_for() {
    behaviour("a_child_finds_exactly_the_map_that_was_asked_for", |driver| {
        let driver = RefCell::new(driver);
        let config = Config { failure_persistence: None, cases: 40, ..Config::default() };
        for path in paths() {
            sys::alarm(Duration::from_secs(60)); // each path has its own time
            let mut runner = TestRunner::new(config.clone());
            let result = runner.run(&case(), |case| {
                run(&mut driver.borrow_mut(), &case, path);
                Ok(())
            });
            result.unwrap_or_else(|error| panic!("{path:?}: {error}"));
        }
    });
}
