//! What the poller would see of a descriptor now, asked without the loop.

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::handle::Handle;
use crate::sources::Key;

/// Returns whether nobody holds the other side of a source any more, to write to it or to read it.
pub fn has_ended(reactor: &Handle, key: Key) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let half = PollFlags::RDHUP;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let half = PollFlags::empty();
    seen_now(reactor, key, half).intersects(PollFlags::HUP | PollFlags::ERR | half)
}

/// Returns whether a read of a source would give something, be it the end.
pub fn is_readable(reactor: &Handle, key: Key) -> bool {
    let any = PollFlags::IN | PollFlags::HUP | PollFlags::ERR;
    seen_now(reactor, key, PollFlags::IN).intersects(any)
}

fn seen_now(reactor: &Handle, key: Key, asked: PollFlags) -> PollFlags {
    let seen = reactor.with_fd(key, |fd| {
        let mut fds = [PollFd::from_borrowed_fd(fd, asked)];
        // It fails for lack of memory: nothing is seen then.
        poll(&mut fds, Some(&Timespec::default())).ok();
        fds[0].revents()
    });
    seen.unwrap_or(PollFlags::empty())
}
