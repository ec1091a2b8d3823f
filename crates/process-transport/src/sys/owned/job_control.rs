//! Stops the owned groups with the program, and continues them, because the terminal reaches only
//! the program's own group. The loop calls this; no handler does.
//!
//! Groups whose launch is running are left out: on the paths that share memory, a child that stops
//! before its exec would block the thread that waits for it, and so the stop of the program.

use super::member::Member;
use super::platform;
use super::slot::PlaceSlot;
use super::table::TablePage;

/// Stops the owned groups that run. If a leader is already stopped, whoever stopped it continues
/// it.
pub(super) fn stop_groups() {
    pass(|slot, child| {
        if !platform::is_stopped(child) && platform::to_group(child, libc::SIGSTOP) {
            slot.on_stopped();
        }
    });
}

/// Continues the groups that [`stop_groups`] has stopped.
pub(super) fn continue_groups() {
    pass(|slot, child| {
        if slot.take_stopped_mark() {
            platform::to_group(child, libc::SIGCONT);
        }
    });
}

/// Calls with every group leader that is not reaped.
fn pass(call: impl Fn(&PlaceSlot, Member)) {
    let Some(table) = TablePage::own() else { return };
    table.acts.begin_pass();
    for slot in table.slots() {
        if let Some(child) = slot.running().filter(|child| child.leads_group) {
            call(slot, child);
        }
    }
    table.acts.end();
}
