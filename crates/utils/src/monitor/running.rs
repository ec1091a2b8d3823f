//! [`RunningMonitor`]: the handle of a monitor that runs.

use std::fmt;
use std::rc::Rc;

use procession_core::{Deferred, Failed, NoError};
use procession_reactor::Handle;

use super::error::MonitorError;
use super::event_queue::{EventQueue, MonitorEvents};
use super::plan::Monitor;
use super::state::MonitorState;
use super::supervision::Supervision;
use super::table::MonitorTable;

impl Monitor {
    /// Runs the programs until every one has ended for good: a future for
    /// [`run_main`](procession_reactor::run_main), `run_until`, `block_on` or `spawn_local`.
    ///
    /// Dropping the future stops the programs in reverse order. A program that waits for one that has
    /// ended without being ready does not keep the future from its end.
    ///
    /// # Errors
    ///
    /// What is wrong with the monitor, before anything starts; or, at the end, [`MonitorError::Failed`]
    /// for the first program that failed for good. The others run on until then.
    ///
    /// # Panics
    ///
    /// The future panics if its thread has no reactor.
    pub async fn run(self) -> Result<(), MonitorError> {
        let running = self.start_on(&Handle::current())?;
        running.ended().await.map_err(|failed| match failed {
            Failed::Error(error) => error,
            // The reactor is gone.
            _ => MonitorError::Stopped,
        })
    }

    /// Starts the programs on the reactor of this thread, in its next turn. See [`RunningMonitor`].
    ///
    /// # Errors
    ///
    /// What is wrong with the monitor. Nothing was started.
    ///
    /// # Panics
    ///
    /// If the thread has no reactor ([`Handle::current`]).
    #[track_caller]
    #[doc(alias = "startService")]
    pub fn start(self) -> Result<RunningMonitor, MonitorError> {
        self.start_on(&Handle::current())
    }

    /// Starts the programs on this reactor, in its next turn. See [`RunningMonitor`].
    ///
    /// # Errors
    ///
    /// What is wrong with the monitor. Nothing was started.
    pub fn start_on(self, reactor: &Handle) -> Result<RunningMonitor, MonitorError> {
        self.check()?;
        let supervision = Supervision::new(reactor);
        let running = RunningMonitor(Rc::new(Owner(Rc::clone(&supervision))));
        supervision.begin(self)?;
        Ok(running)
    }
}

/// A monitor that runs: a handle, cheap to clone. Dropping the last clone stops the programs in reverse
/// order, in the background; the shutdown of the reactor waits for that.
///
/// On another executor, or on a thread that blocks, [`Background`](crate::Background) runs it:
///
/// ```
/// use procession::{Background, Command, Monitor, MonitorChange, Policy};
///
/// let background = Background::start()?;
/// let lines = background.call(|_handle| async {
///     let ticks = Command::new("sh").args(["-c", "while :; do echo tick; sleep 0.01; done"]);
///     let monitor = Monitor::new().add("ticks", ticks, Policy::always()).start()?;
///     let mut events = monitor.events();
///     let mut lines = Vec::new();
///     while let Some(event) = events.next().await {
///         if let MonitorChange::Line(line) = event.change {
///             lines.push(line.to_string());
///         }
///         if lines.len() == 3 {
///             break;
///         }
///     }
///     println!("{}", monitor.table());
///     monitor.shutdown().await.ok();
///     Ok::<_, procession::MonitorError>(lines)
/// });
/// assert_eq!(lines.wait()??, ["tick"; 3]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
#[must_use = "dropping the last handle stops the programs"]
pub struct RunningMonitor(Rc<Owner>);

/// What the handles share. Its drop begins the stop.
struct Owner(Rc<Supervision>);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.stop_all();
    }
}

impl RunningMonitor {
    fn supervision(&self) -> &Rc<Supervision> {
        &self.0.0
    }

    /// Starts a program that is stopped, done, failed or pausing. It waits for those that it comes after,
    /// which are not started by this.
    ///
    /// # Errors
    ///
    /// [`MonitorError::Unknown`] and [`MonitorError::Stopped`].
    #[doc(alias = "startProcess")]
    pub fn start(&self, program: &str) -> Result<(), MonitorError> {
        self.supervision().ask(program, MonitorState::on_start)
    }

    /// Stops a program for good. Those that come after it run on.
    ///
    /// # Errors
    ///
    /// [`MonitorError::Unknown`] and [`MonitorError::Stopped`].
    #[doc(alias = "stopProcess")]
    pub fn stop(&self, program: &str) -> Result<(), MonitorError> {
        self.supervision().ask(program, MonitorState::on_stop)
    }

    /// Stops a program, and starts it when it has ended. Those that come after it run on.
    ///
    /// # Errors
    ///
    /// [`MonitorError::Unknown`] and [`MonitorError::Stopped`].
    pub fn restart(&self, program: &str) -> Result<(), MonitorError> {
        self.supervision().ask(program, MonitorState::on_restart)
    }

    /// Replaces the programs by those of another monitor. Names say which program is which.
    ///
    /// A program whose command or readiness has changed restarts, and so does what comes after it, in
    /// reverse order. A new one starts, one that is missing stops, and all others run on; a change of
    /// other parts of a policy needs no restart. An unchanged program that was stopped, is done or has
    /// failed stays so. A closure or an inherited descriptor is unchanged only as a clone of the one before.
    ///
    /// # Errors
    ///
    /// What is wrong with the new monitor, or [`MonitorError::Stopped`]. Then nothing has changed.
    #[doc(alias = "addProcess")]
    #[doc(alias = "removeProcess")]
    pub fn reload(&self, monitor: Monitor) -> Result<(), MonitorError> {
        self.supervision().reload(monitor)
    }

    /// Returns the events from now on.
    ///
    /// At most 1024 events wait for the program to take them. Then the oldest are discarded; the next
    /// event says [how many](crate::MonitorEvent::skipped). Events slow no program down.
    pub fn events(&self) -> MonitorEvents {
        let queue = EventQueue::new();
        self.supervision().listen(&queue);
        MonitorEvents::new(queue)
    }

    /// Returns the state of every program.
    pub fn table(&self) -> MonitorTable {
        self.supervision().table()
    }

    /// Returns a result that comes when every program has ended for good, as that of
    /// [`Monitor::run`].
    pub fn ended(&self) -> Deferred<(), MonitorError> {
        self.supervision().ended()
    }

    /// Stops the programs in reverse order, for good. The result comes when they have ended.
    #[must_use = "the stop takes some time"]
    #[doc(alias = "stopService")]
    pub fn shutdown(&self) -> Deferred<(), NoError> {
        self.supervision().shut_down()
    }
}

impl fmt::Debug for RunningMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunningMonitor").field("programs", &self.table().rows).finish()
    }
}
