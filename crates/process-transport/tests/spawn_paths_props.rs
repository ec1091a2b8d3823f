//! Laws of the fd map, checked with real children. On every path, the child finds exactly the
//! requested map, and the parent's table is unchanged.
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

/// The kind of a descriptor of the caller.
#[derive(Debug, Clone, Copy)]
enum DescriptorKind {
    File,
    ReadEnd,
    WriteEnd,
    Null,
    Socket,
}

/// A descriptor of the caller, at a number that the test chooses.
#[derive(Debug, Clone, Copy)]
struct CallerDescriptor {
    kind: DescriptorKind,
    nonblocking: bool,
    cloexec: bool,
}

/// The request for one number of the child.
#[derive(Debug, Clone, Copy)]
enum FdRequest {
    /// The caller's descriptor. The index is taken modulo their count.
    Inherit(usize),
    /// The same as another request. The index is taken modulo their count.
    SameAs(usize),
    ToChild,
    FromChild,
    Socketpair,
    Null,
    File(FileMode),
}

/// A whole map: the caller's descriptors by number, and the requests by the child's number.
#[derive(Debug, Clone)]
struct MapCase {
    sources: BTreeMap<i32, CallerDescriptor>,
    requests: BTreeMap<i32, FdRequest>,
    /// The number at which the child writes its report.
    report: i32,
}

impl MapCase {
    /// Returns the numbers whose requests create a descriptor, which other requests can share.
    fn creating_numbers(&self) -> Vec<i32> {
        let making =
            self.requests.iter().filter(|(_, request)| !matches!(request, FdRequest::SameAs(_)));
        making.map(|(number, _)| *number).chain([self.report]).collect()
    }
}

/// The properties of one descriptor, as the child reports them or as they should be.
#[derive(Debug, Clone, PartialEq)]
struct DescriptorInfo {
    dev: u64,
    /// `None` for the far end of a socketpair, because the parent cannot know its inode.
    ino: Option<u64>,
    mode: u32,
    nonblocking: bool,
}

fn kind() -> impl Strategy<Value = DescriptorKind> {
    use DescriptorKind::{File, Null, ReadEnd, Socket, WriteEnd};
    prop::sample::select(vec![File, ReadEnd, WriteEnd, Null, Socket])
}

fn source() -> impl Strategy<Value = CallerDescriptor> {
    (kind(), any::<bool>(), any::<bool>())
        .prop_map(|(kind, nonblocking, cloexec)| CallerDescriptor { kind, nonblocking, cloexec })
}

fn request() -> impl Strategy<Value = FdRequest> {
    let mode = prop::sample::select(vec![FileMode::Read, FileMode::Append, FileMode::ReadWrite]);
    prop_oneof![
        8 => any::<usize>().prop_map(FdRequest::Inherit),
        2 => any::<usize>().prop_map(FdRequest::SameAs),
        1 => Just(FdRequest::ToChild),
        1 => Just(FdRequest::FromChild),
        1 => Just(FdRequest::Socketpair),
        1 => Just(FdRequest::Null),
        1 => mode.prop_map(FdRequest::File),
    ]
}

/// Numbers of the child. They include numbers of the caller's descriptors, so that there are swaps
/// and cycles.
fn number() -> impl Strategy<Value = i32> {
    prop_oneof![6 => 0..6_i32, 6 => 20..28_i32, 1 => 28..300_i32]
}

fn case() -> impl Strategy<Value = MapCase> {
    let sources =
        prop::collection::btree_map(prop_oneof![6 => 20..28_i32, 1 => 28..300_i32], source(), 1..8);
    let requests = prop::collection::btree_map(number(), request(), 0..12);
    (sources, requests, number()).prop_map(|(sources, requests, report)| MapCase {
        sources,
        requests,
        report,
    })
}

fn open(source: CallerDescriptor, number: i32) -> OwnedFd {
    let made: OwnedFd = match source.kind {
        DescriptorKind::File => tempfile::tempfile().expect("a file").into(),
        DescriptorKind::Null => File::open("/dev/null").expect("/dev/null").into(),
        DescriptorKind::ReadEnd => pipe_with(PipeFlags::CLOEXEC).expect("a pipe").0,
        DescriptorKind::WriteEnd => pipe_with(PipeFlags::CLOEXEC).expect("a pipe").1,
        DescriptorKind::Socket => std::os::unix::net::UnixStream::pair().expect("a pair").0.into(),
    };
    if source.nonblocking {
        let flags = fcntl_getfl(&made).expect("it is open");
        fcntl_setfl(&made, flags | OFlags::NONBLOCK).expect("it is open");
    }
    sys::copy_at(made, number, source.cloexec)
}

