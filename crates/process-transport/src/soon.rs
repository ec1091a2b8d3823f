//! `spawn_process_soon`: launches that wait, or that are under way on the launch threads.
//!
//! # Model
//!
//! A reactor has one [`SoonLink`] from its first such call to its drop. A launch there is *waiting* for
//! room on the threads or for its turn on this thread, or *under way*. The one who asked waits for it
//! (`asked`) until the result is given, dropped, or cancelled by the end of the loop. A launch that
//! nobody waits for is withdrawn. If it cannot be, because a thread has begun it, its child is killed and
//! reaped when the thread replies. At its end the loop waits for these replies.
//!
//! Nothing is borrowed while a protocol is called or dropped, or a promise is completed.

#[cfg(target_os = "linux")]
#[path = "soon/threads.rs"]
mod threads;
#[cfg(not(target_os = "linux"))]
#[path = "soon/no_threads.rs"]
mod threads;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::mem;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procession_core::driver::{FirstPanic, WithCell};
use procession_core::{Deferred, Failed, Promise};
use procession_protocol::driver::ProcessControl;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::{EndWatch, EventHandler, Machine, OnEnd, Outlasting, Ready};

use self::threads::{LaterLaunch, NotLaunched, Ordered, Threads};
use crate::adopt;
use crate::command::Command;
use crate::error::SpawnError;
use crate::program_end::AtProgramEnd;
use crate::recording;
use crate::spawned::{Spawned, Stopwatch};
use crate::trace;

/// How many launches of one reactor the threads have at most. A reactor that does not read its
/// replies then holds up no other: so many messages find room in its socket.
const MOST_UNDER_WAY: usize = 32;

/// How long the end of a loop waits for the replies, in which a child is on its way to its exec.
const END_WITHIN: Duration = Duration::from_secs(2);

/// How many replies one event takes.
const REPLIES_PER_TURN: usize = 16;

thread_local! {
    /// The link of this thread's reactor.
    static LINK: RefCell<Option<Rc<SoonLink>>> = const { RefCell::new(None) };
}

/// Starts a child without standing still for it.
pub(crate) fn spawn(
    reactor: &Handle,
    protocol: Box<dyn ProcessProtocol>,
    command: Command,
) -> Deferred<Process, SpawnError> {
    if let Err(error) = adopt::refuse_if_gone(reactor, &command) {
        return Deferred::ready(Err(error));
    }
    let protocol = recording::recorded(reactor, &command, protocol);
    let link = SoonLink::of(reactor);
    let stage = match link.prepare(&command) {
        Ok(stage) => stage,
        Err(error) => {
            trace::not_started(&command.program, &error);
            return Deferred::ready(Err(error));
        }
    };
    let (promise, deferred) = Deferred::new();
    let id = new_id();
    let weak = Rc::downgrade(&link);
    promise.on_cancel(move || {
        if let Some(link) = weak.upgrade() {
            link.give_up(id);
        }
    });
    let is_here = matches!(stage, Stage::Here);
    let asked = Some(Asked { protocol, promise });
    let launch = Box::new(SoonLaunch { command, asked, stage });
    link.launches.with(|launches| launches.insert(id, launch));
    if is_here {
        link.launch_here_soon(id);
    } else {
        link.go_on();
    }
    deferred
}

/// Returns a number that is unique in this process.
fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One launch.
struct SoonLaunch {
    command: Command,
    /// `None` once nobody waits for it.
    asked: Option<Asked>,
    stage: Stage,
}

/// The one who asked for a child.
struct Asked {
    protocol: Box<dyn ProcessProtocol>,
    promise: Promise<Process, SpawnError>,
}

enum Stage {
    /// It waits for its turn on this thread.
    Here,
    Waiting(Box<LaterLaunch>),
    UnderWay(Box<LaterLaunch>),
}

/// The launches of one reactor.
struct SoonLink {
    reactor: Handle,
    /// `None` if there are no launch threads.
    threads: Option<Threads>,
    launches: WithCell<BTreeMap<u64, Box<SoonLaunch>>>,
    under_way: Cell<usize>,
    _end: EndWatch,
}

