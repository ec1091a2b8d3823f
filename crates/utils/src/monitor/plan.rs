//! [`Monitor`]: which programs are kept running.

use std::collections::BTreeMap;

use procession_process_transport::Command;

use super::error::MonitorError;
use super::policy::Policy;

/// Programs that are kept running: a description, which [`run`](Self::run) and [`start`](Self::start)
/// bring to life.
///
/// Each program has a name, a command and a [`Policy`]. It leads a session and a process group of its
/// own, and ends with this program as that of a [`Run`](crate::Run) does. Its standard input is empty,
/// and both outputs are cut into lines, unless its command says something else.
///
/// # The stop
///
/// Programs are stopped in reverse order: one is asked to stop (TERM, or its
/// [`stop_signal`](Policy::stop_signal)) when all programs that come [after](Policy::after) it have ended,
/// with their whole groups. After its [`stop_grace`](Policy::stop_grace) comes KILL, and a second later
/// it is given up. So a stop takes at most the sum of the graces along the longest chain, and a second
/// for each. A stop of the reactor waits for it: Ctrl-C in [`run_main`](procession_reactor::run_main)
/// leaves nothing of their groups behind; what leaves its group needs a
/// [scope](procession_process_transport::Command::scope). If the program itself is killed, the kernel kills
/// what it has started, on Linux, but not what that has started.
///
/// # What it costs
///
/// A program costs 4 KiB of memory and three descriptors, and up to 12 KiB more for the end of its output.
/// A restart is one spawn, and a look at what the last run has left. Nothing is polled, except for
/// [`Ready::tcp`](crate::Ready#what-each-way-costs) and its neighbours while a program starts.
///
/// # Examples
///
/// ```
/// use procession::{Command, Monitor, Policy, Reactor, Ready};
/// use std::time::Duration;
///
/// let setup = Command::new("sh").args(["-c", "echo creating tables"]);
/// let server = Command::new("sh").args(["-c", "echo up; exit 0"]);
/// let services = Monitor::new()
///     .add("setup", setup, Policy::never())
///     .add("server", server, Policy::on_failure().after("setup").ready_when(Ready::line("up")));
/// // `server` starts when `setup` has started: a program without a readiness is ready then.
/// // The monitor ends when every program has ended for good.
/// Reactor::new()?.block_on(services.run())?;
///
/// let circle = Monitor::new()
///     .add("a", "true", Policy::always().after("b"))
///     .add("b", "true", Policy::always().after("a"));
/// let error = circle.check().unwrap_err().to_string();
/// assert_eq!(error, "these programs come after each other in a circle: a after b after a");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A program that dies by Ctrl-C, after its services have ended in reverse order:
///
/// ```no_run
/// // Not run: it needs postgres, and a server.
/// use procession::{Command, Monitor, Policy, Reactor, Ready, Stopped};
/// use std::time::Duration;
///
/// fn main() -> Result<Stopped, procession::MonitorError> {
///     let services = Monitor::new()
///         .add("db", Command::new("postgres").args(["-D", "data"]), Policy::always().ready_when(Ready::tcp(5432)))
///         .add("web", Command::new("./web"), Policy::on_failure().after("db").backoff(Duration::from_millis(200), Duration::from_secs(30)));
///     Reactor::new()?.run_main(services.run())
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "a monitor does nothing until it is run or started"]
pub struct Monitor {
    pub(super) programs: Vec<Planned>,
}

/// A program as it was added.
#[derive(Debug, Clone)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) command: Command,
    pub(super) policy: Policy,
}

/// The longest name, in bytes.
const NAME_BYTES: usize = 100;

impl Monitor {
    /// Creates a monitor of no programs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a program. The order of additions does not matter.
    #[doc(alias = "addProcess")]
    pub fn add(
        mut self,
        name: impl Into<String>,
        command: impl Into<Command>,
        policy: Policy,
    ) -> Self {
        self.programs.push(Planned { name: name.into(), command: command.into(), policy });
        self
    }

    /// Checks names, policies and the order of the programs. Each method that brings the monitor to life
    /// does so first.
    ///
    /// # Errors
    ///
    /// What is wrong with the first program that something is wrong with.
    pub fn check(&self) -> Result<(), MonitorError> {
        let mut places = BTreeMap::new();
        for (planned, at) in self.programs.iter().zip(0..) {
            let name = &planned.name;
            if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
                return Err(MonitorError::Name { name: name.clone() });
            }
            if let Some(fault) = planned.policy.fault() {
                return Err(MonitorError::Policy { program: name.clone(), fault });
            }
            if places.insert(name.as_str(), at).is_some() {
                return Err(MonitorError::Duplicate { program: name.clone() });
            }
        }
        for planned in &self.programs {
            for after in &planned.policy.after {
                if !places.contains_key(after.as_str()) {
                    let (program, after) = (planned.name.clone(), after.clone());
                    return Err(MonitorError::UnknownDependency { program, after });
                }
            }
        }
        match self.circle(&places) {
            Some(programs) => Err(MonitorError::Cycle { programs }),
            None => Ok(()),
        }
    }

    /// Returns the programs of a circle, the first one also as the last.
    fn circle(&self, places: &BTreeMap<&str, usize>) -> Option<Vec<String>> {
        // Programs that come after no program that is left are taken out until there are none. Each of
        // the rest comes after one of the rest.
        let mut left: Vec<usize> = (0..self.programs.len()).collect();
        let after =
            |at: usize| self.programs[at].policy.after.iter().map(|name| places[name.as_str()]);
        loop {
            let before = left.len();
            let rest: Vec<usize> = left
                .iter()
                .copied()
                .filter(|at| after(*at).any(|one| left.contains(&one)))
                .collect();
            left = rest;
            if left.len() == before {
                break;
            }
        }
        let mut way = vec![*left.first()?];
        loop {
            let last = *way.last()?;
            let next = after(last).find(|one| left.contains(one))?;
            if let Some(from) = way.iter().position(|at| *at == next) {
                let circle = way[from..].iter().chain([&next]);
                return Some(circle.map(|at| self.programs[*at].name.clone()).collect());
            }
            way.push(next);
        }
    }
}
