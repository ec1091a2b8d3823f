//! Runs a test on every kind of executor, and checks that nothing is left of its background.

use std::fs;
use std::future::Future;
use std::thread;
use std::time::Duration;

use futures_lite::future::block_on;
use procession_test_support::{Leaks, WATCHDOG, bound, isolated, open_fds};
use procession_utils::{Background, Run};

/// What awaits the results of a background.
#[derive(Debug, Clone, Copy)]
enum Executor {
    TokioCurrentThread,
    TokioMultiThread,
    Smol,
    PlainThreads,
}

const ALL: [Executor; 4] = [
    Executor::TokioCurrentThread,
    Executor::TokioMultiThread,
    Executor::Smol,
    Executor::PlainThreads,
];

impl Executor {
    fn run(self, future: impl Future<Output = ()> + Send + 'static) {
        match self {
            Self::TokioCurrentThread => {
                let runtime = tokio::runtime::Builder::new_current_thread().build();
                let runtime = runtime.expect("a runtime");
                runtime.block_on(runtime.spawn(future)).expect("no panic");
            }
            Self::TokioMultiThread => {
                let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build();
                let runtime = runtime.expect("a runtime");
                runtime.block_on(runtime.spawn(future)).expect("no panic");
            }
            Self::Smol => {
                let executor = async_executor::Executor::new();
                block_on(executor.run(executor.spawn(future)));
            }
            Self::PlainThreads => thread::spawn(|| block_on(future)).join().expect("no panic"),
        }
    }
}

/// Runs `case` on every executor, in a process of its own, and checks after each that no thread, no
/// child and no descriptor is left.
pub(crate) fn check_on_every_executor<F>(name: &str, case: impl Fn(Background) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    isolated(name, || {
        // What the first spawn of a process opens stays open, and so do the sockets of the launch
        // threads, which start when many runs wait.
        let alone = threads();
        let first = Background::start().expect("a background");
        let many: Vec<_> = (0..64).map(|_| first.run(Run::new("true"))).collect();
        for one in many {
            one.wait().expect("it is there");
        }
        drop(first);
        until("the first one's thread is gone", || threads() == alone);
        for executor in ALL {
            let before = Left::now();
            executor.run(case(Background::start().expect("a background")));
            before.assert_no_more(executor);
        }
    });
}

/// The threads and descriptors of this process.
pub(crate) struct Left {
    threads: usize,
    leaks: Leaks,
}

impl Left {
    pub(crate) fn now() -> Self {
        Self { threads: threads(), leaks: Leaks::baseline() }
    }

    /// Checks that there are no more, and no child.
    pub(crate) fn assert_no_more(self, of: impl std::fmt::Debug) {
        assert_eq!(procession_test_support::children(), [], "{of:?}");
        // The kernel removes a thread a moment after it was joined.
        until(&format!("no thread is left: {of:?}"), || threads() == self.threads);
        self.leaks.assert_no_fds();
        drop(open_fds());
    }
}

/// Returns how many threads this process has, without the launch threads, which never end.
fn threads() -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("/proc is mounted");
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).ok();
    let names = tasks.filter_map(|task| name(task.ok()?));
    names.filter(|name| !name.starts_with("procession-laun")).count()
}

/// Waits for what no event reports, such as the state of a process in /proc.
pub(crate) fn until(what: &str, mut done: impl FnMut() -> bool) {
    const PAUSE: Duration = Duration::from_millis(2);
    let most = bound(WATCHDOG).as_millis() / PAUSE.as_millis();
    for _ in 0..most {
        if done() {
            return;
        }
        thread::park_timeout(PAUSE);
    }
    panic!("not in time: {what}");
}
