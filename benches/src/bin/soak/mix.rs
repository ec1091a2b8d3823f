//! The mix: acts drawn from a seed, in the loop and in callbacks. At the end nothing may be left.

#[path = "acts.rs"]
mod acts;
#[path = "batches.rs"]
mod batches;
#[path = "endings.rs"]
mod endings;
#[path = "groups.rs"]
mod groups;
#[path = "helpers.rs"]
mod helpers;
#[path = "loops.rs"]
mod loops;
#[path = "model.rs"]
mod model;
#[path = "net.rs"]
mod net;
#[path = "pipes.rs"]
mod pipes;
#[path = "producers.rs"]
mod producers;
#[path = "stdio.rs"]
pub(crate) mod stdio;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use tempfile::TempDir;

use self::model::{ChildState, Shared};

/// The most children that are alive at one time.
const MOST_CHILDREN: usize = 40;

/// How much the memory of this process may grow after the first third of the time.
const MOST_GROWTH_BYTES: u64 = 24 << 20;

/// How long the end may take. Nothing that is started lives longer by itself.
const LAST_WAIT: Duration = Duration::from_secs(60);

/// The contents of the file that children get.
const FILE: &[u8] = b"of the file\n";

/// A pseudorandom number generator (SplitMix64).
#[derive(Debug)]
struct Numbers(Cell<u64>);

impl Numbers {
    fn below(&self, end: u64) -> u64 {
        self.0.set(self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15));
        let mut mixed = self.0.get();
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    fn index(&self, length: usize) -> usize {
        let length = u64::try_from(length.max(1)).unwrap_or(1);
        usize::try_from(self.below(length)).unwrap_or(0)
    }

    fn bytes(&self, most: u64) -> Vec<u8> {
        let length = self.below(most);
        let first = self.below(251);
        (0..length).map(|at| u8::try_from((first + at) % 251).unwrap_or(0)).collect()
    }
}

/// A child that has not ended, as far as is known.
struct Alive {
    process: Process,
    life: Rc<RefCell<ChildState>>,
}

/// The state that all acts share.
struct World {
    numbers: Numbers,
    book: Shared,
    alive: RefCell<Vec<Alive>>,
    /// The children whose handle nobody keeps.
    unheld: RefCell<Vec<Rc<RefCell<ChildState>>>>,
    /// How many groups were marked.
    groups: Cell<u64>,
    counts: RefCell<BTreeMap<&'static str, u64>>,
    /// The number of unfinished futures, deferreds, connections and timers.
    pending: Cell<i64>,
    /// The port of the echo, or 0 if it does not listen.
    port: Cell<u16>,
    /// The depth of acts inside callbacks: a callback acts only if this is 0.
    depth: Cell<u32>,
    root: bool,
    /// The folder for sockets with a path, and for a file.
    directory: TempDir,
    /// A program with a loop over its standard streams, if there is one.
    echo: Option<Command>,
}

impl World {
    fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_insert(0) += 1;
    }

    fn violation(&self, what: String) {
        self.book.borrow_mut().violations.push(what);
    }

    fn begin(&self) {
        self.pending.set(self.pending.get() + 1);
    }

    fn finish(&self) {
        self.pending.set(self.pending.get() - 1);
    }

    /// Returns the path of a file that contains [`FILE`].
    fn file(&self) -> PathBuf {
        self.directory.path().join("file")
    }

    /// Returns whether no act may start anything more.
    fn is_over(&self) -> bool {
        self.port.get() == 0
    }

    fn sweep(&self) {
        let ended: Vec<Alive> =
            self.alive.borrow_mut().extract_if(.., |child| child.life.borrow().ended).collect();
        drop(ended);
        self.unheld.borrow_mut().retain(|life| !life.borrow().ended);
    }

    /// Returns whether everything that was started has ended, as far as the callbacks report.
    fn is_quiet(&self) -> bool {
        let nobody = self.alive.borrow().is_empty() && self.unheld.borrow().is_empty();
        nobody && self.pending.get() == 0
    }
}

/// What may be left behind.
#[derive(Debug, PartialEq)]
struct Leftovers {
    /// The open descriptors of this process, and what they are.
    fds: BTreeMap<i32, String>,
    /// The sources, timers and tasks of the loop, as it prints them.
    in_the_loop: String,
    /// The children, dead or alive, by pid and state.
    children: Vec<(u32, char)>,
    /// The processes that belong to a group that was terminated.
    members: BTreeMap<u32, String>,
}

impl Leftovers {
    fn now(reactor: &Handle) -> Self {
        let shown = format!("{reactor:?}");
        let in_the_loop = shown.split_once("sources").map_or(&*shown, |(_, rest)| rest).to_owned();
        let (fds, members) = (open_fds(), groups::living(&groups::ours()));
        Self { fds, in_the_loop, children: children(), members }
    }
}

