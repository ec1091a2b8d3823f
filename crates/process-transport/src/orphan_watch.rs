//! Reactors that take care of orphans: each live reactor watches the orphans it gets, without
//! callbacks.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Once;
use std::time::Duration;

use procession_core::Signal;
use procession_reactor::driver::{EndWatch, EventHandler, Io, Key, OnEnd, Outlasting, Ready};
use procession_reactor::{DelayedCall, Handle, Interest, Remote, SignalWatch};

use crate::adopted::{self, LookOutcome};
use crate::orphans::{self, Orphan};
use crate::own_children::{KnownEnd, try_reap};
use crate::pauses::{ASK_ANYWAY, Pauses};
use crate::sys::{self, WaitOutcome};
use crate::watchers::{self, ReapListener};

thread_local! {
    /// This thread's reactor, if it watches orphans.
    static ENLISTED: RefCell<Option<Remote>> = const { RefCell::new(None) };
}

/// Makes the reactor watch orphans; later reactors do so from their start.
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
    watchers::watch(ReactorListener(remote));
    take_in(reactor);
}

/// A reactor that is notified of orphans.
struct ReactorListener(Remote);

impl ReapListener for ReactorListener {
    fn is_over(&self) -> bool {
        self.0.is_closed()
    }

    fn notify(&self) {
        self.0.call(take_in);
    }
}

/// Takes every waiting orphan into this reactor, and reaps adopted processes.
fn take_in(reactor: &Handle) {
    let mut waiting = orphans::take_all();
    // Also those of an earlier reactor of this thread.
    waiting.append(&mut POLLED.with_borrow_mut(|polled| std::mem::take(&mut polled.orphans)));
    for orphan in waiting {
        if !orphan.try_reap() {
            watch(reactor, orphan);
        }
    }
    reap_adopted(reactor);
}

/// The delay before another look at numbers that may be children of ours.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Reaps adopted processes that have ended, if the program asked for it.
pub(crate) fn reap_adopted(reactor: &Handle) {
    if adopted::reap() == LookOutcome::Again {
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
    // On failure the pidfd is lost, and with it the means to wait: the child stays a zombie until
    // this process ends.
    watched.key.set(reactor.io().add_source(pidfd, Interest::READABLE, watched.clone(), 0).ok());
}

/// The orphans without pidfds of this thread's reactor, and the watches for their exits.
#[derive(Default)]
struct PolledOrphans {
    orphans: Vec<Orphan>,
    watch: Option<SignalWatch>,
    /// The next slow check.
    check: Option<DelayedCall>,
}

thread_local! {
    static POLLED: RefCell<PolledOrphans> = RefCell::default();
}

/// Watches an orphan without a pidfd: polls it at every SIGCHLD, and at slow intervals.
fn ask_at_signals(reactor: &Handle, orphan: Orphan) {
    POLLED.with_borrow_mut(|polled| polled.orphans.push(orphan));
    // Without a watch it is polled when the next reactor starts or the next orphan comes.
    let watch = reactor.on_signal(Signal::CHLD, |_| ask()).ok();
    let old = POLLED.with_borrow_mut(|polled| std::mem::replace(&mut polled.watch, watch));
    drop(old);
    ask(); // the orphan may have ended before the watch
    check_later(reactor);
}

/// Schedules the slow check, because other code may block SIGCHLD or replace its handler.
fn check_later(reactor: &Handle) {
    let check = POLLED.with_borrow(|polled| !polled.orphans.is_empty()).then(|| {
        reactor.call_later(ASK_ANYWAY, |reactor| {
            ask();
            check_later(reactor);
        })
    });
    let old = POLLED.with_borrow_mut(|polled| std::mem::replace(&mut polled.check, check));
    if let Some(old) = old {
        old.cancel();
    }
}

fn ask() {
    let watch = POLLED.with_borrow_mut(|polled| {
        polled.orphans.retain(|orphan| !orphan.try_reap());
        if polled.orphans.is_empty() { polled.watch.take() } else { None }
    });
    drop(watch);
}

/// An orphan that a reactor watches.
struct WatchedOrphan {
    pid: u32,
    key: Cell<Option<Key>>,
    /// The pauses between looks at an orphan that has ended and that a tracer holds.
    pauses: Cell<Pauses>,
    reactor: Handle,
    /// A reactor that is dropped gives it back.
    _end: EndWatch,
}

impl EventHandler for WatchedOrphan {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let known = KnownEnd::seen(true);
        let waited = reactor.io().with_owned(ready.key, |fd| {
            try_reap(sys::ChildId::Fd(fd, self.pid), &mut None, known, i64::MAX)
        });
        if !matches!(waited, Some(Ok(WaitOutcome::Running))) {
            reactor.io().close(ready.key);
            return;
        }
        // Its pidfd stays readable, so it is watched again only after a pause.
        let mut pauses = self.pauses.get();
        let after = pauses.next();
        self.pauses.set(pauses);
        if reactor.io().set_interest(ready.key, Interest::PAUSED).is_ok() {
            let _timer = reactor.call_later(after, move |reactor| {
                // The orphan may be gone. The poller had room for it.
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
