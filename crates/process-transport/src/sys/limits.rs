//! Resource limits, in the form of programs and in the form of the system.

use std::ffi::c_int;

use super::raw::{KernelLimit, UNLIMITED};

/// A resource that [`Command::rlimit`](crate::Command::rlimit) limits; see `getrlimit(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Resource {
    /// Virtual memory, in bytes.
    #[doc(alias = "RLIMIT_AS")]
    AddressSpace,
    /// The size of a core file, in bytes.
    #[doc(alias = "RLIMIT_CORE")]
    Core,
    /// Processor time, in seconds.
    #[doc(alias = "RLIMIT_CPU")]
    Cpu,
    /// The data segment, in bytes.
    #[doc(alias = "RLIMIT_DATA")]
    Data,
    /// The size of a file that the process makes, in bytes.
    #[doc(alias = "RLIMIT_FSIZE")]
    FileSize,
    /// Memory locked into RAM, in bytes.
    #[doc(alias = "RLIMIT_MEMLOCK")]
    LockedMemory,
    /// One more than the highest descriptor number.
    #[doc(alias = "RLIMIT_NOFILE")]
    OpenFiles,
    /// Processes of the real user id.
    #[doc(alias = "RLIMIT_NPROC")]
    Processes,
    /// The stack, in bytes.
    #[doc(alias = "RLIMIT_STACK")]
    Stack,
}

/// A soft and a hard limit; `None` means no limit.
///
/// # Examples
///
/// ```
/// use procession::{Command, Resource, Rlimit};
///
/// let sh = Command::new("sh").args(["-c", "ulimit -Sn; ulimit -Hn"]);
/// let few = sh.clone().rlimit(Resource::OpenFiles, Rlimit::new(64));
/// assert_eq!(few.spawn()?.output()?.stdout_utf8()?, "64\n64\n");
/// let may_raise = Rlimit { soft: Some(32), hard: Some(64) };
/// let few = sh.rlimit(Resource::OpenFiles, may_raise);
/// assert_eq!(few.spawn()?.output()?.stdout_utf8()?, "32\n64\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rlimit {
    /// The limit that the kernel enforces; the process may raise it up to the hard limit.
    pub soft: Option<u64>,
    /// The ceiling of the soft limit.
    pub hard: Option<u64>,
}

impl Rlimit {
    /// Creates a limit that is both the soft and the hard one, so that the process cannot raise it without
    /// privilege.
    pub const fn new(limit: u64) -> Self {
        Self { soft: Some(limit), hard: Some(limit) }
    }
}

/// Returns the lowest number that no descriptor can have: the soft limit.
pub(crate) fn open_files_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// Returns the number and the value that `setrlimit(2)` takes. A limit too large for the system's
/// type becomes unlimited.
pub(super) fn kernel_limit(resource: Resource, limit: Rlimit) -> (c_int, KernelLimit) {
    let number = match resource {
        Resource::AddressSpace => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::FileSize => libc::RLIMIT_FSIZE,
        Resource::LockedMemory => libc::RLIMIT_MEMLOCK,
        Resource::OpenFiles => libc::RLIMIT_NOFILE,
        Resource::Processes => libc::RLIMIT_NPROC,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    let limit = KernelLimit {
        rlim_cur: value(limit.soft, UNLIMITED),
        rlim_max: value(limit.hard, UNLIMITED),
    };
    (number_of(number), limit)
}

/// Converts the number of a limit. Its type differs between C libraries; it fits in all of them.
fn number_of(number: impl TryInto<c_int>) -> c_int {
    number.try_into().unwrap_or(c_int::MAX)
}

/// Converts the value of a limit, whose type differs likewise.
fn value<T: TryFrom<u64>>(limit: Option<u64>, unlimited: T) -> T {
    limit.and_then(|limit| limit.try_into().ok()).unwrap_or(unlimited)
}
