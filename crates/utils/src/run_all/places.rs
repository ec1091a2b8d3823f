//! [`Places`]: where the programs of a [`run_all`](crate::run_all()) run, and their slots.

use procession_core::driver::WithCell;

use crate::hosts::{Host, Pool};
use crate::{HostProgress, Hosts};

/// Where the programs of a [`run_all`](crate::run_all()) run: a number is how many run at a time here;
/// [`Hosts`] are other machines.
#[derive(Debug, Clone)]
pub struct Places(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Here(usize),
    Hosts(Hosts),
}

/// Here, at most so many at a time; 0 counts as 1.
impl From<usize> for Places {
    fn from(parallelism: usize) -> Self {
        Self(Kind::Here(parallelism.max(1)))
    }
}

impl From<Hosts> for Places {
    fn from(hosts: Hosts) -> Self {
        Self(Kind::Hosts(hosts))
    }
}

/// The slots of a batch.
pub(super) enum Slots {
    Here(usize),
    Hosts(HostSlots),
}

pub(super) struct HostSlots {
    pub(super) hosts: Vec<Host>,
    pub(super) pool: WithCell<Pool>,
}

/// A slot of a running program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Here,
    /// The index of the host.
    Host(usize),
}

impl From<Places> for Slots {
    fn from(places: Places) -> Self {
        match places.0 {
            Kind::Here(parallelism) => Self::Here(parallelism),
            Kind::Hosts(Hosts(hosts)) => {
                let names = hosts.iter().map(|host| (host.place.name().into_owned(), host.slots));
                let pool = WithCell::new(Pool::new(names.collect::<Vec<_>>()));
                Self::Hosts(HostSlots { hosts, pool })
            }
        }
    }
}

impl Slots {
    /// Takes a slot for one more program, if there is one.
    pub(super) fn take(&self, running: usize) -> Option<Slot> {
        match self {
            Self::Here(parallelism) => (running < *parallelism).then_some(Slot::Here),
            Self::Hosts(slots) => slots.pool.with(|pool| pool.take_slot()).map(Slot::Host),
        }
    }

    /// Returns the hosts, if there are any.
    pub(super) fn progress(&self) -> Option<Vec<HostProgress>> {
        match self {
            Self::Here(_) => None,
            Self::Hosts(slots) => Some(slots.pool.with(|pool| pool.progress())),
        }
    }
}
