//! Calls the listed transports at the end of the loop. `store/ends.rs` says when.

use std::time::Duration;

use procession_core::driver::FirstPanic;
use procession_core::gather;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handle::Handle;
use crate::stopped::Stopped;
use crate::store::ends::{EndList, Outlasting};
use crate::store::triggers::{Phase, SystemEvent};

/// Stops the transports that were not stopped yet.
pub(crate) fn stop(handle: &Handle) {
    let mut panics = FirstPanic::default();
    for transport in handle.core.ends.with(EndList::stop) {
        panics.catch(|| transport.stopped());
    }
    panics.resume();
}

/// Has the shutdown that begins end what the transports own outside the program, and wait for that.
pub(crate) fn end_owned(handle: &Handle, why: Stopped) {
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |handle| {
        let mut panics = FirstPanic::default();
        let mut ended = Vec::new();
        for transport in handle.core.ends.with(|ends| ends.all()) {
            ended.extend(panics.catch(|| transport.end_owned(why)).flatten());
        }
        panics.resume();
        gather(ended)
    });
}

/// Tells the transports that the reactor is being dropped. Returns what the drop waits for.
pub(crate) fn reactor_dropped(handle: &Handle, panic: &mut FirstPanic) -> Vec<Box<dyn Outlasting>> {
    let mut outlasting = Vec::new();
    for transport in handle.core.ends.with(|ends| ends.all()) {
        panic.catch(|| transport.dropped(&mut outlasting));
    }
    outlasting
}

/// Waits until all of them have ended.
pub(crate) fn wait_for_all(handle: &Handle, all: Vec<Box<dyn Outlasting>>, panic: &mut FirstPanic) {
    let mut all: Vec<WaitedFor> = all.into_iter().map(WaitedFor::new).collect();
    loop {
        let now = handle.now();
        all.retain_mut(|one| one.go_on(now, panic));
        let Some(next) = all.iter().map(|one| one.due).min() else { return };
        wait(&mut all, next.saturating_sub(handle.now()));
    }
}

/// One `Outlasting`, and when to call it next.
struct WaitedFor {
    outlasting: Box<dyn Outlasting>,
    due: Duration,
    is_ready: bool,
}

impl WaitedFor {
    fn new(outlasting: Box<dyn Outlasting>) -> Self {
        Self { outlasting, due: Duration::ZERO, is_ready: false }
    }

    /// Does what is due now. Returns whether it has not ended yet.
    fn go_on(&mut self, now: Duration, panic: &mut FirstPanic) -> bool {
        let is_ready = std::mem::take(&mut self.is_ready);
        if !is_ready && now < self.due {
            return true;
        }
        let due = panic.catch(|| self.outlasting.go_on(now, is_ready)).flatten();
        self.due = due.unwrap_or(now);
        due.is_some()
    }
}

