//! All unsafe code of this crate except one declaration: system calls for which `rustix` has no
//! safe form. It imports nothing of the crate above it.
//!
//! # Contract
//!
//! The code above relies on these:
//!
//! * [`launch_on_best`] returns when the child has executed its program, or else with an error. A child
//!   that reported a failure is reaped, and the error names the [`Step`]. `LaunchError::Path`, `Refused`
//!   and `Killed` mean that this path does not work here and that no program has begun, so another path
//!   can be tried; `Attempts` chooses it.
//! * The caller's descriptors, signal mask, directory and ids are the same before and after it. The
//!   passed descriptors are borrowed for the call. The child has these, on their numbers, and no others.
//! * [`send`], [`send_to_group_number`], [`try_reap`], [`peek`] and `stopped_by` need a child that is not
//!   reaped; the caller must know that. They use a number only in that case.
//! * [`first_ended()`] reaps nothing.
//! * [`send_to_group`] takes the pidfd of a leader, reaped or not.
//!
//! # Audit
//!
//! | where | obligation | who meets it | test |
//! |---|---|---|---|
//! | `raw`, every function | pointers lead to what the call reads or writes, for its length | the parameter types: references, slices, locals; `CStringArray` for exec and chdir | every spawning test |
//! | `raw::{close_range, close, dup, set_cloexec}` | no descriptor that has an owner is closed or replaced | they run in the child, whose table is its own: copied, or proven unshared by `child::own_table` before anything else | `spawn_paths`, `spawn_paths_parent`: the parent's table is the same after every spawn |
//! | `raw::set_no_op` | the handler is async-signal-safe | it does nothing | `spawn_storm`: stops |
//! | `clone::clone_once` | the child uses memory of the parent only as the parent allows | CLONE_VFORK: the parent's thread stands still until the child has exec'd or ended; signals are blocked, so no handler runs in the child; the stack is this thread's, and no second child runs on it | `spawn_storm`: threads, handlers, kills; `spawn_paths_parent`: a forked process |
//! | `clone::enter` | the pointer leads to a live `Job` | `clone::clone_once` borrows it for the call | every spawning test |
//! | `clone::clone_once`, the pidfd | an `OwnedFd` of a descriptor that has no other owner | the kernel made it for this call | `fd_leaks`, `spawn_error_limits` |
//! | `clone_into` | the same as for `clone::clone_once`, and the child never returns from the entrance | it is called there alone; `enter` does not return | `scope`: every way of starting |
//! | `ask` | pointers lead to what the call reads, for its length | slices, and locals of the option's and the address's type | `scope_systemd` |
//! | `duplicate` | the number is open and not -1 | the result of `fcntl` is checked first, and the program has named the number | `lookup_by_fd` |
//! | `mapping::Mapping` | ranges are ours, and not used after the unmap | start and length come from one `mmap`; `&self` bounds every use | every spawning test |
//! | `sanitizer` | a weak symbol names the runtime's function, or nothing | the name is the sanitizer's, and a linker leaves zero if it finds no such symbol | `cargo xtask asan` |
//! | `launch_threads::pool` | the pool lives as long as a reference to it | it is never freed | `soon` |
//! | `launch_threads::identity` | results are written to locals of the right type and size | the declarations beside the calls | `soon`, `users` |
//! | `mapping::AllAtomic` | all zeros is a valid value, and other processes may write to it | the fields of its implementors are atomics | every spawning test |
//! | `mapping::Mapping` | it may go to another thread | it is an owner of its memory | `soon` |
//! | `this_process::ProcessMark` | it may go to another thread | a mapping belongs to the process, and its content is atomics | `forked_copies` |
//! | `process_mutex` | a value lives as long as a reference to it | it is never freed once another thread can see it | `forked_copies`, `own_children` |
//! | `one_thread` | the address leads to a variable of the library | `dlsym` found its name, and no library is unloaded | `one_thread` |
//! | `known_environment` | the kernel writes only to memory that is borrowed for it | pointer and length are those of one slice | `soon`, `one_thread` |
//! | `environment` | nothing changes the environment while a child reads it | the C library says that there is no other thread, and this one stands still until the exec | `one_thread` |
//! | `clone::clone_once`, the cells | what the kernel writes to lives as long as the child may write | a page of the table is never unmapped; the local number is read after the call | `owned_ends` |
//! | `owned` | | its own page has its audit, by steps | `owned_model`, `owned_ends`, `owned_beside_others`, `owned_storm` |
//! | `clone::fork` | the child runs closures as after a fork by the program itself | libc's fork, with the fork handlers of others | `pre_exec` |
//! | `sigpipe` | the result of `sigaction` is read only after success | the check beside it | `blocking` in utils |
//! | `sigpipe_mask` | the sets given to the mask calls are initialised and live | locals, filled by `sigemptyset` | its own |
//! | `signal` | no pointer but null is passed | the calls | `signals` |
//! | `wait`, `users`, `termios` | results are written to locals of the right type and size | the declarations beside the calls | `exit_status`, `identity` |
//!
//! [`child`] says what the child may do between clone and exec.

