//! Runs a test in both flavours of a runtime.
#![allow(dead_code, reason = "every test crate includes all of this and uses a part")]

pub(crate) mod sys;

use std::future::Future;

use procession_test_support::{WATCHDOG, bound, ms};
use procession_tokio::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

/// A shell that runs `script`.
pub(crate) fn sh(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

pub(crate) fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("there is memory")
}

pub(crate) fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("there is memory")
}

/// Runs a test in a runtime of each flavour; in the second one on a worker.
pub(crate) fn on_both<T: Future<Output = ()> + Send + 'static>(test: impl Fn() -> T) {
    current_thread().block_on(within(test()));
    let runtime = multi_thread();
    runtime.block_on(runtime.spawn(within(test()))).expect("the test does not panic");
}

/// Fails if the future takes too long.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    timeout(bound(WATCHDOG), future).await.expect("it ends")
}

/// Drives the runtime until the condition holds.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        sleep(ms(1)).await;
    }
}