/// Waits until one of them is ready, for `timeout` at most.
fn wait(all: &mut [WaitedFor], timeout: Duration) {
    let ready: Vec<bool> = {
        let fds = all.iter().filter_map(|one| one.outlasting.fd());
        let mut fds: Vec<PollFd<'_>> =
            fds.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
        // A signal cuts the wait short, and an error can only mean a lack of memory. In both cases
        // all are checked again.
        poll(&mut fds, Timespec::try_from(timeout).ok().as_ref()).ok();
        fds.iter().map(|fd| !fd.revents().is_empty()).collect()
    };
    let watched = all.iter_mut().filter(|one| one.outlasting.fd().is_some());
    for (one, is_ready) in watched.zip(ready) {
        one.is_ready = is_ready;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;
    use crate::Reactor;
    use crate::driver::{EndWatch, OnEnd};

    /// Counts its calls, and then runs its closure.
    #[derive(Default)]
    struct FakeTransport {
        stops: Cell<u32>,
        drops: Cell<u32>,
        panics: Cell<bool>,
        then: RefCell<Option<Box<dyn FnOnce()>>>,
    }

    impl OnEnd for FakeTransport {
        fn stopped(self: Rc<Self>) {
            self.stops.set(self.stops.get() + 1);
            let then = self.then.take();
            then.into_iter().for_each(|then| then());
        }

        fn dropped(self: Rc<Self>, outlasting: &mut Vec<Box<dyn Outlasting>>) {
            self.drops.set(self.drops.get() + 1);
            let panics = self.panics.get();
            outlasting.push(Box::new(EndsAtThirdCall { left: 2, of: self }));
            assert!(!panics, "on purpose");
        }
    }

    /// Ends at its third call.
    struct EndsAtThirdCall {
        left: u32,
        of: Rc<FakeTransport>,
    }

    impl Outlasting for EndsAtThirdCall {
        fn go_on(&mut self, now: Duration, is_ready: bool) -> Option<Duration> {
            assert!(!is_ready);
            self.of.drops.set(self.of.drops.get() + 10);
            self.left = self.left.checked_sub(1)?;
            Some(now + Duration::from_millis(1))
        }

        fn fd(&self) -> Option<std::os::fd::BorrowedFd<'_>> {
            None
        }
    }

    fn transport(then: Option<Box<dyn FnOnce()>>) -> Rc<FakeTransport> {
        Rc::new(FakeTransport { then: RefCell::new(then), ..FakeTransport::default() })
    }

    fn watched(reactor: &Handle, one: &Rc<FakeTransport>) -> EndWatch {
        let one: Rc<dyn OnEnd> = one.clone();
        reactor.io().watch_end(Rc::downgrade(&one))
    }

    fn reactor() -> Reactor {
        Reactor::new().unwrap().without_signals()
    }

    fn stop(reactor: &mut Reactor) {
        reactor.call_soon(|reactor| reactor.stop());
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
    }

    #[test]
    fn a_dropped_watch_leaves_the_list() {
        let mut reactor = reactor();
        let transport = transport(None);
        for _ in 0..100 {
            drop(watched(&reactor, &transport));
        }
        assert_eq!(reactor.core.ends.with(|ends| ends.all().len()), 0);
        stop(&mut reactor);
        assert_eq!(transport.stops.get(), 0);
    }

    #[test]
    fn a_run_stops_each_transport_once_after_the_triggers_of_its_phase() {
        let mut reactor = reactor();
        for _ in 0..2 {
            let transport = transport(None);
            let _watch = watched(&reactor, &transport);
            for (phase, times) in [(Phase::Before, 0), (Phase::During, 0), (Phase::After, 1)] {
                let transport = transport.clone();
                reactor.add_system_event_trigger(phase, SystemEvent::Shutdown, move |_| {
                    assert_eq!(transport.stops.get(), times, "{phase:?}");
                });
            }
            stop(&mut reactor);
            assert_eq!(transport.stops.get(), 1);
        }
    }

    /// A transport that starts another one when it is stopped does not make an endless loop.
    #[test]
    fn a_transport_started_at_the_end_is_stopped_by_the_next_run() {
        let mut reactor = reactor();
        type Kept = Rc<RefCell<Vec<(Rc<FakeTransport>, EndWatch)>>>;
        let kept = Kept::default();
        fn begin(reactor: &Handle, kept: &Kept) {
            let (handle, again) = (reactor.clone(), kept.clone());
            let one = transport(Some(Box::new(move || begin(&handle, &again))));
            let watch = watched(reactor, &one);
            kept.borrow_mut().push((one, watch));
        }
        begin(&reactor, &kept);
        for run in 1..=3 {
            stop(&mut reactor);
            let stops: Vec<u32> = kept.borrow().iter().map(|(one, _)| one.stops.get()).collect();
            // Two are stopped in each run: one in the second phase, one in the last.
            assert_eq!(stops, [vec![1; 2 * run], vec![0]].concat());
        }
        let cycles = kept.take();
        drop(reactor);
        drop(cycles);
    }

    #[test]
    fn after_a_panic_the_other_transports_are_still_stopped() {
        let mut reactor = reactor();
        fn fail() {
            panic!("at a stop");
        }
        let panics = || Some(Box::new(fail) as Box<dyn FnOnce()>);
        let all = [panics(), None, panics(), None].map(transport);
        let _watch = all.each_ref().map(|one| watched(&reactor, one));
        reactor.call_soon(|reactor| reactor.stop());
        let panic = catch_unwind(AssertUnwindSafe(|| reactor.run())).unwrap_err();
        assert_eq!(panic.downcast_ref(), Some(&"at a stop"));
        assert!(all.iter().all(|one| one.stops.get() == 1));
        // The next run honours the stop request first, and closes in the same phase.
        let late = transport(None);
        let _late = watched(&reactor, &late);
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(late.stops.get(), 1);
    }

    #[test]
    fn a_dropped_reactor_calls_each_transport_once_and_waits_for_its_outlasting() {
        let reactor = reactor();
        let transports = [transport(None), transport(None)];
        let watches = transports.each_ref().map(|one| watched(&reactor, one));
        transports.iter().for_each(|one| one.panics.set(true));
        catch_unwind(AssertUnwindSafe(|| drop(reactor))).unwrap_err();
        for one in &transports {
            assert_eq!(one.drops.get(), 31, "one call, which panicked, and three calls of `go_on`");
            assert_eq!(one.stops.get(), 0, "a drop is no stop");
        }
        drop(watches);
    }
}
