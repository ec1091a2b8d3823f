//! The limits of a scope, and what its processes have used.

use std::io;
use std::time::Duration;

#[cfg(target_os = "linux")]
use super::cgroup::{NoLimit, cpu_time};
use super::error::ScopeError;
use super::handle::Scope;
#[cfg(not(target_os = "linux"))]
use super::no_cgroup::{NoLimit, cpu_time};

/// The bounds of the kernel for the period of a limit of processor time, and for the time within it.
const PERIODS: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(1);

/// What the processes of a [`Scope`] have used so far, those that have ended included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeUsage {
    /// The processor time of all of them.
    pub cpu: Duration,
    /// The most memory that they had at one time together, in bytes.
    pub memory_peak: u64,
}

impl Scope {
    /// Limits the memory of all that is in it together, in bytes; the system rounds down to a page. If
    /// they need more, the kernel kills one of them.
    ///
    /// Swap does not count.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Invalid`] for 0. [`ScopeError::Unsupported`] if the system cannot enforce it: no
    /// cgroup, no memory controller, or a cgroup above that cannot hand the controller on because it
    /// has processes itself; see [`within`](Self::within). Otherwise the kernel's reason.
    ///
    /// # Examples
    ///
    /// ```
    /// use procession::{Scope, ScopeError};
    ///
    /// match Scope::new("limited")?.memory_max(512 << 20) {
    ///     Ok(scope) => println!("limited: {scope:?}"),
    ///     Err(error @ ScopeError::Unsupported { .. }) => println!("{error}"),
    ///     Err(error) => return Err(error),
    /// }
    /// # Ok::<(), ScopeError>(())
    /// ```
    pub fn memory_max(self, bytes: u64) -> Result<Self, ScopeError> {
        const WHAT: &str = "limit the memory of";
        self.check(WHAT, bytes > 0, || "it leaves no memory".to_owned())?;
        self.limit(WHAT, "memory", "memory.max", &bytes.to_string())
    }

    /// Limits how many processes and threads are in it; beyond that, no member starts another one
    /// (`EAGAIN`).
    ///
    /// A launch into it fails too, at [`Step::Clone`](crate::Step::Clone), if the clone puts the child
    /// there. Where the child goes there itself, before its exec (with a closure, before Linux 5.7, or
    /// where `clone3` is refused), it counts, but the kernel lets it in.
    ///
    /// # Errors
    ///
    /// As for [`memory_max`](Self::memory_max), with the controller of processes.
    pub fn pids_max(self, count: u64) -> Result<Self, ScopeError> {
        const WHAT: &str = "limit the processes of";
        self.check(WHAT, count > 0, || "it leaves no process".to_owned())?;
        self.limit(WHAT, "pids", "pids.max", &count.to_string())
    }

    /// Limits the processor time of all that is in it together to `quota` in each `period`. A quota
    /// above the period means more than one processor.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Invalid`] unless the period is 1 ms to 1 s, and the quota at least 1 ms. As for
    /// [`memory_max`](Self::memory_max), with the controller of processors.
    pub fn cpu_max(self, quota: Duration, period: Duration) -> Result<Self, ScopeError> {
        const WHAT: &str = "limit the processor time of";
        let is_valid = PERIODS.contains(&period) && quota >= *PERIODS.start();
        self.check(WHAT, is_valid, || format!("{quota:?} in {period:?} is out of bounds"))?;
        let text = format!("{} {}", quota.as_micros(), period.as_micros());
        self.limit(WHAT, "cpu", "cpu.max", &text)
    }

    /// Returns what its processes have used so far.
    ///
    /// The [reason](procession_protocol::ProcessTerminated::usage) of a child's end has what that child
    /// alone has used, with those of its own children that it has waited for.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Unsupported`] without a cgroup, and if nothing counts its memory: a scope with
    /// [`memory_max`](Self::memory_max) has a controller for that, and Linux 5.19 keeps the peak.
    /// [`cpu_time`](Self::cpu_time) needs neither.
    pub fn usage(&self) -> Result<ScopeUsage, ScopeError> {
        const WHAT: &str = "tell the memory of";
        let folder = self.cgroup(WHAT)?.folder();
        let peak = match folder.read("memory.peak") {
            Ok(peak) => peak.trim_end().parse(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let why = match folder.read("memory.current") {
                    Ok(_) => "the kernel keeps no peak before Linux 5.19",
                    Err(_) => "it has no memory controller, which memory_max gives it",
                };
                return Err(self.unsupported(WHAT, why.to_owned()));
            }
            Err(error) => return Err(self.os(WHAT)(error)),
        };
        let memory_peak =
            peak.map_err(|error| self.os(WHAT)(io::Error::new(io::ErrorKind::InvalidData, error)))?;
        Ok(ScopeUsage { cpu: self.cpu_time()?, memory_peak })
    }

    /// Returns the processor time that its processes have used so far.
    ///
    /// # Errors
    ///
    /// [`ScopeError::Unsupported`] without a cgroup.
    pub fn cpu_time(&self) -> Result<Duration, ScopeError> {
        const WHAT: &str = "tell the processor time of";
        cpu_time(self.cgroup(WHAT)?.folder()).map_err(self.os(WHAT))
    }

    fn check(
        &self,
        what: &'static str,
        is_valid: bool,
        why: impl FnOnce() -> String,
    ) -> Result<(), ScopeError> {
        if is_valid {
            return Ok(());
        }
        Err(ScopeError::Invalid { what, name: self.name().to_owned(), why: why() })
    }

    fn limit(
        self,
        what: &'static str,
        controller: &str,
        file: &str,
        text: &str,
    ) -> Result<Self, ScopeError> {
        let set = self.cgroup(what)?.limit(controller, file, text);
        match set {
            Ok(()) => Ok(self),
            Err(NoLimit::Unsupported(why)) => Err(self.unsupported(what, why)),
            Err(NoLimit::Os(error)) => Err(self.os(what)(error)),
        }
    }
}
