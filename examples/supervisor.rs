//! Keeps the commands of a file running: `supervisor FILE [SECONDS]`.
//!
//! Each line of FILE is `name: command`, and `sh` runs the command. Empty lines, and lines that
//! begin with `#`, are skipped. A command that ends is started again after a pause. The pause
//! doubles with each short run. The output of a command is printed line by line after its name and
//! a bar; the supervisor's own messages have a star there. SIGTERM, SIGINT, SIGHUP and the end of
//! SECONDS stop everything: each group gets TERM, and KILL after some seconds. The supervisor ends
//! when all commands have ended.

use std::cell::Cell;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result};
use procession::prelude::*;
use procession::{DelayedCall, NoError, gather};
use procession::{Phase, SystemEvent};

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// After a run of at least this length, the pause is the first one again.
const LONG_RUN: Duration = Duration::from_secs(5);
/// The time between TERM and KILL.
const GRACE: Duration = Duration::from_secs(5);
/// How long descendants may hold the output after the command's exit.
const DRAIN: Duration = Duration::from_secs(1);

/// A line of the file, and its state.
struct Service {
    name: String,
    command: Command,
    /// The pause before the next start.
    pause: Cell<Duration>,
    process: Cell<Option<Process>>,
    next_start: Cell<Option<DelayedCall>>,
    /// The supervisor is stopping: nothing is started any more.
    stopping: Cell<bool>,
    /// Completed when the service has stopped.
    stopped: Cell<Option<Promise<(), NoError>>>,
}

impl Service {
    fn new(name: &str, command: &str) -> Rc<Self> {
        let command = Command::new("sh")
            .args(["-c", command])
            .child_fd(0, Fd::null())
            .child_fd(2, Fd::same_as(1))
            .owned(true)
            .kill_on_drop(true)
            .drain_after_exit(DRAIN);
        Rc::new(Self {
            name: name.to_owned(),
            command,
            pause: Cell::new(FIRST_PAUSE),
            process: Cell::default(),
            next_start: Cell::default(),
            stopping: Cell::default(),
            stopped: Cell::default(),
        })
    }

    fn say(&self, what: &str) {
        println!("{} * {what}", self.name);
    }

    fn start(self: &Rc<Self>) {
        let run = Run { service: Rc::clone(self), lines: LineReceiver::new(), since: now() };
        if let Err(error) = Handle::current().spawn_process(run, &self.command) {
            self.start_later(&error.to_string());
        }
    }

    fn start_later(self: &Rc<Self>, why: &str) {
        let pause = self.pause.get();
        self.pause.set(LONGEST_PAUSE.min(pause * 2));
        self.say(&format!("{why}; again in {:.1} s", pause.as_secs_f64()));
        let service = Rc::clone(self);
        let call = Handle::current().call_later(pause, move |_| service.start());
        self.next_start.set(Some(call));
    }

    /// Ends the service for good.
    fn stop(&self) -> Deferred<(), NoError> {
        self.stopping.set(true);
        if let Some(next_start) = self.next_start.take() {
            next_start.cancel();
        }
        let Some(process) = self.process.take() else { return Deferred::ready(Ok(())) };
        let (promise, stopped) = Deferred::new();
        self.stopped.set(Some(promise));
        // `process_ended` reports how it ended.
        process.terminate(Signal::TERM, GRACE).done(drop);
        stopped
    }
}

fn now() -> Duration {
    Handle::current().now()
}

/// One run of a service.
struct Run {
    service: Rc<Service>,
    lines: LineReceiver,
    since: Duration,
}

impl Run {
    fn print_lines(&mut self) {
        while let Some(line) = self.lines.poll() {
            println!("{} | {}", self.service.name, String::from_utf8_lossy(&line));
        }
    }
}

impl ProcessProtocol for Run {
    fn connection_made(&mut self, process: &Process) {
        if let Some(pid) = process.pid() {
            self.service.say(&format!("started as {pid}"));
        }
        self.service.process.set(Some(process.clone()));
    }

    fn out_received(&mut self, _: &Process, data: Bytes) {
        self.lines.on_data(data);
        self.print_lines();
    }

    fn out_connection_lost(&mut self, _: &Process) {
        self.lines.on_end();
        self.print_lines();
    }

    fn process_ended(&mut self, _: &Process, reason: ExitReason) {
        let service = &self.service;
        let ran = now() - self.since;
        let how = reason.map_or_else(|error| error.to_string(), |done| done.to_string());
        let how = format!("{how} after {:.1} s", ran.as_secs_f64());
        service.process.set(None);
        if service.stopping.get() {
            service.say(&how);
            if let Some(stopped) = service.stopped.take() {
                stopped.complete(Ok(()));
            }
            return;
        }
        if ran >= LONG_RUN {
            service.pause.set(FIRST_PAUSE);
        }
        service.start_later(&how);
    }
}

fn parse(text: &str) -> Result<Vec<Rc<Service>>> {
    let mut services = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, command) =
            line.split_once(':').with_context(|| format!("line {number} is no `name: command`"))?;
        services.push(Service::new(name.trim(), command.trim()));
    }
    Ok(services)
}

fn run() -> Result<Stopped> {
    let mut args = std::env::args().skip(1);
    let path = args.next().context("usage: supervisor FILE [SECONDS]")?;
    let seconds: Option<f64> = match args.next() {
        Some(text) => Some(text.parse().with_context(|| format!("{text:?} is no number"))?),
        None => None,
    };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let services = parse(&text).with_context(|| format!("cannot understand {path}"))?;

    let mut reactor = Reactor::new()?;
    for service in &services {
        let service = Rc::clone(service);
        reactor.call_when_running(move |_| service.start());
    }
    if let Some(seconds) = seconds {
        let seconds = Duration::try_from_secs_f64(seconds).context("no time to run")?;
        reactor.call_later(seconds, |reactor| reactor.stop());
    }
    // The loop continues until all services have stopped.
    reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |_| {
        gather(services.iter().map(|service| service.stop()))
    });
    let stopped = reactor.run()?;
    match stopped {
        Stopped::Signal(signal) => println!("supervisor * stopped by {signal}"),
        _ => println!("supervisor * stopped"),
    }
    Ok(stopped)
}

fn main() -> ExitCode {
    procession_examples::end("supervisor", run())
}
