//! The process groups of a scope on a system without cgroups that the program may use.
//!
//! Each child of the scope leads a group of its own, unless its command puts it into another one;
//! then it is reached alone. A signal goes by the pidfd of a leader, or by a number that is certainly
//! still that of an unreaped child of this program.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use procession_core::Signal;
use procession_protocol::driver::GroupState;

use crate::group::{self, GroupLook};
use crate::own_children;
use crate::sys::{self, PeekOutcome};

/// One child of the scope, and the group that it leads.
#[derive(Debug)]
struct Led {
    pid: u32,
    /// Outside Linux it is no pidfd, and is not kept.
    pidfd: Option<OwnedFd>,
    /// The launch that the child came from, by which it is known until its reap.
    launch: u64,
    leads_group: bool,
}

/// The groups of one scope.
#[derive(Debug, Default)]
pub(super) struct Groups(Mutex<Vec<Led>>);

impl Groups {
    fn lock(&self) -> MutexGuard<'_, Vec<Led>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records a child that was launched.
    pub(super) fn on_born(
        &self,
        pid: u32,
        pidfd: Option<&OwnedFd>,
        launch: u64,
        leads_group: bool,
    ) {
        let pidfd = pidfd.filter(|_| cfg!(target_os = "linux"));
        let pidfd = pidfd.and_then(|pidfd| pidfd.try_clone().ok());
        let mut led = self.lock();
        led.retain(Led::may_live);
        led.push(Led { pid, pidfd, launch, leads_group });
    }

    /// Returns whether a process lives in one of the groups; true if it cannot be known.
    pub(super) fn is_populated(&self) -> bool {
        let mut led = self.lock();
        led.retain(Led::may_live);
        led.iter().any(Led::is_alive)
    }

    /// Sends a signal to each group; returns the first reason why one could not be reached.
    pub(super) fn signal(&self, signal: Signal) -> Result<(), i32> {
        let mut result = Ok(());
        for led in self.lock().iter() {
            match led.signal(signal) {
                Ok(()) | Err(libc::ESRCH) => {}
                Err(errno) => result = result.and(Err(errno)),
            }
        }
        result
    }
}

impl Led {
    fn as_child(&self) -> sys::ChildId<'_> {
        sys::ChildId::of(self.pid, self.pidfd.as_ref())
    }

    /// Returns whether the child is not reaped. Without a pidfd the number may be a later child's.
    fn is_unreaped(&self) -> bool {
        own_children::is_of_launch(self.pid, self.launch)
            && sys::peek(self.as_child()) != PeekOutcome::Lost
    }

    fn may_live(&self) -> bool {
        self.is_unreaped() || self.leads_group && self.signal(Signal::from_raw(0)).is_ok()
    }

    fn is_alive(&self) -> bool {
        let is_unreaped = self.is_unreaped();
        if !self.leads_group {
            return is_unreaped && sys::peek(self.as_child()) == PeekOutcome::Running;
        }
        if !is_unreaped && self.pidfd.is_none() {
            return false; // nothing names the group any more
        }
        let pidfd = self.pidfd.as_ref().map(AsFd::as_fd);
        let mut look = GroupLook::default();
        match group::look(&mut look, self.pid, pidfd, !is_unreaped) {
            GroupState::Empty => false,
            // The kernel, or a filter, does not let a reaped leader's group be named.
            GroupState::Unknown => is_unreaped,
            _ => true,
        }
    }

    fn signal(&self, signal: Signal) -> Result<(), i32> {
        if !self.leads_group {
            return if self.is_unreaped() {
                sys::send(self.as_child(), signal)
            } else {
                Err(libc::ESRCH)
            };
        }
        let by_pidfd = self.pidfd.as_ref().map(|pidfd| sys::send_to_group(pidfd.as_fd(), signal));
        match by_pidfd {
            Some(Err(errno)) if sys::is_refusal(errno) && self.is_unreaped() => {
                group::send_by_number(self.as_child(), signal)
            }
            Some(Err(libc::EINVAL | libc::ENOSYS)) => Err(libc::ESRCH),
            Some(result) => result,
            None if self.is_unreaped() => group::send_by_number(self.as_child(), signal),
            None => Err(libc::ESRCH),
        }
    }
}
