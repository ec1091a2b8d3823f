//! Plays the part of one fake child on a loop.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use procession_core::driver::WithCell;
use procession_protocol::driver::FakeDriver;
use procession_protocol::{ChildFd, FakeFd, FakeProcess, Process, ProcessProtocol};
use procession_reactor::Handle;

use super::script::{FakeStep, Script, ends_by_default};

/// A fake child with its script.
pub(super) struct Player {
    me: Weak<Self>,
    reactor: Handle,
    script: WithCell<Script>,
    /// `None` while it acts, and before its start.
    fake: WithCell<Option<FakeProcess>>,
    /// How many signals it has taken: its own, and those of its group.
    taken: Cell<(usize, usize)>,
    /// A turn of it is queued.
    is_due: Cell<bool>,
    /// A pause of its script is under way.
    pauses: Cell<bool>,
    has_ended: Cell<bool>,
}

impl Player {
    /// Starts a fake child. This calls `connection_made`; the script begins in the next turn of the loop.
    pub(super) fn start(
        reactor: &Handle,
        script: Script,
        fds: Vec<(ChildFd, FakeFd)>,
        protocol: Box<dyn ProcessProtocol>,
        settle: impl FnOnce(&mut FakeProcess),
    ) -> (Rc<Self>, Process) {
        let player = Rc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            reactor: reactor.clone(),
            script: WithCell::new(script),
            fake: WithCell::new(None),
            taken: Cell::new((0, 0)),
            is_due: Cell::new(false),
            pauses: Cell::new(false),
            has_ended: Cell::new(false),
        });
        let me = Rc::downgrade(&player);
        let on_changed = move || {
            if let Some(me) = me.upgrade() {
                me.play_soon();
            }
        };
        let driver =
            FakeDriver { clock: Rc::new(reactor.clone()), on_changed: Box::new(on_changed) };
        let mut fake = FakeProcess::driven(protocol, fds, driver);
        settle(&mut fake);
        let process = fake.process().clone();
        player.fake.replace(Some(fake));
        player.play_soon();
        (player, process)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.get()
    }

    fn play_soon(&self) {
        let me = self.me.clone();
        if !self.is_due.replace(true) {
            self.reactor.call_soon(move |_| {
                if let Some(me) = me.upgrade() {
                    me.is_due.set(false);
                    me.play();
                }
            });
        }
    }

    /// Does everything that is due. A panic of the protocol unwinds, and the fake goes on.
    fn play(&self) {
        let Some(fake) = self.fake.take() else { return };
        let mut fake = PutBack { fake: Some(fake), place: &self.fake };
        let Some(fake) = &mut fake.fake else { return };
        fake.turn();
        while self.act(fake) {}
        self.has_ended.set(fake.is_ended());
    }

    /// Takes a signal, or does a step of the script. Returns false if it waits for something.
    fn act(&self, fake: &mut FakeProcess) -> bool {
        if fake.is_ended() {
            return false;
        }
        let (own, of_group) = self.taken.get();
        let (signals, group_signals) = (fake.signals(), fake.group_signals());
        self.taken.set((signals.len(), group_signals.len()));
        let ignored = self.script.with(|script| script.ignored.clone());
        let mut new = signals[own..].iter().chain(&group_signals[of_group..]);
        if let Some(signal) =
            new.find(|signal| ends_by_default(**signal) && !ignored.contains(signal))
        {
            // Its script is over.
            self.script.with(|script| script.steps.clear());
            fake.exit_by_signal(*signal);
            return true;
        }
        if self.pauses.get() {
            return false;
        }
        let waits = |step: &FakeStep| *step == FakeStep::AwaitInputEnd && !fake.is_closed(0);
        let step = self.script.with(|script| match script.steps.front() {
            Some(step) if !waits(step) => script.steps.pop_front(),
            _ => None,
        });
        let Some(step) = step else { return false };
        match step {
            FakeStep::Write(fd, data) => fake.child_writes(fd, data),
            FakeStep::AwaitInputEnd => {}
            FakeStep::Exit(code) => fake.exit(code),
            FakeStep::ExitBySignal(signal) => fake.exit_by_signal(signal),
            FakeStep::Pause(time) => {
                self.pauses.set(true);
                let me = self.me.clone();
                // It is not cancelled: after its end, the fake does nothing.
                drop(self.reactor.call_later(time, move |_| {
                    if let Some(me) = me.upgrade() {
                        me.pauses.set(false);
                        me.play();
                    }
                }));
            }
        }
        true
    }
}

/// Puts a fake back when it is dropped, also if its protocol panicked.
struct PutBack<'a> {
    fake: Option<FakeProcess>,
    place: &'a WithCell<Option<FakeProcess>>,
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        drop(self.place.replace(self.fake.take()));
    }
}
