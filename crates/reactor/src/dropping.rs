//! The end of a reactor: all that it owns is told, closed and dropped, in this order; then what was
//! begun to end outside of the program is waited for.
//!
//! A forked copy shares the epoll instance with the process that made the reactor. So it lets go of its
//! number for that first: what leaves the poller here stays in the original's.
//!
//! Foreign code runs in between and may panic: the rest is dropped all the same, and the first
//! panic goes on afterwards.

use std::os::fd::AsFd;

use procession_core::driver::FirstPanic;

use crate::ending;
use crate::handle::{Core, Handle, MadeIn, signals};
use crate::store::buffers::Buffers;
use crate::sys::polled;

/// Ends the reactor; `last` runs when nothing foreign is left.
pub(crate) fn reactor(handle: &Handle, last: impl FnOnce()) {
    let core = &handle.core;
    let mut panic = FirstPanic::default();
    core.state.closed.set(true);
    let state = &core.state;
    state.made_in.set(state.made_in.get().look());
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
            // It fails where the copy has closed one of the two, and has nothing to leave then.
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
