//! All unsafe code of this crate: system calls that `rustix` has no safe form of.
//!
//! # Audit
//!
//! | where | obligation | who meets it | test |
//! |---|---|---|---|
//! | `raw`, every function | pointers lead to what the call reads or writes, for its length | the parameter types: references, slices, locals; `CStringArray` for exec and chdir | every spawning test |
//! | `raw::{close_range, close, dup, set_cloexec}` | no descriptor that somebody owns is closed or replaced | they run in the child, whose table is its own: copied, or proven unshared by `child::own_table` before anything else | `spawn_paths`, `spawn_paths_parent`: the parent's table is the same after every spawn |
//! | `raw::set_no_op` | the handler is async-signal-safe | it does nothing | `spawn_storm`: stops |
//! | `launch::clone_once` | the child uses memory of the parent only as the parent lets it | CLONE_VFORK: the parent's thread stands still until the child has exec'd or ended; signals are blocked, so no handler runs in the child; the stack is this thread's, and no second child runs on it | `spawn_storm`: threads, handlers, kills; `spawn_paths_parent`: a forked process |
//! | `launch::enter` | the pointer leads to a live `Job` | `launch::clone_once` borrows it for the call | every spawning test |
//! | `launch::clone_once`, the pidfd | an `OwnedFd` of a descriptor that nobody else owns | the kernel made it for this call | `fd_leaks`, `spawn_error_limits` |
//! | `mapping::Mapping` | ranges are ours, and not used after the unmap | start and length come from one `mmap`; `&self` bounds every use | every spawning test |
//! | `mapping::AllAtomic` | all zeros is a valid value, and others may write to it | the fields of its two implementors are atomics | every spawning test |
//! | `environment` | nobody changes the environment while a child reads it | the C library says that there is no other thread, and this one stands still until the exec | `one_thread` |
//! | `probe` | as for `launch::clone_once`; the caller's table is not touched | both children have tables of their own: the outer one a copy, the inner one what it unshares | `spawn_paths`; unit test |
//! | `pre_exec` | what the caller's closure does between fork and exec | the caller: the function is unsafe | `spawn_paths` |
//! | `signal` | no pointer but null is passed | the calls | `signals` |
//! | `wait`, `users`, `termios` | results are written to locals of the right type and size | the declarations beside the calls | `exit_status`, `identity` |
//!
//! What the child may do between clone and exec stands in [`child`].

#![expect(unsafe_code, reason = "clone, and system calls without a safe wrapper")]

mod child;
mod environment;
mod mapping;
mod outcome;
mod pre_exec;
mod users;

#[cfg(target_os = "linux")]
mod close;
#[cfg(target_os = "linux")]
mod dumpable;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(target_os = "linux")]
mod mailbox;
#[cfg(target_os = "linux")]
mod probe;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod signal;
#[cfg(target_os = "linux")]
mod termios;
#[cfg(target_os = "linux")]
mod wait;

/// The same for the other systems: one path, by `fork(2)`.
#[cfg(not(target_os = "linux"))]
#[path = "portable"]
mod elsewhere {
    pub(super) mod close;
    pub(super) mod launch;
    #[cfg(target_os = "netbsd")]
    pub(super) mod pty;
    pub(super) mod raw;
    pub(super) mod signal;
    pub(super) mod termios;
    pub(super) mod wait;
}
#[cfg(not(target_os = "linux"))]
use elsewhere::{close, launch, raw, signal, termios, wait};

use procession_reactor::hooks;

#[cfg(target_os = "netbsd")]
pub(crate) use elsewhere::pty::slave_name;
#[cfg(not(target_os = "linux"))]
pub(crate) use launch::best_path;
pub(crate) use launch::{launch, reserve, reserve_first};
pub(crate) use outcome::{Child, Gift, LaunchError, Launched, Waited};
#[cfg(target_os = "linux")]
pub(crate) use probe::best_path;
pub(crate) use signal::{
    group_survives_leader, is_refusal, send, send_to_group, send_to_group_number,
};
pub(crate) use termios::{eof_char, set_termios, termios};
pub(crate) use users::{Credentials, credentials};
pub(crate) use wait::{has_ended, own_peak_kib, try_reap};

/// The lowest number that no descriptor can have: the soft limit.
pub(crate) fn open_files_limit() -> u64 {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current.unwrap_or(u64::MAX)
}

/// The mask that the program has set of a thread's mask, one bit a signal.
fn inherited(mask: u64) -> u64 {
    let ours = if hooks::blocks_sigpipe() { 1 << (libc::SIGPIPE - 1) } else { 0 };
    mask & !ours
}
