//! A source that reads a pipe or a socket, and checks of descriptors.

use std::cell::{Cell, RefCell};
use std::io::{self, PipeReader, PipeWriter, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::rc::{Rc, Weak};

use procession_core::driver::{Direction, WithCell};
use procession_reactor::driver::{
    EndWatch, EventHandler, Forward, Key, OnEnd, Outlasting, Pipe, ReadEvent, Ready, SourcePort,
};
use procession_reactor::{Handle, Reactor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The reading end of a pipe or a socket.
pub(crate) struct KernelSource {
    reactor: Handle,
    pipe: WithCell<Option<Pipe>>,
    pub(crate) watched: Cell<bool>,
    pub(crate) read_to_end: Cell<bool>,
    /// A read error fails the forward instead of ending the source.
    pub(crate) can_fail: Cell<bool>,
    /// After the close: whether the source had ended.
    pub(crate) ended: Cell<Option<bool>>,
    forward: RefCell<Option<Rc<Forward>>>,
    /// Releases the forward when the reactor is dropped.
    _end: EndWatch,
}

impl KernelSource {
    pub(crate) fn open(reactor: &Reactor, fd: impl Into<OwnedFd>) -> Rc<Self> {
        let source = Rc::new_cyclic(|me: &Weak<Self>| Self {
            _end: reactor.io().watch_end(me.clone()),
            reactor: Handle::clone(reactor),
            pipe: WithCell::new(None),
            watched: Cell::new(true),
            read_to_end: Cell::new(false),
            can_fail: Cell::new(false),
            ended: Cell::new(None),
            forward: RefCell::new(None),
        });
        let pipe = Pipe::open(reactor, nonblocking(fd), Direction::Read, source.clone(), 0);
        source.pipe.replace(Some(pipe.map_err(io::Error::from).expect("it can be opened")));
        source
    }

    /// Returns the forward that reads this source.
    pub(crate) fn forward(&self) -> Rc<Forward> {
        self.forward.borrow().clone().expect("it is forwarded")
    }
}

impl EventHandler for KernelSource {
    fn ready(self: Rc<Self>, reactor: &Handle, ready: Ready) {
        let seen = self.pipe.with(|pipe| Some(pipe.as_mut()?.on_ready(reactor, ready.readiness)));
        let forward = self.forward.borrow().clone();
        if let Some((seen, forward)) = seen.zip(forward)
            && seen.readable
        {
            forward.source_ready();
        }
    }
}

impl OnEnd for KernelSource {
    fn dropped(self: Rc<Self>, _: &mut Vec<Box<dyn Outlasting>>) {
        drop(self.forward.take());
    }
}

impl SourcePort for KernelSource {
    fn key(&self) -> Option<Key> {
        self.pipe.with(|pipe| Some(pipe.as_ref()?.key()))
    }

    fn begin(&self, forward: &Rc<Forward>) -> bool {
        *self.forward.borrow_mut() = Some(forward.clone());
        false
    }

    fn read(&self) -> ReadEvent {
        let read = self.pipe.with(|pipe| Some(pipe.as_mut()?.read(&self.reactor)));
        read.unwrap_or(ReadEvent::End)
    }

    fn watch(&self, watched: bool) {
        self.watched.set(watched);
        self.pipe.with(|pipe| match pipe {
            Some(pipe) if watched => pipe.resume(&self.reactor).expect("there is memory"),
            Some(pipe) => pipe.pause(&self.reactor),
            None => {}
        });
    }

    fn on_read_to_end(&self) {
        self.read_to_end.set(true);
    }

    fn on_read_failed(&self, error: io::Error) -> Option<io::Error> {
        self.can_fail.get().then_some(error)
    }

    fn close_source(&self, ended: bool) {
        self.ended.set(Some(ended));
        drop(self.forward.take());
        drop(self.pipe.take().map(|pipe| pipe.close(&self.reactor)));
    }
}

pub(crate) fn nonblocking(fd: impl Into<OwnedFd>) -> OwnedFd {
    let fd = fd.into();
    rustix::io::ioctl_fionbio(&fd, true).expect("it can be nonblocking");
    fd
}

/// Returns whether a pipe holds at least so many bytes.
pub(crate) fn is_filled(pipe: &PipeReader, bytes: u64) -> bool {
    rustix::io::ioctl_fionread(pipe).expect("it is a pipe") >= bytes
}

/// Writes whole pages until the pipe is full.
pub(crate) fn fill(pipe: &mut PipeWriter) {
    rustix::io::ioctl_fionbio(&*pipe, true).expect("it can be nonblocking");
    let full = loop {
        if let Err(error) = pipe.write(&[b'.'; 4096]) {
            break error;
        }
    };
    assert_eq!(full.kind(), io::ErrorKind::WouldBlock);
}

pub(crate) fn wait_readable(fd: &impl AsFd) {
    wait_for(fd, PollFlags::IN);
}

pub(crate) fn wait_hung_up(fd: &impl AsFd) {
    wait_for(fd, PollFlags::empty());
}

/// Waits without the loop. A hang-up or an error always ends the wait.
fn wait_for(fd: &impl AsFd, flags: PollFlags) {
    let mut fds = [PollFd::new(fd, flags)];
    let ready = poll(&mut fds, Some(&Timespec { tv_sec: 10, tv_nsec: 0 })).expect("it is open");
    assert_eq!(ready, 1, "it does not happen");
}
