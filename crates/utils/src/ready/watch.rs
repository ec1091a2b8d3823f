//! Watches one start of one program for its readiness.

use std::io;
use std::rc::Rc;

use procession_core::driver::WithCell;
use procession_process_transport::{Command, Fd};
use procession_protocol::ChildFd;
use procession_reactor::{Handle, Interest, JoinHandle, Registration};

use super::how::{Ready, Way};
use super::mark::FileMark;
use super::notify::NotifySocket;
use super::probe::Probe;
use crate::OutputLine;

/// What a watch has found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum News {
    Ready,
    /// The program's own words about its state.
    Status(String),
}

/// The watch of one start, from before the start.
#[derive(Debug)]
pub(crate) struct Watch {
    ready: Ready,
    /// For what is tried again and again.
    probe: Option<Probe>,
    /// Taken when the watch begins.
    socket: WithCell<Option<NotifySocket>>,
}

/// Ends the parts of a watch that run on the loop.
#[derive(Debug, Default)]
#[must_use = "its drop ends the watch"]
pub(crate) struct WatchGuard {
    task: Option<JoinHandle<()>>,
    socket: Option<Registration>,
}

impl Watch {
    /// Prepares a watch, and gives the command what it needs for that.
    pub(crate) fn prepare(ready: &Ready, command: Command) -> io::Result<(Command, Self)> {
        let mut watch = Self { ready: ready.clone(), probe: None, socket: WithCell::new(None) };
        let command = match &ready.0 {
            Way::Line(_) | Way::LineWhere(_) => command,
            Way::Fd(number) => command.child_fd(*number, Fd::from_child()),
            Way::Tcp(addresses) => {
                watch.probe = Some(Probe::Tcp(addresses.clone()));
                command
            }
            Way::Unix(path) => {
                watch.probe = Some(Probe::Unix(path.clone()));
                command
            }
            Way::File(path) => {
                watch.probe = Some(Probe::File(path.clone(), FileMark::of(path)));
                command
            }
            Way::Notify => {
                let socket = NotifySocket::open()?;
                let command = command.env("NOTIFY_SOCKET", socket.variable());
                watch.socket = WithCell::new(Some(socket));
                command
            }
        };
        Ok((command, watch))
    }

    /// Returns a future of whether somebody is ready there before the start; `None` if that needs no
    /// look.
    pub(crate) fn look_before(
        &self,
        reactor: &Handle,
    ) -> Option<impl Future<Output = bool> + use<>> {
        let probe = self.probe.clone().filter(|probe| !matches!(probe, Probe::File(..)))?;
        let reactor = reactor.clone();
        Some(async move { probe.succeeds(&reactor).await })
    }

    /// Begins the watch of a program that has started.
    pub(crate) fn begin(
        &self,
        reactor: &Handle,
        pid: Option<u32>,
        on_news: impl Fn(News) + 'static,
    ) -> io::Result<WatchGuard> {
        let mut guard = WatchGuard::default();
        let on_news = Rc::new(on_news);
        if let (Some(socket), Some(pid)) = (self.socket.take(), pid) {
            let on_news = Rc::clone(&on_news);
            let watch = reactor.register(socket, Interest::READABLE, move |socket, _| {
                while let Some(message) = socket.receive(pid) {
                    if let Some(status) = message.status {
                        on_news(News::Status(status));
                    }
                    if message.is_ready {
                        on_news(News::Ready);
                    }
                }
            });
            guard.socket = Some(watch?);
        }
        if let Some(probe) = self.probe.clone() {
            let succeeds = probe.until_success(reactor.clone());
            guard.task = Some(reactor.spawn_local(async move {
                succeeds.await;
                on_news(News::Ready);
            }));
        }
        Ok(guard)
    }

    /// Returns whether this line shows that the program is ready.
    pub(crate) fn is_shown_by_line(&self, line: &OutputLine) -> bool {
        match &self.ready.0 {
            Way::Line(text) => contains(line, text.as_bytes()),
            Way::LineWhere(matches) => matches(line),
            _ => false,
        }
    }

    /// Returns whether these data show that the program is ready.
    pub(crate) fn is_shown_by_data(&self, fd: ChildFd, data: &[u8]) -> bool {
        matches!(self.ready.0, Way::Fd(number) if number == fd) && data.contains(&b'\n')
    }
}

fn contains(line: &[u8], text: &[u8]) -> bool {
    text.is_empty() || line.windows(text.len()).any(|part| part == text)
}

impl Drop for WatchGuard {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.cancel();
        }
        if let Some(socket) = self.socket.take() {
            socket.close();
        }
    }
}
