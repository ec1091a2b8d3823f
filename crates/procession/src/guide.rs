//! The programs that somebody writes in their first hour.
//!
//! Those who know Twisted find its names in [`porting`]. Who lives how long, and what dropping each
//! value does, is in [`lifetimes`]; [`terminals`] says who has the program's terminal; [`pid_1`] is for
//! the first process of a container.
//!
//! # A whole program, and how it ends
//!
//! ```no_run
//! // Not run: it needs git, and a repository.
//! use procession::{Reactor, Run, Stopped};
//!
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     Reactor::new()?.run_main(async {                        // Ctrl-C: the group ends, then the program dies by SIGINT
//!         let log = Run::new("git").args(["log", "-1", "--format=%H"]).check().await?;
//!         println!("{}", log.stdout_utf8()?.trim());
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`run_main`](crate::Reactor::run_main) runs the program that the future is. When SIGINT, SIGTERM or
//! SIGHUP comes first, the future is dropped, the groups of children that the program owns are ended
//! and waited for, and then the program dies by that signal, as a shell expects it:
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
//! A program that waits for no single result, such as a server, ends in `Ok(reactor.run()?)`; the
//! result of [`run_until`](crate::Reactor::run_until) is anything that the program goes on with. Other
//! pieces on this page are parts of programs, and use [`block_on`](crate::Reactor::block_on), which
//! waits for one result and leaves signals alone: they act by default there.
//!
//! # The howto's word count
//!
//! ```
//! use procession::prelude::*;
//!
//! struct WordCount {
//!     text: Bytes,
//!     output: BytesMut,
//!     counts: Promise<Counts, CountError>,
//! }
//! # #[derive(Debug, PartialEq)]
//! # struct Counts { lines: u64, words: u64, bytes: u64 }
//! # #[derive(Debug, PartialEq, thiserror::Error)]
//! # enum CountError {
//! #     #[error("wc {0}")]
//! #     Ended(#[from] ProcessTerminated),
//! #     #[error("wc printed {0:?}")]
//! #     Parse(String),
//! # }
//! # impl Counts {
//! #     fn parse(output: &[u8]) -> Result<Self, CountError> {
//! #         let text = String::from_utf8_lossy(output);
//! #         let numbers: Vec<u64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
//! #         match numbers[..] {
//! #             [lines, words, bytes] => Ok(Self { lines, words, bytes }),
//! #             _ => Err(CountError::Parse(text.into_owned())),
//! #         }
//! #     }
//! # }
//! # impl std::fmt::Display for Counts {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
//! #         write!(f, "Lines: {}\nWords: {}\nCharacters: {}", self.lines, self.words, self.bytes)
//! #     }
//! # }
//! # impl WordCount {
//! #     fn new(text: &'static str, counts: Promise<Counts, CountError>) -> Self {
//! #         Self { text: text.into(), output: BytesMut::new(), counts }
//! #     }
//! # }
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
//!         self.counts.complete(reason.map_err(CountError::from).and_then(|_| Counts::parse(&self.output)));
//!     }
//! }
//!
//! fn main() -> Result<Stopped, Box<dyn Error>> {
//!     let reactor = Reactor::new()?;
//!     let (counts, result) = Deferred::new();
//!     reactor.spawn_process(WordCount::new("accessing protocols through Twisted is fun!\n", counts), Command::new("wc"))?;
//!     reactor.run_main(async {
//!         let counts = result.await?;
//!         println!("Received counts from wc.\n{counts}");
//! #       assert_eq!(counts, Counts { lines: 1, words: 6, bytes: 44 });
//!         Ok(())
//!     })
//! }
//! ```
//!
//! [`Process`](crate::prelude::Process) is a cheap clone: what `spawn_process` returns, what each
//! callback is handed and what the fake hands out are the same type, usable from timers and other
//! callbacks too. A protocol that needs the reactor takes
//! [`Handle::current`](crate::prelude::Handle::current). Results travel through a
//! [`Deferred`](crate::prelude::Deferred).
//!
//! # A test without a process
//!
//! [`FakeProcess`](crate::prelude::FakeProcess) drives the same protocol by hand, over the same
//! lifecycle and write queues as a real child;
//! [`FakeConnection`](crate::prelude::FakeConnection) does so for a protocol of a connection:
//!
//! ```
//! use procession::prelude::*;
//! # struct WordCount {
//! #     text: Bytes,
//! #     output: BytesMut,
//! #     counts: Promise<Counts, CountError>,
//! # }
//! # #[derive(Debug, PartialEq)]
//! # struct Counts { lines: u64, words: u64, bytes: u64 }
//! # #[derive(Debug, PartialEq, thiserror::Error)]
//! # enum CountError {
//! #     #[error("wc {0}")]
//! #     Ended(#[from] ProcessTerminated),
//! #     #[error("wc printed {0:?}")]
//! #     Parse(String),
//! # }
//! # impl Counts {
//! #     fn parse(output: &[u8]) -> Result<Self, CountError> {
//! #         let text = String::from_utf8_lossy(output);
//! #         let numbers: Vec<u64> = text.split_whitespace().filter_map(|w| w.parse().ok()).collect();
//! #         match numbers[..] {
//! #             [lines, words, bytes] => Ok(Self { lines, words, bytes }),
//! #             _ => Err(CountError::Parse(text.into_owned())),
//! #         }
//! #     }
//! # }
//! # impl std::fmt::Display for Counts {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
//! #         write!(f, "Lines: {}\nWords: {}\nCharacters: {}", self.lines, self.words, self.bytes)
//! #     }
//! # }
//! # impl WordCount {
//! #     fn new(text: &'static str, counts: Promise<Counts, CountError>) -> Self {
//! #         Self { text: text.into(), output: BytesMut::new(), counts }
//! #     }
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
//! #         self.counts.complete(reason.map_err(CountError::from).and_then(|_| Counts::parse(&self.output)));
//! #     }
//! # }
//!
//! let (promise, result) = Deferred::new();
//! let mut fake = FakeProcess::new(WordCount::new("a b\n", promise));
//! assert_eq!(fake.written(0), "a b\n");
//! fake.child_writes(1, "      1       2       4\n");
//! fake.exit(0);
//! assert_eq!(result.try_take(), Some(Ok(Counts { lines: 1, words: 2, bytes: 4 })));
//! ```
//!
//! # Extra descriptors: gpg
//!
//! A child's numbers are the program's to choose, and each gets a pipe, a socketpair, a file or a
//! descriptor of the parent:
//!
//! ```
//! use procession::prelude::*;
//!
//! let gpg = Command::new("gpg")
//!     .args(["--decrypt", "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", "3", "--status-fd", "4"])
//!     .child_fd(2, Fd::inherit(io::stderr()))      // 0, 1 and 2 are pipes unless told otherwise
//!     .child_fd(3, Fd::to_child())                 // passphrase (Twisted's "w")
//!     .child_fd(4, Fd::from_child());              // status lines ("r")
//! # drop(gpg);
//! ```
//!
//! The protocol writes to 3 with `process.write_to_child(3, passphrase)`, closes it with
//! `process.close_child_fd(3)`, and hears what 4 says in `child_data_received`.
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
//! let log = reactor.block_on(Run::new("git").args(["log", "-1", "--format=%H"]).timeout(Duration::from_secs(5)).check())?;
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
//! let greetings = (1..=5).map(|n| Run::new("echo").arg(format!("hello {n}")).check());
//! let outcomes = reactor.block_on(run_all(greetings, 2).all_or_first_error())?;   // two at a time
//! assert_eq!(outcomes[4].stdout, "hello 5\n");
//! # Ok(())
//! # }
//! ```
//!
//! # A pipeline
//!
//! The pipes between the stages are theirs alone; the bytes do not pass through the program:
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
//!     while let Some(chunk) = child.stdout().next().await { print!("{}", chunk.escape_ascii()); }
//!     child.ended().await
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! `ended` closes the inputs that were not taken. A stderr that nobody asks for holds nobody up: its end
//! is in `stderr_tail()`, and the last line in the error of `ended`.
//!
//! # A terminal
//!
//! ```
//! use procession::prelude::*;
//! # struct Screen;
//! # impl Screen { fn new() -> Self { Self } }
//! # impl ProcessProtocol for Screen {
//! #     fn connection_made(&mut self, process: &Process) { process.lose_connection() }
//! # }
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let reactor = Reactor::new()?;
//! # let handle = reactor.handle();
//!
//! # // `sh` is everywhere, and the size is asked for at once.
//! # let shell = Command::new("sh").pty(Pty::new().size(24, 80));
//! # let sh = handle.spawn_process(Screen::new(), shell)?;
//! # sh.resize(50, 132)?;
//! # if false {
//! let shell = Command::new("bash").pty(Pty::new().size(24, 80)).env("TERM", "xterm-256color");
//! let bash = handle.spawn_process(Screen::new(), shell)?;
//! bash.resize(50, 132)?;
//! # }
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
//! #
//! # impl FortuneQuoter {
//! #     fn new() -> Self { Self }
//! # }
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
//!     let listener = reactor.listen_tcp(("127.0.0.1", 10999), FortuneQuoter::new)?;
//!     Ok(reactor.run()?)                                       // until stop(), SIGINT, SIGTERM or SIGHUP
//! }
//! ```
//!
//! # Stopping for good
//!
//! ```
//! use procession::prelude::*;
//! # struct Quiet;
//! # impl ProcessProtocol for Quiet {}
//! # fn main() -> Result<(), Box<dyn Error>> {
//! # let mut reactor = Reactor::new()?;
//! # let server = reactor.spawn_process(Quiet, Command::new("sleep").arg("60").owned(true))?;
//!
//! let stopped = server.terminate(Signal::TERM, Duration::from_secs(10));   // then KILL, to the whole group
//! println!("{}", reactor.block_on(stopped)?);                              // ended by signal 15 after 1.2 s
//! # Ok(())
//! # }
//! ```
//!
//! The group is reached where the child leads one of its own: `Command::owned(true)`, which the
//! helpers set. The result then comes when nobody of the group lives, a second after KILL at the
//! latest; `is_gone` tells which.
//!
//! # Without a loop
//!
//! ```
//! # use std::fs::File;
//! # use std::io::Write;
//! # use procession::prelude::Command;
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut child = Command::new("sort").spawn()?;              // 0 to 2 are pipes unless told otherwise
//! File::from(child.take(0)?).write_all(b"b\na\n")?;
//! println!("{}", child.output()?.stdout_utf8()?);
//! # Ok(())
//! # }
//! ```
//!
//! The same commands, descriptors, terminals and errors as with a loop, on any thread. `take` hands out
//! the parent's ends; `wait`, `wait_timeout`, `output` and `terminate` block, and read the outputs that
//! were not taken meanwhile. [`adopt`](crate::prelude::SpawnProcess::adopt) gives such a child to a
//! reactor. A program that needs no more depends on `procession-process-transport` without its default
//! features, which has no loop in its tree.
//!
//! # In another loop
//!
//! A reactor is a descriptor and a deadline: the loop that hosts it calls
//! [`turn`](crate::prelude::Reactor::turn), without waiting, when the descriptor is readable or
//! [`next_deadline`](crate::prelude::Reactor::next_deadline) has come. At the end it calls
//! [`shut_down`](crate::prelude::Reactor::shut_down), which does once what `run` does when it stops.
//! The examples `in_tokio` and `in_calloop` do so. Without that nothing comes: a
//! [`Deferred`](crate::prelude::Deferred) that is awaited in such a loop, on a thread whose reactor nobody
//! turns, waits for ever, and says nothing.
//!
//! # Only the reactor
//!
//! With `procession-reactor = "0.1"` as the only dependency:
//!
//! ```
//! # use std::time::Duration;
//! # use procession_reactor::{Interest, Reactor, Stopped};
//! fn main() -> Result<Stopped, Box<dyn std::error::Error>> {
//!     # let (socket, _peer) = std::os::unix::net::UnixStream::pair()?;
//!     let mut reactor = Reactor::new()?;
//!     reactor.call_later(Duration::from_millis(100), |reactor| reactor.stop());
//!     reactor.register(socket, Interest::READABLE, |socket, readiness| { /* ... */ })?;
//!     Ok(reactor.run()?)
//! }
//! ```

pub mod lifetimes;
pub mod pid_1;
pub mod porting;
pub mod terminals;