impl SoonLink {
    /// Returns the link of this thread's reactor, and makes it if there is none.
    fn of(reactor: &Handle) -> Rc<Self> {
        let is_usable = |link: &&Rc<Self>| {
            let is_own = link.threads.as_ref().is_none_or(Threads::is_own);
            !link.reactor.is_closed() && is_own
        };
        let known = LINK.with_borrow(|link| link.as_ref().filter(is_usable).cloned());
        if let Some(link) = known {
            return link;
        }
        let link = Rc::new_cyclic(|me: &Weak<Self>| Self {
            reactor: reactor.clone(),
            // Without threads this thread launches.
            threads: Threads::start(new_id()).ok(),
            launches: WithCell::default(),
            under_way: Cell::new(0),
            _end: reactor.io().watch_end(me.clone()),
        });
        if let Some(threads) = &link.threads {
            threads.watch(reactor, link.clone());
        }
        let old = LINK.replace(Some(link.clone()));
        drop(old);
        link
    }

    fn prepare(&self, command: &Command) -> Result<Stage, SpawnError> {
        match &self.threads {
            Some(threads) if threads.are_usable() && threads::can_launch(command) => {
                let end = AtProgramEnd::of_reactor(&self.reactor);
                let later = LaterLaunch::prepare(command, end)?;
                Ok(if later.fits() { Stage::Waiting(Box::new(later)) } else { Stage::Here })
            }
            _ => Ok(Stage::Here),
        }
    }

    /// Has this thread launch in the next turn.
    fn launch_here_soon(self: &Rc<Self>, id: u64) {
        let link = Rc::clone(self);
        self.reactor.call_soon(move |reactor| {
            let Some(launch) = link.remove(id) else { return };
            let SoonLaunch { command, asked: Some(asked), .. } = *launch else { return };
            let spawned = adopt::spawn(reactor, asked.protocol, &command);
            asked.promise.complete(spawned.map(ProcessControl::into_process));
        });
    }

    /// Begins the launches for which there is room.
    fn go_on(self: &Rc<Self>) {
        while let Some((id, ordered)) = self.launches.with(|launches| self.order_next(launches)) {
            match ordered {
                Ordered::UnderWay => self.under_way.set(self.under_way.get() + 1),
                Ordered::NotSent => self.launch_here_soon(id),
                Ordered::Failed(error) => {
                    if let Some(asked) = self.remove(id).and_then(|launch| launch.asked) {
                        drop(asked.protocol);
                        asked.promise.complete(Err(error));
                    }
                }
            }
        }
    }

    /// Orders the next launch, in the order of the calls, if there is room.
    fn order_next(&self, launches: &mut BTreeMap<u64, Box<SoonLaunch>>) -> Option<(u64, Ordered)> {
        let threads = self.threads.as_ref().filter(|_| self.under_way.get() < MOST_UNDER_WAY)?;
        let waits = |launch: &SoonLaunch| matches!(launch.stage, Stage::Waiting(_));
        let (id, launch) = launches.iter_mut().find(|(_, launch)| waits(launch))?;
        let Stage::Waiting(mut later) = mem::replace(&mut launch.stage, Stage::Here) else {
            return None;
        };
        let ordered = threads.order(&mut later, *id);
        if matches!(ordered, Ordered::UnderWay) {
            launch.stage = Stage::UnderWay(later);
        }
        Some((*id, ordered))
    }

    fn remove(&self, id: u64) -> Option<Box<SoonLaunch>> {
        self.launches.with(|launches| launches.remove(&id))
    }

