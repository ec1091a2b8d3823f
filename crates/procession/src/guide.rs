//! The programs that somebody writes in their first hour.
//!
//! Pages of their own:
//!
//! - [`porting`]: Twisted's names, ours, what differs, and what is not here;
//! - [`failures`]: programs that do not start or do not end well, callbacks that panic;
//! - [`lifetimes`]: what ends a child when the program ends, and what dropping each value does;
//! - [`terminals`]: programs that ask a terminal, Ctrl-C, Ctrl-Z, and long lines on a terminal;
//! - [`pid_1`]: a program that is the first process of a container.
//!
//! The pieces on this page that have a `main` are whole programs, with `procession` as their only
//! dependency. The others are parts of a program: they stand in a function that returns
//! `Result<(), Box<dyn Error>>`, after `let mut reactor = Reactor::new()?;`.
//!
//! # A whole program, and how it ends
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! use procession::{Reactor, Run, Stopped};
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     // On Ctrl-C git's group is ended, then the program dies by SIGINT.
//!     Reactor::new()?.run_main(async {
//!         let log = Run::new("git").args(["log", "-1", "--format=%H"]);
//!         let log = log.check().await?; // any end but status 0 is an error
//!         println!("{}", log.stdout_utf8()?.trim());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`run_main`](crate::Reactor::run_main) runs the program that the future is. When SIGINT, SIGTERM or
//! SIGHUP comes first, the future is dropped, and the groups of children that the program owns are ended
//! and waited for. Then the program dies by that signal, as a shell expects it:
//! [`Stopped`](crate::Stopped), as the result of `main`, sees to it. [`crate::run_main`] makes the
//! reactor too, where any error will do:
//!
//! ```
//! use procession::prelude::*;
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
//! that goes on with a result takes it from [`run_until`](crate::Reactor::run_until). The parts of
//! programs on this page use [`block_on`](crate::Reactor::block_on), which waits for one result and
//! leaves signals alone: they act by default there.
//!
//! # The howto's word count
//!
//! ```
//! use procession::prelude::*;
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
//! [`Process`](crate::prelude::Process) is a cheap clone. `spawn_process` returns it, and each callback
//! is handed it; timers and other callbacks may keep one. A protocol that needs the reactor takes
//! [`Handle::current`](crate::prelude::Handle::current). Results travel through a
//! [`Deferred`](crate::prelude::Deferred).
//!
//! # A test without a process
//!
//! [`FakeProcess`](crate::prelude::FakeProcess) drives a protocol by hand, over the same lifecycle and
//! write queues as a real child; [`FakeConnection`](crate::prelude::FakeConnection) does so for a
//! protocol of a connection. [`FakeChildren`](crate::prelude::FakeChildren) does so for code that takes an
//! `impl SpawnProcess` and starts children itself. With the `WordCount` of above:
//!
//! ```
//! use procession::prelude::*;
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
//! The program chooses the numbers of a child's descriptors. Each gets a pipe, a socketpair, a file or a
//! descriptor of the parent:
//!
//! ```
//! use procession::prelude::*;
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
//! The protocol writes to 3 with `process.write_to_child(3, passphrase)` and closes it with
//! `process.close_child_fd(3)`. What gpg writes to 4 comes to `child_data_received`.
//!
//! # No protocol at all
//!
//! [`Run`](crate::prelude::Run) runs a program to its end and gives its output:
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! use procession::prelude::*;
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
//! Only the stages hold the pipes between them; the bytes do not pass through the program:
//!
//! ```
//! use procession::prelude::*;
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
//! [`ended`](crate::prelude::Child::ended) closes the inputs that were not taken. A stderr that nobody
//! asks for is read all the same: [`stderr_tail`](crate::prelude::Child::stderr_tail) gives its last
//! 256 KiB, and the error of `ended` shows its last line.
//!
//! # A terminal
//!
//! ```
//! use procession::prelude::*;
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
//! All that the child writes to its terminal arrives as its descriptor 1. [`terminals`] is about the
//! terminal of the program itself: who may ask it, Ctrl-C and Ctrl-Z.
//!
//! # A server next to it
//!
//! ```no_run
//! // Not run: it binds a fixed port and serves until it is told to stop.
//! use procession::prelude::*;
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
//! println!("{}", reactor.block_on(stopped)?); // ended by signal 15 after 0.0 s
//! # Ok(())
//! # }
//! ```
//!
//! [`terminate`](crate::prelude::Process::terminate) reaches the group of a child that leads one of its
//! own: `Command::owned(true)`, which the helpers set. The result then comes when no process of the
//! group lives, a second after KILL at the latest;
//! [`is_gone`](crate::prelude::Termination::is_gone) tells which.
//!
//! # Without a loop
//!
//! ```
//! use procession::prelude::*;
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
//! This needs no reactor, and works on any thread, with the same commands, descriptors, terminals and
//! errors. [`take`](crate::prelude::Spawned::take) hands out the parent's ends. `wait`, `wait_timeout`,
//! `output` and `terminate` block, and meanwhile read the outputs that were not taken.
//! [`adopt`](crate::prelude::SpawnProcess::adopt) gives such a child to a reactor. A program that needs
//! no more depends on `procession-process-transport` without its default features, which has no loop in
//! its tree.
//!
//! # In another loop
//!
//! A reactor is a descriptor and a deadline: the loop that hosts it calls
//! [`turn`](crate::prelude::Reactor::turn), without waiting, when the descriptor is readable or
//! [`next_deadline`](crate::prelude::Reactor::next_deadline) has come. At the end it calls
//! [`shut_down`](crate::prelude::Reactor::shut_down), which does once what `run` does when it stops.
//! The examples `in_tokio` and `in_calloop` show it. On a thread whose reactor nobody turns nothing
//! happens: a [`Deferred`](crate::prelude::Deferred) that is awaited there waits for ever, and says
//! nothing.
//!
//! # Only the reactor
//!
//! With `procession-reactor = "0.1"` as the only dependency:
//!
//! ```
//! use procession_reactor::{Interest, Reactor, Stopped};
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

pub mod failures;
pub mod lifetimes;
pub mod pid_1;
pub mod porting;
pub mod terminals;
