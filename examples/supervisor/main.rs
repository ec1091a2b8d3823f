//! Keeps the programs of a file running: `supervisor FILE.toml`.
//!
//! `examples/supervisor.toml` shows what a file can say. A line that a program writes is printed after
//! its name and a bar; what happens to a program, and the supervisor's own messages, have a star there.
//! On a terminal, a table of all programs stays below the lines.
//!
//! SIGHUP reads the file again: programs that have changed restart, those that are gone stop, new ones
//! start. If the file is wrong, all stays as it was. SIGINT and SIGTERM stop the programs, in the
//! reverse order of `after`, and then the supervisor dies by that signal. It also ends when every program
//! has ended for good; its status is 1 if one has failed.

mod file;
mod program;
mod screen;
mod value;

use std::cell::Cell;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use procession::prelude::*;
use procession::{
    MonitorChange, MonitorEvent, MonitorEvents, NoError, Phase, RunningMonitor, SystemEvent,
};

use crate::screen::Screen;

/// How often the times of the table change.
const REFRESH: Duration = Duration::from_secs(1);
/// The name before the supervisor's own messages.
const OWN: &str = "supervisor";

/// Prints what happens until the monitor has stopped.
async fn print(
    screen: &Screen,
    mut events: MonitorEvents,
    running: &RunningMonitor,
) -> io::Result<()> {
    while let Some(MonitorEvent { program, change, skipped, .. }) = events.next().await {
        if skipped > 0 {
            screen.line(OWN, '*', format!("{skipped} messages are lost").as_bytes())?;
        }
        match change {
            MonitorChange::Line(line) => screen.line(&program, '|', &line)?,
            change => {
                screen.line(&program, '*', change.to_string().as_bytes())?;
                screen.show(&running.table())?;
            }
        }
    }
    Ok(())
}

/// Reads the file again. Returns what to say about that.
fn reload(path: &Path, running: &RunningMonitor) -> String {
    let reloaded = file::read(path).map_err(anyhow::Error::from);
    match reloaded.and_then(|monitor| Ok(running.reload(monitor)?)) {
        Ok(()) => format!("{} is read again", path.display()),
        Err(error) => format!("nothing has changed: {error}"),
    }
}

fn run() -> Result<Stopped> {
    let mut args = std::env::args_os().skip(1);
    let (Some(path), None) = (args.next(), args.next()) else {
        bail!("usage: supervisor FILE.toml");
    };
    let path = PathBuf::from(path);
    let monitor = file::read(&path)?;

    let reactor = Reactor::new()?;
    let handle = reactor.handle();
    let running = monitor.start_on(&handle)?;
    let screen = Rc::new(Screen::new());

    // Output that nobody takes any more ends the supervisor.
    let failed = Rc::new(Cell::new(None));
    let fail = {
        let (failed, handle) = (Rc::clone(&failed), handle.clone());
        move |error: io::Error| {
            failed.set(Some(error));
            handle.stop();
        }
    };

    // The printing goes on during the stop, which waits for it.
    let (all_printed, printing) = Deferred::<(), NoError>::new();
    let printer = {
        let (screen, running, fail) = (Rc::clone(&screen), running.clone(), fail.clone());
        let events = running.events();
        async move {
            print(&screen, events, &running).await.unwrap_or_else(fail);
            all_printed.complete(Ok(()));
        }
    };
    let _printer = handle.spawn_local(printer);
    handle.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |_| Some(printing));

    let _hang_up = {
        let (screen, running, fail) = (Rc::clone(&screen), running.clone(), fail.clone());
        handle.on_signal(Signal::HUP, move |_| {
            let news = reload(&path, &running);
            // When it is the terminal that has hung up, this fails.
            screen.line(OWN, '*', news.as_bytes()).unwrap_or_else(&fail);
        })?
    };
    let _refresh = screen.has_table().then(|| {
        let (screen, running) = (Rc::clone(&screen), running.clone());
        handle.call_every(REFRESH, move |_, _| {
            screen.show(&running.table()).unwrap_or_else(&fail);
        })
    });

    let programs = async move {
        let ended = running.ended().await;
        running.shutdown().await.ok(); // which ends the printing
        Ok::<(), anyhow::Error>(ended?)
    };
    let stopped = reactor.run_main(programs);
    if let Some(error) = failed.take() {
        return Err(error).context("cannot print");
    }
    let stopped = stopped?;
    let why = match stopped {
        Stopped::Signal(signal) => format!("stopped by {signal}"),
        _ => "every program has ended".to_owned(),
    };
    writeln!(io::stdout(), "{OWN} * {why}").context("cannot print")?;
    Ok(stopped)
}

fn main() -> ExitCode {
    procession_examples::end(OWN, run())
}
