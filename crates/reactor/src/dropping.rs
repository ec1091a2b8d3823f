//! The drop of a reactor. It reports the end to everything that it owns, closes it and drops it, in
//! this order. Then it waits for what is still ending outside the program.
//!
//! A forked copy shares the epoll instance with the process that made the reactor. So a copy first
//! replaces its descriptor for the instance. Then sources that leave the poller here stay in the
//! original's poller.
//!
//! Foreign code runs in between and may panic. The rest is dropped nevertheless, and the first
//! panic continues afterwards.

use std::os::fd::AsFd;

use procession_core::driver::FirstPanic;

use crate::ending;
use crate::handle::{Core, Handle, MadeIn, signals};
use crate::store::buffers::Buffers;
use crate::sys::polled;

/// Ends the reactor. Calls `last` after all foreign code has run.
pub(crate) fn reactor(handle: &Handle, last: impl FnOnce()) {
    let core = &handle.core;
    let mut panic = FirstPanic::default();
    core.state.closed.set(true);
    let state = &core.state;
    state.made_in.set(state.made_in.get().compared());
    if state.made_in.get() == MadeIn::Original {
        disown_poller(core);
    }
    let outlasting = ending::reactor_dropped(handle, &mut panic);
    close_sources(handle, &mut panic);
    panic.catch(|| signals::end_all(handle));
    while let Some(call) = core.calls.timers.with(|timers| timers.cancel_one()) {
        panic.catch(|| drop(call));
    }
    for call in core.calls.soon.with(std::mem::take) {
        panic.catch(|| drop(call));
    }
    for trigger in core.triggers.with(|triggers| triggers.take_all()) {
        panic.catch(|| drop(trigger));
    }
    for job in core.shared.close() {
        panic.catch(|| drop(job));
    }
    while panic.catch(|| core.tasks.drop_one()) != Some(false) {}
    for handler in core.io.dirty.with(std::mem::take) {
        panic.catch(|| drop(handler));
    }
    let buffers = core.io.buffers.replace(Buffers::new());
    drop(buffers);
    ending::wait_for_all(handle, outlasting, &mut panic);
    last();
    let poller = core.io.poller.take();
    drop(poller);
    panic.resume();
}

/// Leaves the poller to the process that made it.
fn disown_poller(core: &Core) {
    let wake = core.shared.wake_fd();
    core.io.poller.with(|poller| {
        if let (Some(poller), Some(wake)) = (poller, &wake) {
            // It fails if the copy has closed one of the two. Then there is nothing to leave.
            polled::disown(poller, wake.as_fd()).ok();
        }
    });
}

fn close_sources(handle: &Handle, panic: &mut FirstPanic) {
    for (key, handler) in handle.core.io.sources.with(|sources| sources.all()) {
        panic.catch(|| handle.io().close(key));
        panic.catch(|| drop(handler));
    }
}
