//! The model of one child: which callback may follow which, and what must have arrived at the end
//! of a child that no act has disturbed.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;

use procession::prelude::*;

/// The findings: the broken rules, in words, and how often each event happened.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(crate) violations: Vec<String>,
    pub(crate) events: u64,
    pub(crate) bytes: u64,
    pub(crate) ended: u64,
}

/// The findings that all protocols write to.
pub(crate) type Shared = Rc<RefCell<Findings>>;

/// The expected behaviour of a child that no act disturbs.
#[derive(Clone, Default)]
pub(crate) struct Expected {
    /// The descriptors whose loss is reported.
    pub(crate) pipes: Vec<i32>,
    /// The descriptors that carry data to the parent.
    pub(crate) readable: Vec<i32>,
    pub(crate) code: Option<i32>,
    /// The output on child fd 1, or 0 and 3 for socketpairs.
    pub(crate) output: Option<Vec<u8>>,
    /// The child whose output it reads.
    pub(crate) source: Option<Rc<RefCell<ChildState>>>,
}

/// The state of one child's protocol.
#[derive(Default)]
pub(crate) struct ChildState {
    pub(crate) expected: Expected,
    /// An act has closed, aborted, signalled or forwarded: output and exit code may be anything.
    pub(crate) disturbed: bool,
    pub(crate) ended: bool,
    made: bool,
    exited: bool,
    inside: bool,
    lost: BTreeSet<i32>,
    read_closed: BTreeSet<i32>,
    output: Vec<u8>,
}

impl ChildState {
    /// Returns the initial state of a child of which this is expected.
    pub(crate) fn new(expected: Expected) -> Self {
        Self { expected, ..Self::default() }
    }

    /// Returns whether it has written anything.
    pub(crate) fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Returns whether an act has disturbed it, or a child before it.
    fn is_disturbed(&self) -> bool {
        let source = self.expected.source.as_ref();
        self.disturbed || source.is_some_and(|source| source.borrow().is_disturbed())
    }
}

/// Leaves the bytes out.
impl fmt::Debug for ChildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Expected { pipes, readable, code, output, source } = &self.expected;
        f.debug_struct("ChildState")
            .field("pipes", pipes)
            .field("readable", readable)
            .field("code", code)
            .field("expected_bytes", &output.as_ref().map(Vec::len))
            .field("bytes", &self.output.len())
            .field("same_up_to", &output.as_ref().map(|output| same(output, &self.output)))
            .field("has_source", &source.is_some())
            .field("disturbed", &self.is_disturbed())
            .field("made", &self.made)
            .field("exited", &self.exited)
            .field("ended", &self.ended)
            .field("lost", &self.lost)
            .field("read_closed", &self.read_closed)
            .finish_non_exhaustive()
    }
}

/// Returns how many bytes are equal, from the first one on.
fn same(some: &[u8], other: &[u8]) -> usize {
    some.iter().zip(other).take_while(|(one, other)| one == other).count()
}

/// A protocol that checks which callbacks are legal.
pub(crate) struct Checked {
    pub(crate) life: Rc<RefCell<ChildState>>,
    pub(crate) book: Shared,
    /// Called in each callback, after the check.
    pub(crate) act: Rc<dyn Fn(&Process)>,
}

impl Checked {
    fn note(&self, process: &Process, what: &str, judge: impl FnOnce(&mut ChildState) -> bool) {
        let pid = process.pid();
        let broken = {
            let mut life = self.life.borrow_mut();
            let first = life.made || what == "made";
            let inside = std::mem::replace(&mut life.inside, true);
            let legal = judge(&mut life);
            // Callbacks that were due before the reap may come after it, and then there may be no
            // pid.
            let pid_is_right = if pid.is_some() { !life.exited } else { what != "made" };
            let late = life.ended && what != "ended";
            (!legal || !first || inside || late || !pid_is_right)
                .then(|| format!("{what} (pid {pid:?}, inside {inside}) is illegal in {life:?}"))
        };
        {
            let mut book = self.book.borrow_mut();
            book.events += 1;
            book.violations.extend(broken);
        }
        (self.act)(process);
        self.life.borrow_mut().inside = false;
    }
}

impl ProcessProtocol for Checked {
    fn connection_made(&mut self, process: &Process) {
        self.note(process, "made", |life| !std::mem::replace(&mut life.made, true));
    }

    fn child_data_received(&mut self, process: &Process, fd: ChildFd, data: Bytes) {
        self.book.borrow_mut().bytes += u64::try_from(data.len()).unwrap_or(0);
        self.note(process, "data", |life| {
            let fd = fd.as_raw();
            if matches!(fd, 0 | 1 | 3) {
                life.output.extend_from_slice(&data);
            }
            !data.is_empty()
                && life.expected.readable.contains(&fd)
                && !life.lost.contains(&fd)
                && !life.read_closed.contains(&fd)
        });
    }

    fn child_read_closed(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, "read closed", |life| {
            !life.lost.contains(&fd.as_raw()) && life.read_closed.insert(fd.as_raw())
        });
    }

    fn child_connection_lost(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, "lost", |life| {
            life.expected.pipes.contains(&fd.as_raw()) && life.lost.insert(fd.as_raw())
        });
    }

    fn child_write_buffer_full(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, "full", |life| !life.lost.contains(&fd.as_raw()));
    }

    fn child_write_buffer_drained(&mut self, process: &Process, fd: ChildFd) {
        self.note(process, "drained", |life| !life.lost.contains(&fd.as_raw()));
    }

    fn process_exited(&mut self, process: &Process, reason: ExitReason) {
        self.note(process, "exited", |life| {
            let code = reason.map_or_else(|ended| ended.exit_code(), |done| done.exit_code());
            let as_expected =
                life.is_disturbed() || life.expected.code.is_none() || code == life.expected.code;
            !std::mem::replace(&mut life.exited, true) && as_expected
        });
    }

    fn process_ended(&mut self, process: &Process, _: ExitReason) {
        self.note(process, "ended", |life| {
            let lost: BTreeSet<i32> = life.expected.pipes.iter().copied().collect();
            let whole = life.is_disturbed()
                || life.expected.output.as_ref().is_none_or(|output| *output == life.output);
            let once = !std::mem::replace(&mut life.ended, true);
            once && life.exited && life.lost == lost && whole
        });
        self.book.borrow_mut().ended += 1;
    }
}
