//! Chooses how a child gets its descriptors from a shared table (`table`), and what it does with them.

use std::os::fd::AsRawFd;

use super::fd_step::{FdMove, FdStep};
use super::mailbox::Mailbox;
use super::one_thread::has_one_thread;
use super::outcome::PassedFd;
use super::table::{KEPT, Passing, Shared};

impl Passing {
    /// Returns whether these descriptors can be passed by their numbers. The sender then shows whether
    /// the child has left the table, so it must lie above what the child keeps.
    pub(super) fn can_be_by_numbers(passed: &[PassedFd<'_>], mailbox: &Mailbox) -> bool {
        has_one_thread()
            && mailbox.receiver() < KEPT
            && mailbox.sender() >= KEPT
            && passed.iter().all(|one| one.source.as_raw_fd() < KEPT)
    }
}

impl Shared {
    /// Returns the steps of the child. `plan` makes them from where the descriptors are.
    pub(super) fn steps(
        self,
        passed: &[PassedFd<'_>],
        plan: fn(&[FdMove]) -> Vec<FdStep>,
    ) -> Vec<FdStep> {
        if self.passing == Passing::Numbers {
            let moves = passed.iter();
            let moves =
                moves.map(|one| FdMove { source: one.source.as_raw_fd(), target: one.target });
            return plan(&moves.collect::<Vec<_>>());
        }
        // The i-th descriptor arrives on the i-th free number besides the receiver.
        let moves: Vec<FdMove> = passed
            .iter()
            .zip((0..).filter(|number| *number != self.receiver))
            .map(|(one, source)| FdMove { source, target: one.target })
            .collect();
        let mut steps = plan(&moves);
        // Received without close-on-exec.
        steps.retain(|step| !matches!(step, FdStep::Keep { .. }));
        // If each descriptor arrived on its target, only the receiver must be closed: explicitly,
        // because code that shares this table may have cleared its close-on-exec flag.
        if steps.iter().all(|step| matches!(step, FdStep::Close { .. })) {
            let receiver = self.receiver.cast_unsigned();
            steps = vec![FdStep::Close { first: receiver, last: receiver }];
        }
        steps
    }
}