/// Runs the mix for `time`, with this program as echo. Returns how often each act was done, or the
/// first broken rule.
pub(crate) fn run(
    reactor: &mut Reactor,
    seed: u64,
    time: Duration,
    echo: Option<Command>,
) -> Result<String, String> {
    let world = Rc::new(World {
        numbers: Numbers(Cell::new(seed)),
        book: Shared::default(),
        alive: RefCell::default(),
        unheld: RefCell::default(),
        groups: Cell::new(0),
        counts: RefCell::default(),
        pending: Cell::new(0),
        port: Cell::new(0),
        depth: Cell::new(0),
        root: user_is_root(),
        directory: tempfile::tempdir().map_err(|error| error.to_string())?,
        echo,
    });
    std::fs::write(world.file(), FILE).map_err(|error| error.to_string())?;
    // Do each act once before the baseline, which then includes threads, mailboxes and handlers.
    acts::warm_up(&world, reactor)?;
    let before = Leftovers::now(reactor);
    let listener = net::listen(&world, reactor)?;
    let end = reactor.now() + time;
    let mut early = 0;
    while reactor.now() < end {
        if early == 0 && reactor.now() + time.mul_f64(0.67) > end {
            early = resident_bytes();
        }
        world.sweep();
        for _ in 0..=world.numbers.below(3) {
            acts::any(&world, reactor);
        }
        let wait = Duration::from_micros(world.numbers.below(3000));
        reactor.turn(Some(wait)).map_err(|error| format!("turn: {error}"))?;
        violation(&world)?;
    }
    world.port.set(0);
    listener.stop_listening().detach();
    drop(listener);
    settle(&world, reactor, &before)?;
    let late = resident_bytes();
    if early > 0 && late > early + MOST_GROWTH_BYTES {
        return Err(format!("memory grew from {early} to {late} bytes"));
    }
    Ok(report(&world))
}

/// Kills the living children, and waits until all have ended and every promise is completed.
///
/// The pidfd of a group's leader stays open as long as the group may still get a KILL.
fn settle(world: &Rc<World>, reactor: &mut Reactor, before: &Leftovers) -> Result<(), String> {
    let end = reactor.now() + LAST_WAIT;
    loop {
        world.sweep();
        for child in world.alive.borrow().iter() {
            child.life.borrow_mut().disturbed = true;
            child.process.resume_all();
            child.process.close_all();
            child.process.signal_group(Signal::KILL).ok(); // it may lead no group, or be gone
            child.process.signal(Signal::KILL).ok(); // it may be gone
        }
        reactor.turn(Some(Duration::from_millis(5))).map_err(|error| format!("turn: {error}"))?;
        violation(world)?;
        if world.is_quiet() && Leftovers::now(reactor) == *before {
            return Ok(());
        }
        if reactor.now() > end {
            let held: Vec<String> =
                world.alive.borrow().iter().map(|child| format!("{:?}", child.life)).collect();
            let (pending, now) = (world.pending.get(), Leftovers::now(reactor));
            return Err(format!(
                "no end: {pending} pending, {held:#?}, {:#?}\n\
                 at the start {before:#?}, at the end {now:#?}",
                world.unheld.borrow()
            ));
        }
    }
}

fn violation(world: &World) -> Result<(), String> {
    match world.book.borrow().violations.first() {
        Some(violation) => Err(violation.clone()),
        None => Ok(()),
    }
}

fn report(world: &World) -> String {
    let mut text = String::new();
    for (what, count) in world.counts.borrow().iter() {
        write!(text, "{what} {count}, ").unwrap_or_default();
    }
    let book = world.book.borrow();
    write!(text, "{} callbacks, {} ends, {} bytes", book.events, book.ended, book.bytes)
        .unwrap_or_default();
    text
}

/// Returns the open descriptors of this process. Sockets and pipes are given only by kind.
fn open_fds() -> BTreeMap<i32, String> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else { return BTreeMap::new() };
    let numbers: Vec<i32> =
        entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect();
    numbers
        .into_iter()
        .filter_map(|fd| {
            let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
            Some((fd, link.to_string_lossy().into_owned()))
        })
        .collect()
}

/// Returns the children of this process, dead or alive, by pid and state.
fn children() -> Vec<(u32, char)> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (_, rest) = text.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?.chars().next()?;
        let parent: u32 = fields.next()?.parse().ok()?;
        (parent == std::process::id()).then_some((pid, state))
    })
    .collect()
}

/// Returns the resident set of this process, in bytes.
fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn user_is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().any(|line| {
        line.strip_prefix("Uid:").is_some_and(|ids| ids.split_whitespace().all(|id| id == "0"))
    })
}
