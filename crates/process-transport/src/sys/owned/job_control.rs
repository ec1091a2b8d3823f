//! Stopping the owned groups with the program, and continuing them: the terminal reaches the program's
//! own group alone. Called by the loop, in no handler.
//!
//! Groups whose launch is under way are left out: on the paths that share memory a child that stops
//! before its exec would hold up the thread that waits for it, and with that the stop of the program.

use super::member::Member;
use super::platform;
use super::table::{Page, Slot};

/// Stops the owned groups that run. One whose leader is stopped already is somebody else's to continue.
pub(super) fn stop_groups() {
    pass(|slot, child| {
        if !platform::is_stopped(child) && platform::to_group(child, libc::SIGSTOP) {
            slot.on_stopped();
        }
    });
}

/// Continues those that [`stop_groups`] has stopped.
pub(super) fn continue_groups() {
    pass(|slot, child| {
        if slot.is_continued_now() {
            platform::to_group(child, libc::SIGCONT);
        }
    });
}

/// With every leader of a group that is not reaped.
fn pass(call: impl Fn(&Slot, Member)) {
    let Some(table) = Page::own() else { return };
    table.begin_pass();
    for slot in table.slots() {
        if let Some(child) = slot.running().filter(|child| child.leads_group) {
            call(slot, child);
        }
    }
    table.end_act();
}
