//! The end of a reactor: all that it owns is told, closed and dropped, in this order; then what was
//! begun to end outside of the program is waited for.
//!
//! A forked copy shares the epoll instance with the process that made the reactor. So it lets go of its
//! number for that first: what leaves the poller here stays in the original's.
//!
//! Foreign code runs in between and may panic: the rest is dropped all the same, and the first
//! panic goes on afterwards.

use std::collections::HashSet;
use std::os::fd::AsFd;
use std::rc::Rc;

use crate::buffers::Buffers;
use crate::core::{Core, Made};
use crate::handle::Handle;
use crate::outlasting;
use crate::sys::polled;
use procession_core::driver::FirstPanic;

/// Ends the reactor; `last` runs when nothing foreign is left.
pub(crate) fn reactor(handle: &Handle, last: impl FnOnce()) {
    let core = &handle.core;
    let mut panic = FirstPanic::default();
    core.closed.set(true);
    core.made.set(core.made.get().look());
    if core.made.get() == Made::Elsewhere {
        disown_poller(core);
    }
    tell_handlers(handle, &mut panic);
    close_sources(handle, &mut panic);
    panic.catch(|| handle.end_signals());
    let claims = core.claims.take();
    panic.catch(|| drop(claims));
    while let Some(call) = core.timers.with(|timers| timers.cancel_one()) {
        panic.catch(|| drop(call));
    }
    for call in core.soon.with(std::mem::take) {
        panic.catch(|| drop(call));
    }
    for trigger in core.triggers.with(|triggers| triggers.take_all()) {
        panic.catch(|| drop(trigger));
    }
    for job in core.shared.close() {
        panic.catch(|| drop(job));
    }
    while panic.catch(|| core.tasks.drop_one()) != Some(false) {}
    for handler in core.dirty.with(std::mem::take) {
        panic.catch(|| drop(handler));
    }
    let buffers = core.buffers.replace(Buffers::new());
    drop(buffers);
    outlasting::wait_for_all(handle, &mut panic);
    last();
    let poller = core.poller.take();
    drop(poller);
    panic.resume();
}

/// Leaves the poller to the process that made it.
fn disown_poller(core: &Core) {
    let wake = core.shared.wake_fd();
    core.poller.with(|poller| {
        if let (Some(poller), Some(wake)) = (poller, &wake) {
            // It fails where the copy has closed one of the two, and has nothing to leave then.
            polled::disown(poller, wake.as_fd()).ok();
        }
    });
}

/// Once each, while all descriptors are open.
fn tell_handlers(handle: &Handle, panic: &mut FirstPanic) {
    let mut told = HashSet::new();
    for (_, handler) in handle.core.sources.with(|sources| sources.all()) {
        if told.insert(Rc::as_ptr(&handler).cast::<()>()) {
            panic.catch(|| handler.reactor_dropped());
        }
    }
}

fn close_sources(handle: &Handle, panic: &mut FirstPanic) {
    for (key, handler) in handle.core.sources.with(|sources| sources.all()) {
        panic.catch(|| handle.close(key));
        panic.catch(|| drop(handler));
    }
}
