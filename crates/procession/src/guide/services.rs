//! Programs that are kept running, and programs that show that they are ready.
//!
//! # Services
//!
//! A [`Monitor`](crate::Monitor) keeps programs running. Each has a name, a command and a
//! [`Policy`](crate::Policy).
//!
//! ```no_run
//! // Not run: it needs postgres, and a server.
//! use procession::{Command, Monitor, Policy, Reactor, Ready, Stopped};
//! use std::time::Duration;
//!
//! fn main() -> Result<Stopped, procession::MonitorError> {
//!     let db = Command::new("postgres").args(["-D", "data"]);
//!     let web = Policy::on_failure().after("db");
//!     let web = web.backoff(Duration::from_millis(200), Duration::from_secs(30));
//!     let services = Monitor::new()
//!         .add("db", db, Policy::always().ready_when(Ready::tcp(5432)))
//!         .add("web", Command::new("./web"), web);
//!     // On Ctrl-C they end in reverse order: TERM, a grace, KILL. Then the program dies by the signal.
//!     Reactor::new()?.run_main(services.run())
//! }
//! ```
//!
//! A program that cannot be started counts as one that has failed, and is tried again. A restart follows
//! the exit of the program, also if a descendant holds its outputs open. Wrong names, circles of
//! dependencies and contradictions are [errors](crate::MonitorError) before anything starts.
//!
//! [`Monitor::start`](crate::Monitor::start) gives a handle with the verbs: start, stop or restart one
//! program, reload all, look at the events or the table.
//!
//! ```
//! use procession::{Command, Monitor, MonitorChange, Policy, Reactor};
//!
//! let mut reactor = Reactor::new()?;
//! let lines = reactor.block_on(async {
//!     let hello = Command::new("sh").args(["-c", "echo hello; exit 0"]);
//!     let running = Monitor::new().add("hello", hello, Policy::never()).start()?;
//!     let mut events = running.events();
//!     let mut lines = Vec::new();
//!     while let Some(event) = events.next().await {
//!         match event.change {
//!             MonitorChange::Line(line) => lines.push(String::from_utf8_lossy(&line).into_owned()),
//!             MonitorChange::Done => break,
//!             _ => {}
//!         }
//!     }
//!     println!("{}", running.table());
//!     Ok::<_, procession::MonitorError>(lines)
//! })?;
//! assert_eq!(lines, ["hello"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! ## What it costs
//!
//! A program costs what a child on the loop costs, and some 12 KiB for the end of its output. A restart is
//! one spawn, and a look at what the last run has left. At most 1024 events wait in a stream that nobody
//! reads. Nothing is polled while programs run.
//!
//! # Readiness
//!
//! [`Ready`](crate::Ready) says how a program shows that it is ready. A policy takes it, or
//! [`Ready::start`](crate::Ready::start) starts one program with it and no monitor. Not being ready in time
//! is an error that has the output so far; the program and its group have ended by then.
//!
//! | Way | The program | Cost until it is ready |
//! | --- | --- | --- |
//! | [`line`](crate::Ready::line), [`line_where`](crate::Ready::line_where) | writes a line | a look at each line |
//! | [`tcp`](crate::Ready::tcp), [`tcp_at`](crate::Ready::tcp_at), [`unix`](crate::Ready::unix) | accepts connections | a connection after 5, 10, 20 … ms, at most 250 ms apart |
//! | [`file`](crate::Ready::file) | writes a file | a look at the file, as often |
//! | [`fd`](crate::Ready::fd) | writes a line feed to a descriptor, as s6 expects it | a pipe |
//! | [`notify`](crate::Ready::notify) | calls `sd_notify(3)`; on Linux | a socket, while the program runs |
//!
//! A port or a socket on which another process accepts already would show the wrong program as ready, so
//! nothing is started: [`AlreadyReady`](crate::ReadyError::AlreadyReady). A monitor tries again later.
