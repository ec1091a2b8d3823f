//! The parts that transports are built from. This module is for authors of transports, and it is
//! unstable.
//!
//! A transport reaches its reactor through [`Handle::io`](crate::Handle::io). [`Io`] owns
//! descriptors by [`Key`], and reports their events to an [`EventHandler`]. [`Io::watch_end`] has
//! the loop call a transport at the loop's end ([`OnEnd`]). An [`Outlasting`] is something outside
//! the program, such as a process, that is still ending then. [`ProgramHooks`] run around what
//! signals do to the whole program.
//!
//! # Pipes
//!
//! A [`Pipe`] is a nonblocking reader and a flushing writer over any descriptor. The transports for
//! children and connections are built from it.
//!
//! # Machines
//!
//! A transport is a [`Machine`]. It handles an event, keeps the callbacks that are due, and calls
//! its protocol when the driver asks for it. Everything else is the same for a child and for a
//! connection, and this module implements it once:
//!
//! - **Delivery**: the driver delivers callbacks with nothing borrowed, one after the other, never
//!   one inside another. A method of a transport queues its callback and asks for a flush, which
//!   delivers it.
//! - **Reads**: the driver reads an input again while the reads are large, up to a budget per turn.
//!   Data that are due before anything else are delivered without a queue.
//! - **A panic** of the protocol continues when the machine is consistent again. The callbacks for
//!   the protocol are dropped, the leftovers are settled, and callbacks for others are delivered in
//!   the next turn.
//! - **The end**: when the loop stops, the machine closes what it has open and reports the loss.
//!   When the reactor is dropped, nothing more is delivered.
//!
//! A transport keeps a [`Driver`] in a field and implements [`Machine`]. That makes it an
//! [`EventHandler`] and [`OnEnd`]. The transport's own methods call [`Machine::queue_flush`],
//! [`Machine::pump`] and the methods next to these.
//!
//! This transport reads one pipe and prints the data:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::io::Write;
//! use std::rc::Rc;
//! use std::thread;
//!
//! use procession::{Bytes, Reactor};
//! use procession::driver::core::{Direction, WithCell};
//! use procession::driver::reactor::{Driver, Machine, Outlasting, Pipe, ReadEvent, Ready};
//!
//! struct Printer {
//!     driver: Driver<Self>,
//!     input: WithCell<Option<Pipe>>,
//! }
//!
//! impl Machine for Printer {
//!     type Source = ();
//!     type Event = (); // there is nothing but data
//!     type Subject = Rc<Self>;
//!     type Leftovers = Option<Pipe>;
//!
//!     fn driver(&self) -> &Driver<Self> {
//!         &self.driver
//!     }
//!
//!     fn subject(me: Rc<Self>) -> Rc<Self> {
//!         me
//!     }
//!
//!     fn has_event(&self) -> bool {
//!         false
//!     }
//!
//!     fn poll_event(&self) -> Option<()> {
//!         None
//!     }
//!
//!     fn deliver(&self, _: &Rc<Self>, _: ()) -> thread::Result<()> {
//!         Ok(())
//!     }
//!
//!     fn deliver_data(&self, _: &Rc<Self>, _: (), data: Bytes) -> thread::Result<()> {
//!         Ok(println!("{}", data.escape_ascii()))
//!     }
//!
//!     fn on_ready(&self, ready: Ready) -> Option<((), ReadEvent)> {
//!         let reactor = self.driver.reactor();
//!         let read = self.input.with(|input| {
//!             let input = input.as_mut()?;
//!             Some(input.on_ready(reactor, ready.readiness).readable)
//!         });
//!         if read? { Some(((), self.read_once((), 1)?)) } else { None }
//!     }
//!
//!     fn read_once(&self, _: (), budget: usize) -> Option<ReadEvent> {
//!         let reactor = self.driver.reactor();
//!         self.input.with(|input| Some(input.as_mut()?.read_within(reactor, budget)))
//!     }
//!
//!     fn on_read_over(&self, _: (), event: ReadEvent) {
//!         if !matches!(event, ReadEvent::WouldBlock) {
//!             self.settle(self.input.take());
//!         }
//!     }
//!
//!     fn on_flush(&self) {}
//!
//!     fn on_panicked(&self) -> Option<Pipe> {
//!         self.input.take()
//!     }
//!
//!     fn on_loop_stops(&self) -> Option<Pipe> {
//!         self.input.take()
//!     }
//!
//!     fn on_loop_gone(&self) -> (Option<Pipe>, Option<Box<dyn Outlasting>>) {
//!         (self.input.take(), None)
//!     }
//!
//!     fn retire(&self) {}
//!
//!     fn settle(&self, input: Option<Pipe>) {
//!         if let Some(input) = input {
//!             drop(input.close(self.driver.reactor()));
//!         }
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let printer = Rc::new_cyclic(|me| Printer {
//!     driver: Driver::new(&reactor, me),
//!     input: WithCell::new(None),
//! });
//! let (reader, mut writer) = std::io::pipe()?;
//! # rustix::io::ioctl_fionbio(&reader, true)?;
//! let pipe = Pipe::open(&reactor, reader.into(), Direction::Read, printer.clone(), 0)?;
//! printer.input.replace(Some(pipe));
//! writer.write_all(b"hello")?;
//! drop(writer);
//! while printer.input.with(|input| input.is_some()) {
//!     reactor.turn(None)?;
//! }
//! # std::io::Result::Ok(())
//! ```
//!
//! # Forwarding
//!
//! A [`Forward`] moves bytes from a [`SourcePort`] to a [`SinkPort`] without looking at them.
//!
//! This source is one pipe:
//!
//! ```
//! use std::cell::Cell;
//! use std::io::{Read, Write};
//! use std::rc::Rc;
//!
//! use procession::driver::core::{Direction, WithCell};
//! use procession::driver::reactor::{
//!     EventHandler, Forward, Key, Pipe, ReadEvent, Ready, SinkPort, SourcePort,
//! };
//! use procession::{Handle, Reactor};
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
//! impl SourcePort for Source {
//!     fn key(&self) -> Option<Key> {
//!         self.pipe.with(|pipe| Some(pipe.as_ref()?.key()))
//!     }
//!
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
//! let sink = <dyn SinkPort>::of_fd(&reactor, end.into())?;
//! Forward::start(&reactor, source, sink, move |moved, _result| put.set(Some(moved)))?;
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

mod kept;
mod machine;

pub use self::kept::Driver;
pub use self::machine::Machine;
pub use crate::forward::{Forward, SinkPort, SourcePort};
pub use crate::handle::ends::EndWatch;
pub use crate::handle::io::Io;
pub use crate::handle::{EventHandler, Ready};
pub use crate::pipe::{FlushOutcome, OpenError, Pipe, PipeReady, ReadEvent};
pub use crate::store::ends::{OnEnd, Outlasting};
pub use crate::store::sources::Key;
pub use crate::sys::signals::ProgramHooks;
