//! [`Hosts`]: the machines of a [`run_all`](crate::run_all()).

mod pool;
mod progress;

use std::fmt;

pub(crate) use pool::Pool;
pub use progress::{HostProgress, HostState};

use crate::launcher::place::Place;
use crate::{Launcher, Srun, Ssh};

/// Machines that a [`run_all`](crate::run_all()) sends its runs to.
///
/// A run goes to a free slot, on the host that has the smallest part of its slots taken. A host that
/// cannot be reached is set aside, for a second at first and twice as long each further time, at most a
/// minute; its runs go elsewhere. If the connection is lost, runs that had not started go elsewhere. Runs
/// that may have started give [`OutputError::ConnectionLost`](crate::OutputError::ConnectionLost), or start
/// again, on any host, if they have a [`retry`](crate::Run::retry) left.
///
/// If no host is left and each has failed three times in a row, the waiting runs give
/// [`OutputError::Unreachable`](crate::OutputError::Unreachable).
///
/// # Examples
///
/// ```no_run
/// // Not run: it needs hosts.
/// use procession::{Hosts, Reactor, Run, Ssh, run_all};
///
/// let hosts = Hosts::new([Ssh::new("build@a").slots(8), Ssh::new("build@b").slots(8)]);
/// let jobs = (0..100).map(|n| Run::new("./job").arg(n.to_string()).check());
/// let outcomes = Reactor::new()?.block_on(run_all(jobs, hosts).all_or_first_error())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "hosts do nothing until a `run_all` has them"]
pub struct Hosts(pub(crate) Vec<Host>);

/// One of the machines of [`Hosts`], and how many runs go there at a time.
#[derive(Clone)]
pub struct Host {
    pub(crate) place: Place,
    pub(crate) slots: usize,
}

impl Hosts {
    /// Collects hosts. Without any, each run gives
    /// [`OutputError::Unreachable`](crate::OutputError::Unreachable).
    pub fn new(hosts: impl IntoIterator<Item = impl Into<Host>>) -> Self {
        Self(hosts.into_iter().map(Into::into).collect())
    }

    /// Adds a host, which may be of another kind.
    pub fn and(mut self, host: impl Into<Host>) -> Self {
        self.0.push(host.into());
        self
    }
}

impl Host {
    /// Makes a host of any launcher, with so many slots, at least one.
    pub fn new(launcher: &(impl Launcher + Clone + 'static), slots: usize) -> Self {
        Self { place: Place::of(launcher), slots: slots.max(1) }
    }
}

impl From<Ssh> for Host {
    fn from(ssh: Ssh) -> Self {
        Self::new(&ssh, ssh.slots)
    }
}

impl From<Srun> for Host {
    fn from(srun: Srun) -> Self {
        Self::new(&srun, srun.slots)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("name", &self.place.name())
            .field("slots", &self.slots)
            .finish()
    }
}