fn seen(fd: impl AsFd) -> DescriptorInfo {
    let (stat, flags) = (fstat(&fd).expect("it is open"), fcntl_getfl(&fd).expect("it is open"));
    DescriptorInfo {
        dev: stat.st_dev,
        ino: Some(stat.st_ino),
        mode: (flags & OFlags::RWMODE).bits(),
        nonblocking: flags.contains(OFlags::NONBLOCK),
    }
}

/// Parses the lines of `fdinfo`. Asserts that no descriptor has close-on-exec.
fn parse(text: &str) -> BTreeMap<i32, DescriptorInfo> {
    let line = |line: &str| {
        let (number, rest) = line.split_once(' ').expect("a number first");
        let field = |name: &str| {
            let mut words = rest.split(' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).expect("a field")
        };
        assert_eq!(field("cloexec"), "false", "{line}");
        let seen = DescriptorInfo {
            dev: field("dev").parse().expect("a number"),
            ino: Some(field("ino").parse().expect("a number")),
            mode: field("mode").parse().expect("a number"),
            nonblocking: field("nonblock") == "true",
        };
        (number.parse().expect("a number"), seen)
    };
    text.lines().map(line).collect()
}

/// Returns the map that a case asks for, with every index resolved.
fn map_of(case: &MapCase, sources: &BTreeMap<i32, Arc<OwnedFd>>, file: &str) -> BTreeMap<i32, Fd> {
    let creating_numbers = case.creating_numbers();
    let all: Vec<&Arc<OwnedFd>> = sources.values().collect();
    let fd = |request: FdRequest| match request {
        FdRequest::Inherit(index) => Fd::inherit(all[index % all.len()].clone()),
        FdRequest::SameAs(index) => Fd::same_as(creating_numbers[index % creating_numbers.len()]),
        FdRequest::ToChild => Fd::to_child(),
        FdRequest::FromChild => Fd::from_child(),
        FdRequest::Socketpair => Fd::socketpair(),
        FdRequest::Null => Fd::null(),
        FdRequest::File(mode) => Fd::file(file, mode),
    };
    let mut map: BTreeMap<i32, Fd> =
        case.requests.iter().map(|(number, request)| (*number, fd(*request))).collect();
    map.insert(case.report, Fd::from_child());
    map
}

/// Runs one case on one path.
fn run(driver: &mut Driver, case: &MapCase, path: SpawnPath) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    let opened = File::create(&file).expect("a file");
    let file = file.to_str().expect("its name is text");
    let sources: BTreeMap<i32, Arc<OwnedFd>> = case
        .sources
        .iter()
        .map(|(number, source)| {
            // A descriptor that this process was started with may be there.
            let number = (*number..).find(|number| !sys::is_open(*number)).expect("a free one");
            (number, Arc::new(open(*source, number)))
        })
        .collect();
    let before = fd_table();
    let map = map_of(case, &sources, file);
    let command = by(path, PROBE).args(["fdinfo", &case.report.to_string()]);
    let child = driver.spawn(command.child_fds(map.clone()));

    // The expected properties must be read while the parent's ends are open.
    let all: Vec<&Arc<OwnedFd>> = sources.values().collect();
    let parents_end = |number: i32| child.process.with_fd(number, |fd| seen(fd)).expect("open");
    let made = |number: i32, request: FdRequest| match request {
        FdRequest::Inherit(index) => seen(all[index % all.len()]),
        // Both ends of a pipe have the same inode. The child's end is blocking.
        FdRequest::ToChild => DescriptorInfo { mode: 0, nonblocking: false, ..parents_end(number) },
        FdRequest::FromChild => {
            DescriptorInfo { mode: 1, nonblocking: false, ..parents_end(number) }
        }
        FdRequest::Socketpair => {
            DescriptorInfo { ino: None, nonblocking: false, ..parents_end(number) }
        }
        FdRequest::Null => {
            DescriptorInfo { mode: 2, ..seen(File::open("/dev/null").expect("/dev/null")) }
        }
        FdRequest::File(mode) => {
            let mode = match mode {
                FileMode::Read => 0,
                FileMode::Append => 1,
                _ => 2,
            };
            DescriptorInfo { mode, ..seen(&opened) }
        }
        FdRequest::SameAs(_) => unreachable!("resolved"),
    };
    let mut requests = case.requests.clone();
    requests.insert(case.report, FdRequest::FromChild);
    let creating_numbers = case.creating_numbers();
    let expected: BTreeMap<i32, DescriptorInfo> = requests
        .iter()
        .map(|(number, request)| match request {
            FdRequest::SameAs(index) => {
                let maker = creating_numbers[index % creating_numbers.len()];
                (*number, made(maker, requests[&maker]))
            }
            request => (*number, made(*number, *request)),
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

/// On each path, a child finds exactly the requested map.
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
