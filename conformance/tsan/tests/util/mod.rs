//! What the tests share.
#![allow(dead_code, reason = "every test crate has all of this file and uses its own part")]

pub(crate) mod sys;

use std::thread;

/// Calls on so many threads at once, and waits for all.
pub(crate) fn on_threads(count: usize, call: impl Fn(usize) + Sync) {
    thread::scope(|scope| {
        for number in 0..count {
            let call = &call;
            scope.spawn(move || call(number));
        }
    });
}
