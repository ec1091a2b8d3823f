//! One value from a thread to another one, and the hooks and wakers around it.

mod util;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use procession::driver::core::Answer;

#[test]
fn values_their_drops_and_the_hook_pass_between_threads() {
    let hooked = Arc::<AtomicUsize>::default();
    let mut dropped = 0;
    for round in 0..500 {
        let (reply, answer) = Answer::new();
        let hook = Arc::clone(&hooked);
        let sender = thread::spawn(move || {
            reply.on_drop(move || {
                hook.fetch_add(1, SeqCst);
            });
            reply.send(vec![round; 3]).is_ok()
        });
        if round % 2 == 0 {
            assert_eq!(answer.wait().unwrap(), [round; 3]);
            assert!(sender.join().unwrap());
        } else {
            drop(answer);
            dropped += usize::from(!sender.join().unwrap());
        }
    }
    assert_eq!(hooked.load(SeqCst), dropped);
}