    /// Forgets the one who asked, and withdraws the launch if no thread has begun it.
    fn give_up(self: &Rc<Self>, id: u64) {
        let (asked, is_under_way) = self.launches.with(|launches| match launches.get_mut(&id) {
            Some(launch) => (launch.asked.take(), matches!(launch.stage, Stage::UnderWay(_))),
            None => (None, false),
        });
        let is_withdrawn =
            is_under_way && self.threads.as_ref().is_some_and(|threads| threads.withdraw(id));
        if is_withdrawn {
            self.under_way.set(self.under_way.get() - 1);
        }
        let withdrawn = if is_withdrawn || !is_under_way { self.remove(id) } else { None };
        drop((asked, withdrawn));
    }

    /// Takes one reply, if there is one. Returns whether there was.
    fn take_reply(self: &Rc<Self>) -> bool {
        let Some((reply, fds)) = self.threads.as_ref().and_then(|one| one.receive(&self.reactor))
        else {
            return false;
        };
        let id = reply.id;
        let Some(launch) = self.remove(id) else { return true };
        let SoonLaunch { command, asked, stage: Stage::UnderWay(later) } = *launch else {
            return true;
        };
        self.under_way.set(self.under_way.get() - 1);
        // The threads go on while this child is taken in.
        self.go_on();
        let spawned = later.on_reply(reply, fds).map(Spawned::of);
        if let Ok(spawned) = &spawned {
            trace::started(&command.program, spawned.pid(), spawned.spawned_by());
        }
        match (spawned, asked) {
            (Ok(spawned), Some(Asked { protocol, promise })) => {
                let adopted = adopt::register(&self.reactor, protocol, &command, spawned);
                promise.complete(adopted.map(|transport| {
                    transport.made();
                    transport.into_process()
                }));
            }
            (Ok(spawned), None) => spawned.end_now(),
            (Err(NotLaunched::Failed(error)), Some(Asked { protocol, promise })) => {
                trace::not_started(&command.program, &error);
                recording::not_started(&command, &error);
                drop(protocol);
                promise.complete(Err(error));
            }
            (Err(NotLaunched::LeftHere), asked @ Some(_)) => {
                let launch = Box::new(SoonLaunch { command, asked, stage: Stage::Here });
                self.launches.with(|launches| launches.insert(id, launch));
                self.launch_here_soon(id);
            }
            (Err(_), None) => {}
        }
        true
    }

    /// Cancels every launch, and waits until the threads have none of them any more.
    fn cancel_all(self: &Rc<Self>) {
        let mut panics = FirstPanic::default();
        for id in self.launches.with(|launches| launches.keys().copied().collect::<Vec<_>>()) {
            let asked = self.launches.with(|launches| launches.get_mut(&id)?.asked.take());
            panics.catch(|| self.give_up(id));
            if let Some(Asked { protocol, promise }) = asked {
                panics.catch(|| drop(protocol));
                panics.catch(|| promise.settle(Err(Failed::Cancelled)));
            }
        }
        let waits = Stopwatch::start();
        while self.under_way.get() > 0 {
            let left = END_WITHIN.saturating_sub(waits.now());
            let threads = self.threads.as_ref().filter(|_| !left.is_zero());
            if !threads.is_some_and(|threads| threads.wait(&self.reactor, left)) {
                break;
            }
            panics.catch(|| while self.take_reply() {});
        }
        panics.resume();
    }
}

impl EventHandler for SoonLink {
    fn ready(self: Rc<Self>, _: &Handle, _: Ready) {
        for _ in 0..REPLIES_PER_TURN {
            // A launch that is under way has not replied yet, or its reply is there.
            if !self.take_reply() || self.under_way.get() == 0 {
                break;
            }
        }
    }
}

impl OnEnd for SoonLink {
    fn stopped(self: Rc<Self>) {
        self.cancel_all();
    }

    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        // A forked copy has no part in what its parent has under way.
        let is_own = self.threads.as_ref().is_some_and(Threads::is_own);
        if !self.reactor.io().is_inherited() && is_own {
            self.cancel_all();
        }
        let left = self.launches.take();
        if let Some(threads) = &self.threads {
            threads.close(&self.reactor);
        }
        let link = LINK.try_with(RefCell::take);
        drop((left, link));
    }
}
