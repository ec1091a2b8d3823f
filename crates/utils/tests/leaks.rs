//! A run leaves nothing behind, however it ends.
#![cfg(feature = "reactor")]

mod util;

use procession_process_transport::Command;
use procession_utils::{get_process_output, get_process_output_and_value};
use util::{behaviour, sh};

/// Case FL-09.
#[test]
fn three_hundred_calls_leave_no_descriptor_and_no_zombie() {
    behaviour("three_hundred_calls_leave_no_descriptor_and_no_zombie", |driver| {
        for _ in 0..10 {
            let good = (0..10).map(|_| get_process_output_and_value(Command::new("cat"), "in"));
            let good: Vec<_> = good.collect();
            let missing = (0..10).map(|_| get_process_output(Command::new("/no/such")));
            let missing: Vec<_> = missing.collect();
            let noisy: Vec<_> = (0..10).map(|_| get_process_output(sh("echo no >&2"))).collect();
            for result in good {
                assert_eq!(driver.get(result).unwrap().0, "in");
            }
            for result in missing.into_iter().chain(noisy) {
                assert!(driver.get(result).is_err());
            }
        }
    });
}
