//! Orphans in the care of reactors: each live reactor watches those that come, without callbacks.

use crate::adopted::{self, Looked};
use crate::orphans::{self, Orphan};
use crate::own_children::try_reap;
use crate::pauses::{ASK_ANYWAY, Pauses};
use crate::sys::{self, Waited};
use crate::watchers::{self, Watch};
use procession_core::Signal;
use procession_reactor::driver::{EndWatch, EventHandler, Io, Key, OnEnd, Outlasting, Ready};
use procession_reactor::{DelayedCall, Handle, Interest, Remote, SignalWatch};
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Once;
use std::time::Duration;

thread_local! {
    /// This thread's reactor, if it watches orphans.
    static ENLISTED: RefCell<Option<Remote>> = const { RefCell::new(None) };
}

/// Makes the reactor one that watches orphans; later reactors do so from their start.
pub(crate) fn enlist(reactor: &Handle) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| Io::on_reactor_start(join));
    let known = ENLISTED.with_borrow(|own| own.as_ref().is_some_and(|remote| !remote.is_closed()));
    if !known {
        join(reactor);
    }
}

fn join(reactor: &Handle) {
    let remote = reactor.remote();
    ENLISTED.set(Some(remote.clone()));
    watchers::watch(Watcher(remote));
    take_in(reactor);
}

/// A reactor that is told of orphans.
struct Watcher(Remote);

impl Watch for Watcher {
    fn is_over(&self) -> bool {
        self.0.is_closed()
    }

    fn tell(&self) {
        self.0.call(take_in);
    }
}

/// Takes every waiting orphan into this reactor, and reaps those that this process has adopted.
fn take_in(reactor: &Handle) {
    let mut waiting = orphans::take_all();
    // And what a former reactor of this thread asked for.
    waiting.append(&mut ASKED.with_borrow_mut(|asked| std::mem::take(&mut asked.orphans)));
    for orphan in waiting {
        if !orphan.try_reap() {
            watch(reactor, orphan);
        }
    }
    reap_adopted(reactor);
}

/// After how long those are looked at again who could not be told from children of ours.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Reaps those of the adopted that have ended, where that was asked for.
pub(crate) fn reap_adopted(reactor: &Handle) {
    if adopted::reap() == Looked::Again {
        drop(reactor.call_later(LOOK_AGAIN, reap_adopted));
    }
}

fn watch(reactor: &Handle, orphan: Orphan) {
    let Orphan { pid, pidfd: Some(pidfd) } = orphan else { return ask_at_signals(reactor, orphan) };
    let pauses = Cell::default();
    let watched = Rc::new_cyclic(|me: &Weak<WatchedOrphan>| WatchedOrphan {
        pid,
        key: Cell::new(None),
        pauses,
        reactor: reactor.clone(),
        _end: reactor.io().watch_end(me.clone()),
    });
    // On failure the pidfd is gone, and with it the means to wait: the child stays a zombie until
    // this process ends.
    watched.key.set(reactor.io().add_source(pidfd, Interest::READABLE, watched.clone(), 0).ok());
}

/// Orphans without pidfds in the care of this thread's reactor, and what tells of their exits.
#[derive(Default)]
struct Asked {
    orphans: Vec<Orphan>,
    watch: Option<SignalWatch>,
    /// The next slow check.
    check: Option<DelayedCall>,
}

thread_local! {
    static ASKED: RefCell<Asked> = RefCell::default();
}

/// Without a pidfd the orphan is asked at every SIGCHLD, and slowly without one.
fn ask_at_signals(reactor: &Handle, orphan: Orphan) {
    ASKED.with_borrow_mut(|asked| asked.orphans.push(orphan));
    // Without a watch it is asked when the next reactor starts, or the next orphan comes.
    let watch = reactor.on_signal(Signal::CHLD, |_| ask()).ok();
    let old = ASKED.with_borrow_mut(|asked| std::mem::replace(&mut asked.watch, watch));
    drop(old);
    ask(); // it may have ended before there was a watch
    check_later(reactor);
}

/// Others may block SIGCHLD, or have taken it.
fn check_later(reactor: &Handle) {
    let check = ASKED.with_borrow(|asked| !asked.orphans.is_empty()).then(|| {
        reactor.call_later(ASK_ANYWAY, |reactor| {
            ask();
            check_later(reactor);
        })
    });
    let old = ASKED.with_borrow_mut(|asked| std::mem::replace(&mut asked.check, check));
    if let Some(old) = old {
        old.cancel();
    }
}

fn ask() {
    let watch = ASKED.with_borrow_mut(|asked| {
        asked.orphans.retain(|orphan| !orphan.try_reap());
        if asked.orphans.is_empty() { asked.watch.take() } else { None }
    });
    drop(watch);
}

/// An orphan in the care of a reactor.
struct WatchedOrphan {
    pid: u32,
    key: Cell<Option<Key>>,
    /// Between the looks at one that has ended, and that a tracer holds.
    pauses: Cell<Pauses>,
    reactor: Handle,
    /// A reactor that is dropped gives it back.
    _end: EndWatch,
}

impl EventHandler for WatchedOrphan {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let waited = reactor
            .io()
            .with_fd(ready.key, |fd| try_reap(sys::Child::Fd(fd, self.pid), &mut None, i64::MAX));
        if !matches!(waited, Some(Ok(Waited::Running))) {
            reactor.io().close(ready.key);
            return;
        }
        // Its pidfd stays readable: it is watched again after a pause.
        let mut pauses = self.pauses.get();
        let after = pauses.next();
        self.pauses.set(pauses);
        if reactor.io().set_interest(ready.key, Interest::PAUSED).is_ok() {
            let _timer = reactor.call_later(after, move |reactor| {
                // It may be gone; the poller had room for it.
                reactor.io().set_interest(ready.key, Interest::READABLE).ok();
            });
        }
    }
}

impl OnEnd for WatchedOrphan {
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        if let Some(key) = self.key.take() {
            let pidfd = self.reactor.io().take_fd(key);
            orphans::abandon(self.pid, pidfd);
        }
    }
}
