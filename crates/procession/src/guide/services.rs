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
//! `run` ends when every program has ended for good, with the first failure as its error. The outputs of
//! the programs are read and, but for their last lines, discarded: the events below have every line.
//! `after` orders starts and stops. If `db` alone restarts, `web` runs on, and has to connect again by
//! itself.
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
//!             MonitorChange::Line(line) => lines.push(line.to_string()),
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
//! A reload takes a whole new monitor. Programs whose command or readiness has changed restart, and a wrong
//! monitor changes nothing; [`Handle::on_signal`](crate::Handle::on_signal) does it at a SIGHUP:
//!
//! ```
//! use procession::{Command, Handle, Monitor, MonitorChange, Policy, Reactor, Signal};
//!
//! fn services(version: &str) -> Monitor {
//!     let server = Command::new("sh").args(["-c", "echo $VERSION; exec sleep 60"]);
//!     Monitor::new().add("server", server.env("VERSION", version), Policy::always())
//! }
//!
//! let mut reactor = Reactor::new()?;
//! let lines = reactor.block_on(async {
//!     let running = services("1").start()?;
//!     let mut events = running.events();
//!     let again = running.clone();
//!     let _hang_up = Handle::current().on_signal(Signal::HUP, move |_| {
//!         if let Err(error) = again.reload(services("2")) {
//!             eprintln!("nothing has changed: {error}");
//!         }
//!     })?;
//!     let mut lines = Vec::new();
//!     while let Some(event) = events.next().await {
//!         if let MonitorChange::Line(line) = event.change {
//!             lines.push(line.to_string());
//!             if lines.len() == 2 {
//!                 break;
//!             }
//!             std::process::Command::new("sh").args(["-c", "kill -HUP $PPID"]).status()?;
//!         }
//!     }
//!     running.shutdown().await.ok();
//!     Ok::<_, procession::MonitorError>(lines)
//! })?;
//! assert_eq!(lines, ["1", "2"]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `cargo run --example supervisor -- examples/supervisor.toml` is a whole program: it reads such a monitor
//! from TOML, reads the file again at SIGHUP, and shows a live table on a terminal.
//!
//! ## What it costs
//!
//! | Measured with 1,000 programs, on Linux on x86-64 | Each |
//! | --- | --- |
//! | memory of a program that writes nothing | 4.3 KiB; 1.5 KiB are those of any child with two pipes |
//! | memory of one that writes much | 16 KiB: the last 4 KiB of its output are kept in 8 KiB |
//! | descriptors | 3: two outputs, and the pidfd. The usual limit of 1,024 is enough for 330 programs. |
//! | wake-ups while nothing happens | none: the loop slept for the whole ten seconds of the measurement |
//!
//! A restart is one spawn, and a look at what the last run has left in its group. At most 1,024 events wait
//! in a stream that nobody reads. Each change of one program is compared with all others, so a monitor is
//! for hundreds of programs, not for tens of thousands.
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
