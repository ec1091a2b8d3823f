//! A protocol that others call, frames, and tests of code that starts children.
//!
//! # A protocol that others call
//!
//! A protocol belongs to the loop, which calls it; other code holds no reference to it. Where other code asks
//! and the protocol answers, use one value for both: a handle whose clones share one state. The protocol has
//! a clone of it, and so has everybody who asks. A request puts a [`Promise`](crate::Promise) into the state,
//! and the answer takes it out.
//!
//! ```
//! use procession::prelude::*;
//! use procession::SpawnError;
//! use std::cell::RefCell;
//! use std::collections::VecDeque;
//! use std::rc::Rc;
//!
//! /// `bc`, which answers one line for each line. Clones are the same calculator.
//! #[derive(Clone)]
//! struct Calculator(Rc<RefCell<State>>);
//!
//! #[derive(Default)]
//! struct State {
//!     process: Option<Process>,
//!     waiting: VecDeque<Promise<String, String>>,
//!     ended: Option<String>,
//! }
//!
//! impl Calculator {
//!     fn start(handle: &Handle) -> Result<Self, SpawnError> {
//!         let calculator = Self(Rc::default());
//!         let wire = Wire { calculator: calculator.clone(), lines: LineReceiver::new() };
//! #       let stand_in = "while read line; do echo $(($line)); done";
//! #       handle.spawn_process(wire, Command::new("sh").args(["-c", stand_in]))?;
//! #       #[cfg(any())]
//!         handle.spawn_process(wire, Command::new("bc").arg("-q"))?;
//!         Ok(calculator)
//!     }
//!
//!     fn ask(&self, question: &str) -> Deferred<String, String> {
//!         let (promise, answer) = Deferred::new();
//!         let mut state = self.0.borrow_mut();
//!         match (&state.process, &state.ended) {
//!             (Some(process), None) => process.write(format!("{question}\n")),
//!             (_, ended) => return Deferred::ready(Err(ended.clone().unwrap_or_default())),
//!         }
//!         state.waiting.push_back(promise);
//!         answer
//!     }
//! }
//!
//! struct Wire {
//!     calculator: Calculator,
//!     lines: LineReceiver,
//! }
//!
//! impl ProcessProtocol for Wire {
//!     fn connection_made(&mut self, process: &Process) {
//!         self.calculator.0.borrow_mut().process = Some(process.clone());
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: Bytes) {
//!         self.lines.on_data(data);
//!         while let Some(line) = self.lines.poll() {
//!             // Take it out first: nothing is borrowed while the promise calls those who wait.
//!             let waiting = self.calculator.0.borrow_mut().waiting.pop_front();
//!             if let Some(promise) = waiting {
//!                 promise.complete(Ok(line.to_string()));
//!             }
//!         }
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         let why = reason.map_or_else(|why| why.to_string(), |done| done.to_string());
//!         let waiting = {
//!             let mut state = self.calculator.0.borrow_mut();
//!             state.ended = Some(why.clone());
//!             std::mem::take(&mut state.waiting)
//!         };
//!         for promise in waiting {
//!             promise.complete(Err(why.clone()));
//!         }
//!     }
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let calculator = Calculator::start(&reactor)?;
//! let (six, seven) = (calculator.ask("3 + 3"), calculator.ask("3 + 4"));
//! assert_eq!(reactor.block_on(seven), Ok("7".to_owned()));
//! assert_eq!(reactor.block_on(six), Ok("6".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Three rules make it safe. Complete a promise while nothing is borrowed, because it may call code that asks
//! again. When the child ends, complete all that wait. What is asked after that fails at once. A request that
//! may be given up names itself by an id, as in the example `lsp_client`, and
//! [`Promise::on_cancel`](crate::Promise::on_cancel) takes it out.
//!
//! Between tasks of one loop, the state of such a handle is all that is needed. This library has no queues,
//! semaphores and locks of its own: the crates `async-channel`, `async-lock` (`Mutex`, `Semaphore`, `Barrier`) and
//! `event-listener` work on every executor and so on this loop, and so does `tokio::sync`.
//! [`run_all`](crate::run_all()) limits how many programs run at once.
//!
//! # Frames
//!
//! [`FrameReceiver`](crate::FrameReceiver) cuts a stream at lengths, netstrings or `Content-Length` headers, and
//! [`Framing::frame`](crate::Framing::frame) is the other direction. Set `max_length` to what the other side may
//! send; a longer frame is an error before its content is kept. The examples `lsp_client` and `lsp_server` talk in
//! frames; `json_lines` reads a JSON value from each line of a program. [`Utf8Chunks`](crate::Utf8Chunks) makes text
//! of chunks that may cut a character.
//!
//! # Tests of code that starts children
//!
//! Test a protocol alone with a [`FakeProcess`](crate::FakeProcess). Code that calls a helper is tested with
//! [`FakeChildren`](crate::FakeChildren): scripts play the programs, and time is the reactor's
//! [fake clock](crate::Handle::use_fake_clock), so that a time limit of a minute takes none.
//!
//! ```
//! use procession::prelude::*;
//! use procession::FakeChildren;
//! use std::time::Duration;
//!
//! /// The code under test.
//! async fn version() -> Result<String, Box<dyn std::error::Error>> {
//!     let git = Run::new("git").args(["rev-parse", "HEAD"]).timeout(Duration::from_secs(60));
//!     Ok(git.check().await?.stdout_utf8()?.trim().to_owned())
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let fakes = FakeChildren::install(&reactor);
//! fakes.when(["git", "rev-parse"]).once().stdout("abc123\n").exit(0);
//! fakes.when_program("git"); // it hangs
//! assert_eq!(reactor.block_on(version())?, "abc123");
//! let error = reactor.block_on(version()).unwrap_err();
//! assert!(error.to_string().contains("timed out after 60"), "{error}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`FakeChildren::record`](crate::FakeChildren::record) writes what real children do to a file, and
//! [`play`](crate::FakeChildren::play) answers from it.
