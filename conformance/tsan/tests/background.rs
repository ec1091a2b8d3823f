//! A background: calls, futures that are dropped, and its end beside its users.

mod util;

use std::thread;

use procession::{Background, BackgroundError, Run};
use util::on_threads;

#[test]
fn calls_of_four_threads_are_answered() {
    let background = Background::start().unwrap();
    on_threads(4, |number| {
        for call in 0..100 {
            let data = vec![number, call];
            let sum = background.call(move |_| async move { vec![data.iter().sum::<usize>()] });
            if call % 3 == 0 {
                drop(sum);
            } else {
                assert_eq!(sum.wait().unwrap(), [number + call]);
            }
        }
    });
}

#[test]
fn a_background_ends_beside_its_users() {
    for _ in 0..30 {
        let background = Background::start().unwrap();
        let user = background.clone();
        let user = thread::spawn(move || {
            loop {
                match user.call(|_| async { vec![1] }).wait() {
                    Ok(one) => assert_eq!(one, [1]),
                    Err(error) => return matches!(error, BackgroundError::Stopped),
                }
            }
        });
        let waits = background.call(|_| std::future::pending::<()>());
        let stop = background.call(|reactor| async move { reactor.stop() });
        stop.wait().ok(); // the stop may be quicker than the answer
        assert!(matches!(waits.wait(), Err(BackgroundError::Stopped)));
        assert!(user.join().unwrap());
        drop(background);
    }
}

/// Its command cannot be started, so the launch ends before the clone, which the sanitizer refuses.
#[test]
fn runs_that_fail_are_reported_to_their_threads() {
    let background = Background::start().unwrap();
    on_threads(4, |_| {
        for _ in 0..20 {
            let run = Run::new("true").current_dir("a\0b");
            assert!(background.run(run).wait().is_err());
        }
    });
}
