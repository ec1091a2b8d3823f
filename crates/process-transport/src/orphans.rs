//! Children that outlive the reactor that spawned them: every live reactor of the process reaps
//! them, without callbacks.

use crate::sys::{self, Waited};
use procession_core::Signal;
use procession_reactor::{EventHandler, Handle, Interest, Key, Ready, Remote, SignalWatch, hooks};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::{Cell, RefCell};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

/// A child without a reactor.
#[derive(Debug)]
struct Orphan {
    pid: u32,
    pidfd: Option<OwnedFd>,
}

impl Orphan {
    /// Whether nothing is left to reap.
    fn try_reap(&self) -> bool {
        !matches!(sys::try_reap(self.child(), i64::MAX), Ok(Waited::Running))
    }

    fn child(&self) -> sys::Child<'_> {
        let pidfd = self.pidfd.as_ref();
        pidfd.map_or(sys::Child::Pid(self.pid), |fd| sys::Child::Fd(fd.as_fd(), self.pid))
    }

    /// For a millisecond; not as long where a pidfd tells of the end.
    fn wait_a_moment(&self) {
        let mut fds: Vec<_> =
            self.pidfd.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)).collect();
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 1_000_000 })).ok();
    }
}

struct Orphanage {
    waiting: Vec<Orphan>,
    reactors: Vec<Remote>,
}

static ORPHANAGE: Mutex<Orphanage> =
    Mutex::new(Orphanage { waiting: Vec::new(), reactors: Vec::new() });

thread_local! {
    /// This thread's reactor, if it is known to the orphanage.
    static ENLISTED: RefCell<Option<Remote>> = const { RefCell::new(None) };
}

fn orphanage() -> MutexGuard<'static, Orphanage> {
    ORPHANAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the reactor one that takes orphans in; later reactors do so from their start.
pub(crate) fn enlist(reactor: &Handle) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| hooks::on_reactor_start(join));
    let known = ENLISTED.with_borrow(|own| own.as_ref().is_some_and(|remote| !remote.is_closed()));
    if !known {
        join(reactor);
    }
}

fn join(reactor: &Handle) {
    let remote = reactor.remote();
    ENLISTED.set(Some(remote.clone()));
    {
        let mut orphanage = orphanage();
        orphanage.reactors.retain(|remote| !remote.is_closed());
        orphanage.reactors.push(remote);
    }
    adopt(reactor);
}

/// Takes a child whose reactor is going away.
pub(crate) fn abandon(pid: u32, pidfd: Option<OwnedFd>) {
    let orphan = Orphan { pid, pidfd };
    if !orphan.try_reap() {
        leave_to_reactors(orphan);
    }
}

fn leave_to_reactors(orphan: Orphan) {
    let remotes = {
        let mut orphanage = orphanage();
        orphanage.waiting.push(orphan);
        orphanage.reactors.retain(|remote| !remote.is_closed());
        orphanage.reactors.clone()
    };
    for remote in remotes {
        remote.call(adopt);
    }
}

/// For how many milliseconds a child that was killed is waited for before it is left to the reactors.
/// Only one in an uninterruptible wait takes longer than a moment.
const END_AFTER_KILL_MS: u32 = 2000;

/// Kills a child that is not to run after all, with the group that it leads, and reaps it.
pub(crate) fn end_now(pid: u32, pidfd: Option<OwnedFd>, leads_group: bool) {
    let orphan = Orphan { pid, pidfd };
    if leads_group {
        // Not reaped, so the number is still the child's; an empty group is as good.
        sys::send_to_group_number(pid, Signal::KILL).ok();
    }
    sys::send(orphan.child(), Signal::KILL).ok(); // ended already is as good
    for _ in 0..END_AFTER_KILL_MS {
        if orphan.try_reap() {
            return;
        }
        orphan.wait_a_moment();
    }
    leave_to_reactors(orphan);
}

/// Takes every waiting orphan into this reactor.
fn adopt(reactor: &Handle) {
    let mut waiting = std::mem::take(&mut orphanage().waiting);
    // And what a former reactor of this thread asked for.
    waiting.append(&mut ASKED.with_borrow_mut(|asked| std::mem::take(&mut asked.orphans)));
    for orphan in waiting {
        if !orphan.try_reap() {
            watch(reactor, orphan);
        }
    }
}

fn watch(reactor: &Handle, orphan: Orphan) {
    let Orphan { pid, pidfd: Some(pidfd) } = orphan else { return ask_at_signals(reactor, orphan) };
    let ward = Rc::new(Ward { pid, key: Cell::new(None), reactor: reactor.clone() });
    // On failure the pidfd is gone, and with it the means to wait: the child stays a zombie until
    // this process ends.
    ward.key.set(reactor.add_source(pidfd, Interest::READABLE, ward.clone(), 0).ok());
}

/// Orphans without pidfds in the care of this thread's reactor, and what tells of their exits.
#[derive(Default)]
struct Asked {
    orphans: Vec<Orphan>,
    watch: Option<SignalWatch>,
}

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

/// Without a pidfd the orphan is asked at every SIGCHLD.
fn ask_at_signals(reactor: &Handle, orphan: Orphan) {
    ASKED.with_borrow_mut(|asked| asked.orphans.push(orphan));
    // Without a watch it is asked when the next reactor starts, or the next orphan comes.
    let watch = reactor.on_signal(Signal::CHLD, |_| ask()).ok();
    let old = ASKED.with_borrow_mut(|asked| std::mem::replace(&mut asked.watch, watch));
    drop(old);
    ask(); // it may have ended before there was a watch
}

fn ask() {
    let watch = ASKED.with_borrow_mut(|asked| {
        asked.orphans.retain(|orphan| !orphan.try_reap());
        if asked.orphans.is_empty() { asked.watch.take() } else { None }
    });
    drop(watch);
}

/// An orphan in the care of a reactor.
struct Ward {
    pid: u32,
    key: Cell<Option<Key>>,
    reactor: Handle,
}

impl EventHandler for Ward {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let waited =
            reactor.with_fd(ready.key, |fd| sys::try_reap(sys::Child::Fd(fd, self.pid), i64::MAX));
        if !matches!(waited, Some(Ok(Waited::Running))) {
            reactor.close(ready.key);
        }
    }

    fn reactor_dropped(self: Rc<Self>) {
        if let Some(key) = self.key.take() {
            let pidfd = self.reactor.take_fd(key);
            abandon(self.pid, pidfd);
        }
    }
}
