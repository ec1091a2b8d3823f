//! The discarding of outputs while a child is waited for.

use std::collections::BTreeMap;
use std::mem;

use procession_protocol::{ChildFd, Process};

use super::output::ChildOutput;
use super::shared::SharedState;

/// The outputs that were not taken. What comes above the limit is discarded until the drop: a program that
/// stopped waiting may read again.
#[must_use]
pub(super) struct DiscardGuard<'a> {
    shared: &'a SharedState,
    outputs: &'a BTreeMap<ChildFd, ChildOutput>,
}

impl<'a> DiscardGuard<'a> {
    pub(super) fn begin(
        process: &Process,
        shared: &'a SharedState,
        outputs: &'a BTreeMap<ChildFd, ChildOutput>,
    ) -> Self {
        let guard = Self { shared, outputs };
        for fd in outputs.keys() {
            let paused = shared.0.with(|state| {
                let output = state.outputs.entry(*fd).or_default();
                output.discarding = true;
                mem::take(&mut output.paused)
            });
            if paused {
                process.resume(*fd);
            }
        }
        guard
    }
}

impl Drop for DiscardGuard<'_> {
    fn drop(&mut self) {
        self.shared.0.with(|state| {
            for fd in self.outputs.keys() {
                state.outputs.entry(*fd).or_default().discarding = false;
            }
        });
    }
}
