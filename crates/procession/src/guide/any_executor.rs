//! Programs on tokio, smol or another executor, and programs without any.
//!
//! A [`Background`](crate::Background) runs the loop on a thread of its own. Start one for the whole
//! program, clone it wherever it is needed, and await its results on any executor. Nothing else is
//! needed: no runtime feature, no adapter, no local task.
//!
//! On tokio, use `procession-tokio` (the feature `tokio`) if the program needs children alone, in the
//! form of `tokio::process`, without a second thread. Use a `Background` on any other executor, and on
//! tokio if the program needs [`Run`](crate::Run), pipelines, protocols or connections too.
//!
//! # A program and its output
//!
//! ```
//! use procession::{Background, Bytes, Reactor, Run};
//! use std::error::Error;
//! use std::time::Duration;
//!
//! /// A handler, as a web framework has them.
//! async fn shout(children: &Background, text: Bytes) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
//!     let tr = Run::new("tr").args(["a-z", "A-Z"]).stdin(text);
//!     Ok(children.run(tr.timeout(Duration::from_secs(5)).check()).await?.stdout)
//! }
//!
//! fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
//!     let children = Background::start()?;
//!     // Any other executor does as well as this reactor.
//!     let shouted = Reactor::new()?.block_on(shout(&children, "hello".into()))?;
//!     assert_eq!(shouted, "HELLO");
//!     Ok(())
//! }
//! ```
//!
//! If the client goes away, a framework drops the future of its handler. That drops the result of
//! `run`, and the program's group is terminated.
//!
//! A thread that may block calls [`wait`](crate::InBackground::wait) instead. In a thread of an executor
//! that blocks all other tasks of the thread.
//!
//! # A child
//!
//! ```
//! use procession::{Background, Command};
//!
//! # futures_lite::future::block_on(async {
//! let background = Background::start()?;
//! let mut sort = background.spawn_child(Command::new("sort").kill_on_drop(true)).await?;
//! sort.write("b\na\n").await?; // waits while the child does not read
//! sort.close_stdin();
//! while let Some(chunk) = sort.stdout().next().await { // a `Stream` of `Bytes`
//!     assert_eq!(chunk, "a\nb\n");
//! }
//! sort.wait().await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! A slow consumer slows the child down, and memory stays bounded. `take_input` and `take_output` give
//! both to other tasks.
//!
//! # Everything else
//!
//! Terminals, connections, protocols and timers live on the loop's thread. A call goes there, and its
//! future need not be `Send`:
//!
//! ```
//! use procession::{Background, Command, Pty, SpawnProcess};
//!
//! let background = Background::start()?;
//! let shown = background.call(|handle| async move {
//!     let mut tty = handle.spawn_child(Command::new("tty").pty(Pty::new()))?;
//!     let output = tty.stdout().collect().await;
//!     tty.ended().await?;
//!     Ok::<_, procession::ChildError>(output)
//! });
//! let shown = shown.wait()??;
//! assert!(shown.starts_with(b"/dev/pts/"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Do not block there: everything else of the background waits meanwhile.
//!
//! # The end
//!
//! Drop the last handle, or await [`shutdown`](crate::Background::shutdown), before the program ends:
//! both wait until the groups of the programs have ended. A signal that ends the program is the
//! program's own affair, because a background installs no handler. Either shut the background down when
//! your runtime reports the signal, or call
//! [`end_children_with_program`](crate::end_children_with_program) at the start of `main`. With neither,
//! Linux kills the programs of runs, but not what they have started ([`lifetimes`](super::lifetimes)).
