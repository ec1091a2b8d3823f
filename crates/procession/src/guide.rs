//! The guide: short programs for the common tasks.
//!
//! These topics have pages of their own:
//! - [`any_executor`]: programs on tokio, smol or another executor, and on threads that block;
//! - [`porting`]: Twisted's names, the names here, the differences, and what is missing;
//! - [`failures`]: programs that do not start or end well; [`conversations`]: requests, frames, fakes;
//! - [`lifetimes`]: what ends a child when the program ends, and what dropping each value does;
//! - [`terminals`]: programs that read the terminal, Ctrl-C, Ctrl-Z, and long lines on a terminal;
//! - [`dialogues`]; [`services`] that are kept running; [`many_children`]; [`other_machines`]; [`pid_1`].
//!
//! A listing with a `main` is a whole program, with `procession` as its only dependency. Put the others in
//! a function that returns `Result<(), Box<dyn Error>>`, after `let mut reactor = Reactor::new()?;`.
//!
//! # A whole program, and how it ends
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! use procession::{Reactor, Run, Stopped};
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     // On Ctrl-C this ends git's process group; then the program dies by SIGINT.
//!     Reactor::new()?.run_main(async {
//!         let log = Run::new("git").args(["log", "-1", "--format=%H"]);
//!         let log = log.check().await?; // any end but status 0 is an error
//!         println!("{}", log.stdout_utf8()?.trim());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`run_main`](crate::Reactor::run_main) runs the future to its end. If SIGINT, SIGTERM or SIGHUP comes
//! first, it drops the future, ends the process groups that the program owns, and waits until they are
//! gone. Then the program dies by that signal, as a shell expects: `main` returns [`Stopped`](crate::Stopped),
//! which raises it again. [`crate::run_main`] also creates the reactor; its future may fail with any error type:
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//!
//! fn main() -> impl std::process::Termination {
//!     run_main(async {
//!         let hello = Run::new("echo").arg("hello").check().await?;
//!         println!("{}", hello.stdout_utf8()?.trim());
//! #       assert_eq!(hello.stdout, "hello\n");
//!         Ok::<_, Box<dyn Error>>(())
//!     })
//! }
//! ```
//!
//! A program that waits for no single result, such as a server, ends in `Ok(reactor.run()?)`. A program
//! that needs the result of a future afterwards gets it from [`run_until`](crate::Reactor::run_until).
//! The parts of programs on this page use [`block_on`](crate::Reactor::block_on), which waits for one
//! result and does not handle signals: their default actions apply.
//!
//! # A protocol: Twisted's word count
//!
//! ```
//! use procession::prelude::*;
//! use procession::ProcessTerminated;
//! use std::error::Error;
//!
//! struct WordCount {
//!     text: Bytes,
//!     output: BytesMut,
//!     counts: Promise<Vec<u64>, ProcessTerminated>,
//! }
//!
//! impl ProcessProtocol for WordCount {
//!     fn connection_made(&mut self, process: &Process) {
//!         process.write(self.text.clone());
//!         process.close_stdin();
//!     }
//!
//!     fn out_received(&mut self, _: &Process, data: Bytes) {
//!         self.output.extend_from_slice(&data);
//!     }
//!
//!     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//!         let output = String::from_utf8_lossy(&self.output);
//!         let numbers = output.split_whitespace().filter_map(|word| word.parse().ok());
//!         self.counts.complete(reason.map(|_| numbers.collect()));
//!     }
//! }
//!
//! fn main() -> Result<Stopped, Box<dyn Error>> {
//!     let reactor = Reactor::new()?;
//!     let (counts, result) = Deferred::new();
//!     let text = "accessing protocols through Twisted is fun!\n".into();
//!     let protocol = WordCount { text, output: BytesMut::new(), counts };
//!     reactor.spawn_process(protocol, Command::new("wc"))?;
//!     reactor.run_main(async {
//!         let counts = result.await?;
//! #       assert_eq!(counts, [1, 6, 44]);
//!         println!("Received counts from wc.");
//!         for (name, count) in ["Lines", "Words", "Characters"].iter().zip(counts) {
//!             println!("{name}: {count}");
//!         }
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`Process`](crate::Process) is a handle to the child that is cheap to clone. `spawn_process`
//! returns it, and each callback gets it as an argument; timers and other callbacks may keep a clone. A
//! protocol that needs the reactor calls [`Handle::current`](crate::Handle::current). It passes
//! its result on through a [`Deferred`](crate::Deferred).
//!
//! # A test without a process
//!
//! With [`FakeProcess`](crate::FakeProcess) a test drives a protocol by hand. It uses the same
//! lifecycle and write queues as a real child. [`FakeConnection`](crate::FakeConnection) does
//! the same for the protocol of a connection, and [`FakeChildren`](crate::FakeChildren) for code that
//! takes an `impl SpawnProcess` and starts children itself. This tests the `WordCount` from above:
//!
//! ```
//! use procession::prelude::*;
//! use procession::ProcessTerminated;
//! # struct WordCount {
//! #     text: Bytes,
//! #     output: BytesMut,
//! #     counts: Promise<Vec<u64>, ProcessTerminated>,
//! # }
//! # impl ProcessProtocol for WordCount {
//! #     fn connection_made(&mut self, process: &Process) {
//! #         process.write(self.text.clone());
//! #         process.close_stdin();
//! #     }
//! #
//! #     fn out_received(&mut self, _: &Process, data: Bytes) {
//! #         self.output.extend_from_slice(&data);
//! #     }
//! #
//! #     fn process_ended(&mut self, _: &Process, reason: ExitReason) {
//! #         let output = String::from_utf8_lossy(&self.output);
//! #         let counts = output.split_whitespace().filter_map(|word| word.parse().ok()).collect();
//! #         self.counts.complete(reason.map(|_| counts));
//! #     }
//! # }
//!
//! let (counts, result) = Deferred::new();
//! let (text, output) = ("a b\n".into(), BytesMut::new());
//! let mut fake = FakeProcess::new(WordCount { text, output, counts });
//! assert_eq!(fake.written(0), "a b\n");
//! fake.child_writes(1, "      1       2       4\n");
//! fake.exit(0);
//! assert_eq!(result.try_take(), Some(Ok(vec![1, 2, 4])));
//! ```
//!
//! # Extra descriptors: gpg
//!
//! The program chooses the descriptor numbers of the child. Each number gets a pipe, a socketpair, a
//! file or a descriptor of the parent:
//!
//! ```
//! use procession::prelude::*;
//! use std::io;
//!
//! let gpg = Command::new("gpg")
//!     .args(["--decrypt", "--batch", "--pinentry-mode", "loopback"])
//!     .args(["--passphrase-fd", "3", "--status-fd", "4"])
//!     .child_fd(2, Fd::inherit(io::stderr())) // by default 0, 1 and 2 are pipes
//!     .child_fd(3, Fd::to_child())            // passphrase (Twisted's "w")
//!     .child_fd(4, Fd::from_child());         // status lines ("r")
//! # drop(gpg);
//! ```
//!
//! The protocol of this child writes to 3 with `process.write_to_child(3, passphrase)` and closes it with
//! `process.close_child_fd(3)`. What gpg writes to 4 arrives in `child_data_received`.
//!
//! # No protocol at all
//!
//! [`Run`](crate::Run) runs a program to its end and returns its output:
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! use procession::prelude::*;
//! use std::error::Error;
//! use std::time::Duration;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let log = Run::new("git").args(["log", "-1", "--format=%H"]);
//! let log = reactor.block_on(log.timeout(Duration::from_secs(5)).check())?;
//! println!("{}", log.stdout_utf8()?.trim());
//! # Ok(())
//! # }
//! ```
//!
//! # Many at once
//!
//! ```
//! use procession::prelude::*;
//! use procession::run_all;
//! use std::error::Error;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let greetings = (1..=5).map(|n| Run::new("echo").arg(format!("hello {n}")));
//! let two_at_a_time = run_all(greetings.map(Run::check), 2);
//! let outcomes = reactor.block_on(two_at_a_time.all_or_first_error())?;
//! assert_eq!(outcomes[4].stdout, "hello 5\n");
//! # Ok(())
//! # }
//! ```
//!
//! # A pipeline
//!
//! Only the stages hold the pipes between them; the bytes do not pass through this program:
//!
//! ```
//! use procession::prelude::*;
//! use procession::Pipeline;
//! use std::error::Error;
//! use std::io;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let pipeline = Pipeline::new()
//!     .stage(Command::new("printf").arg("b\\na\\n"))
//!     .stage(Command::new("sort").child_fd(1, Fd::inherit(io::stdout())));
//! let ends = reactor.block_on(reactor.spawn_pipeline(pipeline)?.ended())?;
//! assert!(ends.iter().all(Result::is_ok));
//! # Ok(())
//! # }
//! ```
//!
//! # As async code
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! reactor.block_on(async {
//!     let mut child = Handle::current().spawn_child(Command::new("cat"))?;
//!     child.write(b"hello\n").await?;
//!     child.close_stdin();
//!     while let Some(chunk) = child.stdout().next().await {
//!         print!("{}", chunk.escape_ascii());
//!     }
//!     child.ended().await
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! [`ended`](crate::Child::ended) closes the inputs that were not taken. The library also reads
//! a stderr that the program does not take: [`stderr_tail`](crate::Child::stderr_tail) returns
//! its last 256 KiB, and the error of `ended` shows its last line.
//!
//! # A terminal
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//!
//! struct Screen;
//!
//! impl ProcessProtocol for Screen {
//!     fn out_received(&mut self, process: &Process, data: Bytes) {
//!         print!("{}", data.escape_ascii());
//!         process.lose_connection();
//!     }
//! }
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let size = Pty::new().size(24, 80); // rows, columns
//! let shell = Command::new("sh").pty(size).env("TERM", "xterm-256color");
//! let sh = reactor.spawn_process(Screen, shell)?;
//! sh.resize(50, 132)?;
//! # Ok(())
//! # }
//! ```
//!
//! Everything that the child writes to its terminal arrives as data of descriptor 1. [`terminals`] is
//! about the terminal of the program itself: which children may read it, Ctrl-C and Ctrl-Z.
//!
//! # A server that runs programs
//!
//! ```no_run
//! // Not run: it binds a fixed port and serves until it is stopped.
//! use procession::prelude::*;
//! use procession::get_process_output;
//! use std::error::Error;
//!
//! struct FortuneQuoter;
//!
//! impl Protocol for FortuneQuoter {
//!     fn connection_made(&mut self, transport: &Transport) {
//!         let transport = transport.clone();
//!         get_process_output("fortune").done(move |output| {
//!             if let Ok(quote) = output { transport.write(quote); }
//!             transport.lose_connection();
//!         });
//!     }
//! }
//!
//! fn main() -> Result<Stopped, Box<dyn Error>> {
//!     let mut reactor = Reactor::new()?;
//!     reactor.listen_tcp(("127.0.0.1", 10999), || FortuneQuoter)?;
//!     Ok(reactor.run()?) // until stop(), SIGINT, SIGTERM or SIGHUP
//! }
//! ```
//!
//! # Stopping for good
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//! use std::time::Duration;
//!
//! struct Quiet;
//! impl ProcessProtocol for Quiet {}
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//!
//! let server = Command::new("sleep").arg("60").owned(true);
//! let server = reactor.spawn_process(Quiet, server)?;
//! // TERM to the group, and KILL to what lives after ten seconds.
//! let stopped = server.terminate(Signal::TERM, Duration::from_secs(10));
//! println!("{}", reactor.block_on(stopped)?); // ended by signal 15 (SIGTERM) after 0.0 s
//! # Ok(())
//! # }
//! ```
//!
//! [`terminate`](crate::Process::terminate) signals the whole process group if the child leads
//! one: `Command::owned(true)` makes it a leader, and the helpers set that. The result then comes when
//! no process of the group is alive, at the latest one second after KILL;
//! [`is_gone`](crate::Termination::is_gone) returns whether the group is gone.
//!
//! # Without a loop
//!
//! ```
//! use procession::prelude::*;
//! use std::error::Error;
//! use std::fs::File;
//! use std::io::Write;
//! # fn main() -> Result<(), Box<dyn Error>> {
//!
//! let mut child = Command::new("sort").spawn()?; // by default 0, 1 and 2 are pipes
//! File::from(child.take(0)?).write_all(b"b\na\n")?;
//! println!("{}", child.output()?.stdout_utf8()?);
//! # Ok(())
//! # }
//! ```
//!
//! This needs no reactor and works on any thread, with the same commands, terminals and errors.
//! [`take`](crate::Spawned::take) returns the parent's end of a pipe. `wait`, `wait_timeout`, `output` and
//! `terminate` block, and meanwhile read the outputs that were not taken. [`adopt`](crate::SpawnProcess::adopt)
//! hands a child over to a reactor. A program that never needs one depends on `procession` without default features.
//!
//! # In another loop
//!
//! A reactor can run inside another event loop, which watches the reactor's descriptor and its
//! [`next_deadline`](crate::Reactor::next_deadline). When one of the two is due, it calls
//! [`turn`](crate::Reactor::turn) without waiting, and at the end
//! [`shut_down`](crate::Reactor::shut_down), which does, once, what `run` does when it stops: see the
//! examples `hosted` and `in_calloop`. Children on tokio need no reactor: see the feature `tokio`.
//!
//! A reactor that neither runs nor is turned does nothing: a [`Deferred`](crate::Deferred) gets no result.
//!
//! # Only the reactor
//!
//! The loop is useful without children: for sockets, timers and signals. A program that needs nothing
//! else can depend on `procession-reactor` instead of `procession`, with the same names. This program
//! waits for a message on a socket:
//!
//! ```
//! use procession::{Interest, Reactor, Stopped};
//! use std::os::unix::net::UnixDatagram;
//! use std::time::Duration;
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     let (socket, peer) = UnixDatagram::pair()?;
//!     let mut reactor = Reactor::new()?;
//!     reactor.register(socket, Interest::READABLE, |socket, _| {
//!         let mut message = [0; 64];
//!         if let Ok(length) = socket.recv(&mut message) {
//!             println!("{}", message[..length].escape_ascii());
//!         }
//!         socket.reactor().stop();
//!     })?;
//!     reactor.call_later(Duration::from_millis(10), move |_| peer.send(b"hello"));
//!     Ok(reactor.run()?)
//! }
//! ```

pub mod any_executor;
pub mod conversations;
pub mod dialogues;
pub mod failures;
pub mod lifetimes;
pub mod many_children;
pub mod other_machines;
pub mod pid_1;
pub mod porting;
pub mod services;
pub mod terminals;
