//! `spawn_process_soon`: launches by the launch threads.
//!
//! # Model
//!
//! A reactor has one [`SoonLink`] from its first such call to its drop. A launch there waits for a launch
//! thread, is under way on one, or waits for its turn on this thread. The one who asked waits for it
//! (`asked`) until the result is given, dropped, or cancelled by the end of the loop. A launch that
//! nobody waits for is withdrawn. If it cannot be, because a thread has begun it, its child is killed and
//! reaped when the thread replies. At its end the loop waits for these replies.
//!
//! Nothing is borrowed while a protocol is called or dropped, or a promise is completed.

mod order;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use procession_core::driver::{FirstPanic, WithCell};
use procession_core::{Deferred, Failed, Promise};
use procession_protocol::driver::ProcessControl;
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::Handle;
use procession_reactor::driver::{EndWatch, Machine, OnEnd, Outlasting};

use self::order::{LaunchOrder, LaunchReply, Outcome, Replies};
use crate::adopt;
use crate::command::Command;
use crate::error::SpawnError;
use crate::program_end::AtProgramEnd;
use crate::recording;
use crate::spawned::{Spawned, Stopwatch};
use crate::sys;
use crate::sys::launch_threads::{Pool, ThreadIdentity, pool};
use crate::trace;

/// How long the end of a loop waits for the replies, in which a child is on its way to its exec.
const END_WITHIN: Duration = Duration::from_secs(2);

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
    let (promise, deferred) = Deferred::new();
    let id = new_id();
    let weak = Rc::downgrade(&link);
    promise.on_cancel(move || {
        if let Some(link) = weak.upgrade() {
            let asked = link.give_up(id);
            drop(asked);
        }
    });
    link.asked.with(|all| all.push_back((id, Asked { protocol, promise })));
    link.begin(id, Box::new(command));
    deferred
}

/// Returns a number that is unique in this process, and larger than those before.
fn new_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The one who asked for a child.
struct Asked {
    protocol: Box<dyn ProcessProtocol>,
    promise: Promise<Process, SpawnError>,
}

/// The launches of one reactor.
struct SoonLink {
    reactor: Handle,
    /// `None` if there are no launch threads. Then this thread launches.
    pool: Option<&'static Pool>,
    replies: Arc<Replies>,
    /// With the numbers of their launches, in the order of these numbers.
    asked: WithCell<VecDeque<(u64, Asked)>>,
    /// How many launches the threads have.
    under_way: Cell<usize>,
    /// A watch hears of one stop. The first launch after that replaces it.
    end: RefCell<EndWatch>,
    was_stopped: Cell<bool>,
}

impl SoonLink {
    /// Returns the link of this thread's reactor, and makes it if there is none.
    fn of(reactor: &Handle) -> Rc<Self> {
        let is_usable = |link: &&Rc<Self>| !link.reactor.is_closed() && !link.is_inherited();
        let known = LINK.with_borrow(|link| link.as_ref().filter(is_usable).cloned());
        if let Some(link) = known {
            link.hear_of_the_next_stop();
            return link;
        }
        let link = Rc::new_cyclic(|me: &Weak<Self>| Self {
            reactor: reactor.clone(),
            pool: pool().ok(),
            replies: Arc::new(Replies::new(reactor.remote(), take_reply)),
            asked: WithCell::default(),
            under_way: Cell::new(0),
            end: RefCell::new(reactor.io().watch_end(me.clone())),
            was_stopped: Cell::new(false),
        });
        let old = LINK.replace(Some(Rc::clone(&link)));
        drop(old);
        link
    }

    fn hear_of_the_next_stop(self: &Rc<Self>) {
        if self.was_stopped.take() {
            let me: Weak<dyn OnEnd> = Rc::<Self>::downgrade(self);
            let old = self.end.replace(self.reactor.io().watch_end(me));
            drop(old);
        }
    }

    /// Returns whether this is a forked copy, and the launch threads are those of its parent.
    fn is_inherited(&self) -> bool {
        self.pool.is_some_and(|pool| !pool.is_own())
    }

    /// Orders a launch, or has this thread launch in the next turn.
    fn begin(self: &Rc<Self>, id: u64, command: Box<Command>) {
        match (self.pool, ThreadIdentity::of_this_thread()) {
            (Some(pool), Some(identity)) => {
                let inherits = command.identity.inherit_signals;
                let mask = if inherits { sys::inherited_mask() } else { None };
                let end = AtProgramEnd::of_reactor(&self.reactor);
                let replies = Arc::clone(&self.replies);
                let order = LaunchOrder { id, command, end, identity, mask, replies };
                self.under_way.set(self.under_way.get() + 1);
                pool.order(id, Box::new(|| order.launch()));
            }
            _ => self.launch_here_soon(id, command),
        }
    }

