//! A launch by a launch thread: what the thread gets, and what its reply makes of it.

use std::mem;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use procession_core::driver::Direction;
use procession_protocol::ChildFd;

use super::ends::{Making, ParentEnd};
use super::prepare::{Prepared, prepare_for};
use super::route::{Launched, born, failed, joined};
use crate::command::Command;
use crate::error::{SpawnError, Step};
use crate::fd_plan;
use crate::orphans;
use crate::own_children::{self, RunningLaunch};
use crate::program_end::AtProgramEnd;
use crate::sys::launch_threads::{
    LaunchJob, MOST_FDS, Pool, Replies, Reply, ThreadError, ThreadIdentity, WantedSource,
};
use crate::sys::{self, Cloned, LaunchError};

/// A child that a launch thread launches, or will.
pub(crate) struct LaterLaunch {
    /// Without its request while the thread has that.
    prepared: Prepared,
    /// `Some` from the order on.
    launching: Option<RunningLaunch>,
}

/// Why the order cannot be given.
pub(crate) enum NotGiven {
    /// The launch would fail here, too.
    Failed(SpawnError),
    /// The descriptors cannot be sent, or a launch thread is no stand-in for this one.
    NotSent,
}

/// Why a reply has no child.
pub(crate) enum NotLaunched {
    Failed(SpawnError),
    /// This thread must launch it.
    LeftHere,
}

impl From<SpawnError> for NotLaunched {
    fn from(error: SpawnError) -> Self {
        Self::Failed(error)
    }
}

impl LaterLaunch {
    /// Does all that comes before the launch, as `prepare` does.
    pub(crate) fn prepare(command: &Command, end: AtProgramEnd) -> Result<Self, SpawnError> {
        let mut prepared = prepare_for(command, end, Making::Later)?;
        if prepared.request.inherit_signals {
            prepared.request.callers_mask = sys::inherited_mask();
        }
        Ok(Self { prepared, launching: None })
    }

    /// Returns whether one message carries its descriptors, and the pidfd.
    pub(crate) fn fits(&self) -> bool {
        self.prepared.ends.passed_count() < MOST_FDS
    }

    /// Gives the order to the launch threads.
    pub(crate) fn order(
        &mut self,
        pool: &Pool,
        id: u64,
        replies: &Arc<Replies>,
    ) -> Result<(), NotGiven> {
        let Some(identity) = ThreadIdentity::of_this_thread() else {
            return Err(NotGiven::NotSent);
        };
        let request = mem::take(&mut self.prepared.request);
        self.launching = Some(own_children::launching(joined(request.group)));
        let (wanted, given) = self.prepared.ends.wanted();
        let job = LaunchJob {
            id,
            request,
            path: self.prepared.path,
            wanted,
            leads_group: self.prepared.policy.leads_group,
            identity,
            plan: fd_plan::steps_for,
            replies: Arc::clone(replies),
        };
        let Err((errno, job)) = pool.launch(Box::new(job), &given) else { return Ok(()) };
        drop(given);
        self.launching = None;
        if let Some(job) = job {
            self.prepared.request = job.request;
        }
        if errno == rustix::io::Errno::BADF {
            let error = LaunchError::Child(Step::FdMap, libc::EBADF);
            return Err(NotGiven::Failed(failed(&self.prepared, error)));
        }
        Err(NotGiven::NotSent)
    }

    /// Makes the child, or the error, of a reply and the descriptors that came with it.
    pub(crate) fn on_reply(self, reply: Reply, fds: Vec<OwnedFd>) -> Result<Launched, NotLaunched> {
        let Self { mut prepared, launching } = self;
        prepared.request = reply.request;
        if let Err(ThreadError::OtherIdentity) = reply.result {
            return Err(NotLaunched::LeftHere);
        }
        let there = reply.result.map_err(|error| match error {
            ThreadError::OtherIdentity => SpawnError::invalid("thread", "it is another one"),
            ThreadError::Launch(error) => failed(&prepared, error),
            ThreadError::Make(target, error) => prepared.ends.not_made(target.into(), error),
            ThreadError::Mail(error) => SpawnError::new(Step::Register, &prepared.program, error),
        })?;
        let launching = launching.unwrap_or_else(|| own_children::launching(None));
        let (wanted, _) = prepared.ends.wanted();
        let mut fds = fds.into_iter();
        let pidfd = if there.has_pidfd { fds.next() } else { None };
        let mut ends = Vec::new();
        let mut missing = (there.has_pidfd && pidfd.is_none()).then(|| prepared.program.clone());
        for one in wanted.iter().filter(|one| one.source.has_parent_end()) {
            let fd = ChildFd::from(one.target);
            match fds.next() {
                Some(end) => ends.push(ParentEnd::nonblocking(fd, end, direction(one.source))),
                None => missing = missing.or_else(|| Some(format!("child fd {fd}").into())),
            }
        }
        if let Some(what) = missing {
            // The limit leaves no numbers.
            drop(there.place);
            orphans::end_now(there.pid, pidfd, prepared.policy.leads_group);
            return Err(SpawnError::os(Step::Pipe, what, libc::EMFILE).into());
        }
        if let Some(place) = &there.place {
            place.settle(there.pid, pidfd.as_ref().map(AsFd::as_fd));
        }
        prepared.ends.add_made(ends);
        let child = Cloned { pid: there.pid, place: there.place, pidfd, path: there.path };
        Ok(born(prepared, launching, child, there.parent_peak_kib))
    }
}

fn direction(source: WantedSource) -> Direction {
    match source {
        WantedSource::ToChild => Direction::Write,
        WantedSource::FromChild => Direction::Read,
        _ => Direction::Both,
    }
}