// The child makes system calls directly, so the numbers and the layouts must be those of the kernel.
// Of the 32-bit systems, `raw::calls` and `raw::Rusage` have those of x86 and Arm.
#[cfg(all(
    target_os = "linux",
    not(any(target_pointer_width = "64", target_arch = "x86", target_arch = "arm"))
))]
compile_error!("procession starts processes on 64-bit Linux, and on 32-bit x86 and Arm");

mod attempts;
mod child;
mod closing;
mod cstrings;
mod duplicate;
mod environment;
mod fd_step;
mod first_ended;
mod inherited;
mod join;
mod limits;
mod lost;
mod mapping;
mod mask;
mod outcome;
mod owned;
mod parent;
mod paths;
mod pid_variable;
pub(crate) mod platform;
mod process_mutex;
mod report;
mod request;
mod sigpipe;
mod sigpipe_mask;
mod step;
mod table;
mod take_number;
mod this_process;
mod users;

#[cfg(target_os = "linux")]
mod ask;
#[cfg(target_os = "linux")]
mod clone;
#[cfg(target_os = "linux")]
mod clone_into;
#[cfg(target_os = "linux")]
mod close;
#[cfg(target_os = "linux")]
mod confirm;
#[cfg(target_os = "linux")]
mod dumpable;
#[cfg(target_os = "linux")]
mod fd_table;
#[cfg(target_os = "linux")]
mod kept_status;
#[cfg(target_os = "linux")]
mod known_environment;
#[cfg(target_os = "linux")]
mod launch;
#[cfg(all(feature = "reactor", target_os = "linux"))]
pub(crate) mod launch_threads;
#[cfg(target_os = "linux")]
mod mailbox;
#[cfg(target_os = "linux")]
mod one_thread;
#[cfg(target_os = "linux")]
mod passing;
#[cfg(target_os = "linux")]
mod proc_stat;
#[cfg(target_os = "linux")]
mod raw;
#[cfg(target_os = "linux")]
mod sanitizer;
#[cfg(target_os = "linux")]
mod signal;
#[cfg(target_os = "linux")]
mod stale;
#[cfg(target_os = "linux")]
mod termios;
#[cfg(target_os = "linux")]
mod wait;

/// The same modules for other systems: one path, by `fork(2)`.
#[cfg(not(target_os = "linux"))]
#[path = "portable"]
mod elsewhere {
    pub(super) mod close;
    pub(super) mod launch;
    #[cfg(feature = "reactor")]
    pub(crate) mod launch_threads;
    #[cfg(target_os = "netbsd")]
    pub(super) mod pty;
    pub(super) mod raw;
    pub(super) mod signal;
    pub(super) mod termios;
    pub(super) mod wait;
}
#[cfg(target_os = "linux")]
pub(crate) use ask::{ACCEPTED, ManagerCall, REST_OF_ACCEPTED, message_bytes};
pub(crate) use cstrings::{CStringArray, CStrings, InteriorNul};
pub(crate) use duplicate::duplicate;
#[cfg(all(feature = "reactor", not(target_os = "linux")))]
pub(crate) use elsewhere::launch_threads;
#[cfg(target_os = "netbsd")]
pub(crate) use elsewhere::pty::slave_name;
#[cfg(not(target_os = "linux"))]
use elsewhere::{close, launch, raw, signal, termios, wait};
pub(crate) use fd_step::{FdMove, FdStep};
#[cfg(target_os = "linux")]
pub(crate) use fd_table::enlarge as enlarge_fd_table;
pub(crate) use first_ended::first_ended;
pub(crate) use inherited::inherited as inherited_environment;
pub(crate) use launch::{own_pid, reserve, reserve_first};
pub(crate) use limits::open_files_limit;
pub use limits::{Resource, Rlimit};
#[cfg(feature = "reactor")]
pub(crate) use mask::of_this_thread as inherited_mask;
pub(crate) use outcome::{
    ChildId, ChildSet, Cloned, FirstEnded, LaunchError, PassedFd, PeekOutcome, WaitOutcome,
};
#[cfg(feature = "reactor")]
pub(crate) use owned::enter;
pub(crate) use owned::{Entry, Place, end_owned_groups, install as install_handlers};
#[cfg(target_os = "linux")]
pub(crate) use owned::{ScopePlace, enter_scope};
pub(crate) use paths::launch_on_best;
#[cfg(target_os = "linux")]
pub(crate) use proc_stat::ProcStat;
pub(crate) use process_mutex::ProcessMutex;
pub(crate) use request::{Birthplace, Credentials, Group, PreExec, RareRequest, Request};
#[cfg(target_os = "linux")]
pub(crate) use signal::send_by_pidfd;
pub(crate) use signal::{group_of, is_refusal, send, send_to_group, send_to_group_number};
pub(crate) use sigpipe::without_sigpipe;
pub use step::Step;
pub(crate) use take_number::{close_on_exec, take};
#[cfg(feature = "reactor")]
pub(crate) use termios::eof_char;
pub(crate) use termios::{set_termios, termios};
pub(crate) use users::{User, group_by_name, group_list, most_groups, user_by_id, user_by_name};
pub(crate) use wait::stopped_by;
pub(crate) use wait::{own_peak_kib, peek, try_reap};