    fn launch_here_soon(self: &Rc<Self>, id: u64, command: Box<Command>) {
        let link = Rc::clone(self);
        self.reactor.call_soon(move |reactor| {
            let Some(Asked { protocol, promise }) = link.take_asked(id) else { return };
            let spawned = adopt::spawn_recorded(reactor, protocol, &command);
            promise.complete(spawned.map(ProcessControl::into_process));
        });
    }

    fn take_asked(&self, id: u64) -> Option<Asked> {
        self.asked.with(|all| all.remove(index_of(all, id)?)).map(|(_, asked)| asked)
    }

    /// Forgets the one who asked, and withdraws the launch if no thread has begun it.
    #[must_use = "dropping it runs foreign code"]
    fn give_up(&self, id: u64) -> Option<Asked> {
        let asked = self.take_asked(id);
        // In a forked copy, a lock of the pool may be held for ever.
        let pool = self.pool.filter(|pool| pool.is_own());
        if let Some(order) = pool.and_then(|pool| pool.withdraw(id)) {
            self.on_over();
            drop(order);
        }
        asked
    }

    /// Records that the threads have one launch less.
    fn on_over(&self) {
        self.under_way.set(self.under_way.get() - 1);
    }

    fn on_reply(self: &Rc<Self>, reply: LaunchReply) {
        self.on_over();
        let LaunchReply { id, command, outcome } = reply;
        match outcome {
            Outcome::Launched(spawned) => {
                self.on_launched(&command, spawned, self.take_asked(id));
            }
            Outcome::OtherIdentity => {
                if self.asked.with(|all| index_of(all, id).is_some()) {
                    self.launch_here_soon(id, command);
                }
            }
            Outcome::Failed(error) => {
                let Some(Asked { protocol, promise }) = self.take_asked(id) else { return };
                trace::not_started(&command.program, &error);
                recording::not_started(&command, &error);
                drop(protocol);
                promise.complete(Err(error));
            }
            Outcome::Panicked(panic) => {
                drop(self.take_asked(id));
                panic::resume_unwind(panic);
            }
        }
    }

    fn on_launched(&self, command: &Command, spawned: Spawned, asked: Option<Asked>) {
        trace::started(&command.program, spawned.pid(), spawned.spawned_by());
        let Some(Asked { protocol, promise }) = asked else { return spawned.end_now() };
        let adopted = adopt::register(&self.reactor, protocol, command, spawned);
        promise.complete(adopted.map(|transport| {
            transport.made();
            transport.into_process()
        }));
    }

    /// Cancels every launch, and waits until the threads have none of them any more.
    fn cancel_all(self: &Rc<Self>) {
        let mut panics = FirstPanic::default();
        for id in self.asked.with(|all| all.iter().map(|(id, _)| *id).collect::<Vec<_>>()) {
            let asked = panics.catch(|| self.give_up(id)).flatten();
            if let Some(Asked { protocol, promise }) = asked {
                panics.catch(|| drop(protocol));
                panics.catch(|| promise.settle(Err(Failed::Cancelled)));
            }
        }
        let waits = Stopwatch::start();
        while self.under_way.get() > 0 {
            let left = END_WITHIN.saturating_sub(waits.now());
            let Some(reply) = self.replies.wait(left) else { break };
            panics.catch(|| self.on_reply(reply));
        }
        panics.resume();
    }
}

fn index_of(asked: &VecDeque<(u64, Asked)>, id: u64) -> Option<usize> {
    asked.binary_search_by_key(&id, |(id, _)| *id).ok()
}

/// Takes one reply. It is called for each.
fn take_reply(_: &Handle) {
    let link = LINK.with_borrow(Clone::clone);
    if let Some(link) = link
        && let Some(reply) = link.replies.take()
    {
        link.on_reply(reply);
    }
}

impl OnEnd for SoonLink {
    fn stopped(self: Rc<Self>) {
        self.was_stopped.set(true);
        self.cancel_all();
    }

    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        // A forked copy has no part in what its parent has under way.
        if !self.reactor.io().is_inherited() && !self.is_inherited() {
            self.cancel_all();
            self.replies.close().into_iter().for_each(LaunchReply::end_now);
        }
        let asked = self.asked.take();
        let link = LINK.try_with(RefCell::take);
        drop((asked, link));
    }
}
