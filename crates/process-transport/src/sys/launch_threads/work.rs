//! One launch on a launch thread: makes the descriptors, starts the child, sends the message.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use procession_core::Signal;
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::Errno;

use super::identity::ThreadIdentity;
use super::job::{LaunchJob, LaunchedThere, Reply, ThreadError, WantedSource};
use super::mail::MailSender;
use crate::sys::launch::discard;
use crate::sys::outcome::{Cloned, PassedFd};
use crate::sys::paths::launch_on_best;
use crate::sys::platform::{above_stdio, pipe_above_stdio, socketpair};
use crate::sys::{signal, wait};

/// Launches a child and replies.
pub(super) fn work(
    job: LaunchJob,
    given: io::Result<Vec<OwnedFd>>,
    has_own_table: bool,
    askers: &BTreeMap<u64, MailSender>,
) {
    let launched =
        given.map_err(ThreadError::Mail).and_then(|given| launch(&job, &given, has_own_table));
    let LaunchJob { id, request, leads_group, replies, .. } = job;
    let Some(socket) = askers.get(&replies.asker) else {
        if let Ok((child, _)) = launched {
            end(child, leads_group);
        }
        return;
    };
    let (child, ends) = match launched {
        Ok(launched) => launched,
        Err(error) => {
            replies.put(Reply { id, request, result: Err(error) });
            // It fails if the asker is gone.
            socket.send(id, &[]).ok();
            return;
        }
    };
    let Cloned { pid, place, pidfd, path } = child;
    let has_pidfd = pidfd.is_some();
    let parent_peak_kib = wait::own_peak_kib();
    let there = LaunchedThere { pid, place, has_pidfd, path, parent_peak_kib };
    replies.put(Reply { id, request, result: Ok(there) });
    let fds: Vec<BorrowedFd<'_>> =
        pidfd.iter().map(AsFd::as_fd).chain(ends.iter().map(AsFd::as_fd)).collect();
    let Err(error) = socket.send(id, &fds) else { return };
    drop(fds);
    let Some(Reply { request, result, .. }) = replies.take(id) else { return };
    let Ok(LaunchedThere { place, .. }) = result else { return };
    end(Cloned { pid, place, pidfd, path }, leads_group);
    if error != Errno::PIPE {
        let error = ThreadError::Mail(error.into());
        replies.put(Reply { id, request, result: Err(error) });
        socket.send(id, &[]).ok(); // as above
    }
}

/// Makes the descriptors and the child. On return the child's descriptors are closed here.
fn launch(
    job: &LaunchJob,
    given: &[OwnedFd],
    has_own_table: bool,
) -> Result<(Cloned, Vec<OwnedFd>), ThreadError> {
    if given.len() < job.given() {
        return Err(ThreadError::Mail(Errno::MFILE.into()));
    }
    if ThreadIdentity::of_this_thread().as_ref() != Some(&job.identity) {
        return Err(ThreadError::OtherIdentity);
    }
    let mut ends = Vec::new();
    let mut made: BTreeMap<i32, OwnedFd> = BTreeMap::new();
    for one in &job.wanted {
        let fd =
            make(one.source, &mut ends).map_err(|error| ThreadError::Make(one.target, error))?;
        made.extend(fd.map(|fd| (one.target, fd)));
    }
    let mut passed = Vec::with_capacity(job.wanted.len());
    for one in &job.wanted {
        let source = match one.source {
            WantedSource::Given(index) => given.get(index),
            WantedSource::SameAs(other) => made.get(&other),
            _ => made.get(&one.target),
        };
        let source = source.ok_or_else(|| ThreadError::Make(one.target, Errno::BADF.into()))?;
        passed.push(PassedFd {
            source: source.as_fd(),
            target: one.target,
            until_exec: one.until_exec,
        });
    }
    let launched = launch_on_best(&job.request, job.path, &passed, job.plan, has_own_table);
    Ok((launched.map_err(ThreadError::Launch)?, ends))
}

/// Makes one descriptor of the child, and the parent's end of it, which is non-blocking.
fn make(source: WantedSource, ends: &mut Vec<OwnedFd>) -> io::Result<Option<OwnedFd>> {
    let (theirs, ours, access) = match source {
        WantedSource::Given(_) | WantedSource::SameAs(_) => return Ok(None),
        WantedSource::Null => {
            let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOCTTY;
            return Ok(Some(above_stdio(open(c"/dev/null", flags, Mode::empty())?)?));
        }
        WantedSource::ToChild => {
            let (read, write) = pipe_above_stdio()?;
            (read, write, OFlags::WRONLY)
        }
        WantedSource::FromChild => {
            let (read, write) = pipe_above_stdio()?;
            (write, read, OFlags::RDONLY)
        }
        WantedSource::Socketpair => {
            let (ours, theirs) = socketpair()?;
            (above_stdio(theirs)?, above_stdio(ours)?, OFlags::RDWR)
        }
    };
    fcntl_setfl(&ours, access | OFlags::NONBLOCK)?;
    ends.push(ours);
    Ok(Some(theirs))
}

/// Ends a child that nobody waits for, with the group that it leads.
fn end(child: Cloned, leads_group: bool) {
    if leads_group {
        signal::send_to_group_number(child.pid, Signal::KILL).ok(); // the group may have ended
    }
    discard(child);
}
