//! The driver of transports: for authors of transports, and unstable.
//!
//! A transport is a [`Machine`]: it says what came of an event, keeps what is due, and calls its
//! protocol when the driver asks for it. All else is the same for a child and for a connection, and
//! is written here once:
//!
//! - **Delivery**: what is due is delivered with nothing borrowed, one callback after the other,
//!   never inside another one. A method of a transport queues, and asks for a flush, which delivers.
//! - **Reads**: an input is read on while it gives much, up to a budget a turn; data that are due
//!   before anything else are delivered without a queue.
//! - **A panic** of the protocol goes on when the machine is in order: what was due for the protocol
//!   is gone, what is left over is settled, and what others are due is delivered in the next turn.
//! - **The end**: a stop of the loop closes what the machine has open and delivers the loss; a
//!   reactor that is dropped delivers nothing more.
//!
//! A transport keeps a [`Driver`] in a field, and implements [`Machine`]; that makes it an
//! [`EventHandler`](crate::EventHandler), and closes it when the loop stops. [`Drive`] has what the
//! transport's own methods call.
//!
//! # Examples
//!
//! A transport that reads one pipe, and prints what comes:
//!
//! ```
//! use std::collections::VecDeque;
//! use std::io::Write;
//! use std::rc::Rc;
//! use std::thread;
//!
//! use procession_reactor::pipe::{Direction, Pipe, ReadEvent};
//! use procession::{Bytes, Reactor};
//! use procession::driver::core::WithCell;
//! use procession::driver::reactor::{Drive, Driver, Machine, Read};
//! use procession_reactor::Ready;
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
//!     fn on_ready(&self, ready: Ready) -> Option<((), Read)> {
//!         let reactor = self.driver.reactor();
//!         let read = self.input.with(|input| {
//!             let input = input.as_mut()?;
//!             Some(input.on_ready(reactor, ready.readiness).readable)
//!         });
//!         if read? { Some(((), self.read_once((), 1)?)) } else { None }
//!     }
//!
//!     fn read_once(&self, _: (), budget: usize) -> Option<Read> {
//!         let reactor = self.driver.reactor();
//!         let event = self.input.with(|input| Some(input.as_mut()?.read_within(reactor, budget)));
//!         Some(match event? {
//!             ReadEvent::Data(data) => Read::Data(data),
//!             event => Read::Event(event),
//!         })
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
//!     fn on_loop_gone(&self) -> Option<Pipe> {
//!         self.input.take()
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

mod drive;
mod machine;

pub use self::drive::{Drive, PumpAfterPanic};
pub use self::machine::{Driver, Machine, Read};
