//! The end of a child whose handle was dropped.

use procession_process_transport::Spawned;
use procession_process_transport::driver::LoopSpawned;
use tokio::runtime::Handle;

use crate::exit_watch::{ExitWatch, Pauses};

/// Kills a child that is killed on drop, and has it reaped.
pub(super) fn let_go(mut spawned: Spawned) {
    if spawned.end_reason().is_some() {
        return;
    }
    spawned.kill_before_drop();
    if !matches!(spawned.try_wait(), Ok(None)) {
        return;
    }
    // Without a runtime it becomes an orphan, and also if the runtime ends before the task.
    if let Ok(runtime) = Handle::try_current() {
        drop(runtime.spawn(reap(spawned)));
    }
}

/// Waits for the end of a child that was dropped.
async fn reap(mut spawned: Spawned) {
    let (mut exit, mut pauses) = (ExitWatch::default(), Pauses::default());
    while matches!(spawned.try_wait(), Ok(None)) {
        if exit.wait(&spawned, &mut pauses).await.is_err() {
            return; // then it becomes an orphan
        }
    }
}
