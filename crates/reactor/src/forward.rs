//! Moving bytes on without looking at them: for authors of transports, and unstable.
//!
//! A [`Forward`] stands between two [ports](Port), which know nothing of each other: a
//! [`SourcePort`] is read, a [`SinkPort`] is written. It moves what the source has, by `splice(2)`
//! where the kernel can and by copies elsewhere, up to a share of the turn. While the sink is full
//! the source is out of the poller. At the end of the source both are let go of, copies that wait
//! first; when the sink is lost, the source is closed.
//!
//! A transport makes ports of what it has open, and tells the forwarding what happens to them.
//! [`OwnFd`] is the port of a descriptor that has no transport.
//!
//! # Examples
//!
//! A source that is one pipe:
//!
//! ```
//! use std::cell::Cell;
//! use std::io::{Read, Write};
//! use std::rc::Rc;
//!
//! use procession_core::WithCell;
//! use procession_reactor::forward::{Forward, OwnFd, Port, SourcePort};
//! use procession_reactor::pipe::{Direction, Pipe, ReadEvent};
//! use procession_reactor::{EventHandler, Handle, Key, Reactor, Ready};
//!
//! struct Source {
//!     reactor: Handle,
//!     pipe: WithCell<Option<Pipe>>,
//!     forward: WithCell<Option<Rc<Forward>>>,
//! }
//!
//! impl EventHandler for Source {
//!     fn ready(self: Rc<Self>, _: &Handle, _: Ready) {
//!         if let Some(forward) = self.forward.with(|forward| forward.clone()) {
//!             forward.source_ready();
//!         }
//!     }
//! }
//!
//! impl Port for Source {
//!     fn key(&self) -> Option<Key> {
//!         self.pipe.with(|pipe| Some(pipe.as_ref()?.key()))
//!     }
//! }
//!
//! impl SourcePort for Source {
//!     fn begin(&self, forward: &Rc<Forward>) -> bool {
//!         self.forward.replace(Some(Rc::clone(forward)));
//!         false
//!     }
//!
//!     fn read(&self) -> ReadEvent {
//!         let read = self.pipe.with(|pipe| Some(pipe.as_mut()?.read(&self.reactor)));
//!         read.unwrap_or(ReadEvent::End)
//!     }
//!
//!     fn watch(&self, watched: bool) {
//!         self.pipe.with(|pipe| match pipe {
//!             Some(pipe) if watched => pipe.resume(&self.reactor).expect("there is memory"),
//!             Some(pipe) => pipe.pause(&self.reactor),
//!             None => {}
//!         });
//!     }
//!
//!     fn close_source(&self, _ended: bool) {
//!         drop(self.forward.take());
//!         drop(self.pipe.take().map(|pipe| pipe.close(&self.reactor)));
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let (read, mut write) = std::io::pipe()?;
//! # rustix::io::ioctl_fionbio(&read, true)?;
//! let (mut target, end) = std::io::pipe()?;
//! let source = Rc::new(Source {
//!     reactor: Handle::clone(&reactor),
//!     pipe: WithCell::new(None),
//!     forward: WithCell::new(None),
//! });
//! let pipe = Pipe::open(&reactor, read.into(), Direction::Read, source.clone(), 0)?;
//! source.pipe.replace(Some(pipe));
//!
//! let moved = Rc::new(Cell::new(None));
//! let put = moved.clone();
//! let sink = OwnFd::open(&reactor, end.into())?;
//! Forward::start(&reactor, source, sink, move |result| put.set(result.ok()))?;
//! write.write_all(b"hello")?;
//! drop(write);
//! while moved.get().is_none() {
//!     reactor.turn(None)?;
//! }
//! assert_eq!(moved.get(), Some(5));
//! let mut text = String::new();
//! target.read_to_string(&mut text)?;
//! assert_eq!(text, "hello");
//! # std::io::Result::Ok(())
//! ```

mod flow;
mod forwarding;
mod own_fd;
mod splice;
mod target;

pub use self::flow::Interrupted;
pub use self::forwarding::{Forward, Port, SinkPort, SourcePort};
pub use self::own_fd::OwnFd;
pub use self::target::sink_of;
