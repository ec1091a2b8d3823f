//! Programs that start and reap owned children all the time, on two threads, ended at any moment by
//! any of the four signals: nothing of any group lives when the program is gone.
#![cfg(feature = "reactor")]

mod util;

use std::os::unix::process::ExitStatusExt;

use rustix::process::Signal;

use crate::util::{Owner, WAYS};

const SIGNALS: [Signal; 4] = [Signal::INT, Signal::TERM, Signal::HUP, Signal::QUIT];

/// A moment for each program: after so many children, which no clock tells, and then at once.
fn storm(programs: u32) {
    let mut state = 0x9e37_79b9_u32;
    for (number, signal) in (0..programs).zip(SIGNALS.into_iter().cycle()) {
        // Marsaglia's xorshift.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        let way = WAYS[usize::try_from(state % 6).expect("below six")];
        let mut owner = Owner::storm_by(way);
        owner.until_dots(1 + usize::try_from(state % 12).expect("below twelve"));
        for _ in 0..state % 500 {
            std::hint::spin_loop();
        }
        owner.signal(signal);
        let (status, said, took) = owner.end();
        let what = format!("program {number}, {way}: {said}, {took:?}");
        assert_eq!(status.signal(), Some(signal.as_raw()), "{what}");
    }
}

#[test]
fn sixty_programs_ended_at_any_moment_leave_nobody() {
    storm(60);
}

/// The slow tier: `PROCESSION_SLOW=1`.
#[test]
fn a_thousand_programs_ended_at_any_moment_leave_nobody() {
    if std::env::var_os("PROCESSION_SLOW").is_some_and(|value| value == "1") {
        storm(1000);
    }
}
