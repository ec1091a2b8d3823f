//! The owned children of this process, and the handler that ends them before a signal ends the
//! process.
//!
//! # Model
//!
//! A child has a [`Place`] in its process's table from before its clone until before its reap. The
//! place of a leader with a pidfd stays after the reap, for the leader's group, as long as code
//! waits for that group: a member may hold an output. If INT, TERM, HUP and QUIT have their default
//! disposition, they get a handler that acts on all places (`act`) and then lets the default action
//! happen. [`end_owned_groups`] is the act alone; `exit(3)` calls it too (`exit`).
//!
//! The protocol. All of it is sequentially consistent, so in each pair one side sees the other:
//!
//! | who | writes, then reads | so |
//! |---|---|---|
//! | spawner | the place is STARTING; *dying* | it stops before its clone, or an act waits for its pid |
//! | act | *dying*, *acting*; then places | |
//! | remover | pid 0; *acting* | it waits before it reaps and closes, or no act sees the number |
//! | code that leaves the place to the group | the place is LEFT; *acting* | it waits before it reaps, or an act uses the pidfd alone |
//!
//! `dying` is never reset: no owned child starts any more. `acting` counts the acts that are under
//! way: the handler's act never ends, but a caller of [`end_owned_groups`] may go on to reap. The
//! test `owned_model` runs through every interleaving, and shows the effect of each step that is
//! left out.
//!
//! An act waits as long as a leader runs or any process of its group lives (`living`), but no
//! longer than the grace; if `/proc` cannot be read, as long as a leader runs. After KILL it waits
//! in the same way until they are dead, for at most a second: the kernel needs some time to end a
//! process with much memory.
//!
//! If a signal stops a run, the run ends its children itself, by terminations, without an act; the
//! reactor records the time of the stop. A signal at least 300 ms later sends KILL at once to those
//! children; the others get their TERM and their grace.
//!
//! # Audit
//!
//! What may interrupt each step, and why that is harmless:
//!
//! | step | what may happen there | why it is right |
//! |---|---|---|
//! | `reserve` to `Place::settle` | nothing on this thread: all signals are blocked; an act on another | the act sees STARTING and waits for the pid, a second at most; a spawner that sees *dying* frees its place first, so that no act waits for it |
//! | the clone | an act on another thread | the kernel writes the number before the child's first instruction (CLONE_CHILD_SETTID into shared memory, CLONE_PARENT_SETTID if memory is copied) |
//! | a clone that fails | an act on another thread | the kernel may have written a pidfd that it took back: the pidfd of a place is read only after its number, which is 0 |
//! | `Place::drop`, before the number is cleared | an act, here or elsewhere | the child is not reaped: number and pidfd are its own |
//! | between clearing the number and the reap | an act on another thread | it may have read the number: the remover waits until no act is under way |
//! | the same | an act on this thread, in a handler | it does not see the number, and does not wait for this place: it is not STARTING |
//! | a group that its leader has left | its last member ends, and the number becomes another process's | only the pidfd is used, with `PIDFD_SIGNAL_PROCESS_GROUP` (Linux 6.9; before, the group lives on): the kernel reuses the number for no process as long as the group has members; after that the pidfd still stands for the number's earlier use, which has no process left |
//! | the close of that pidfd | an act on another thread may have read it | the place is released before, and the remover waits |
//! | a reap by other code (`waitpid(-1)`) | the number may be another process's | the pidfd names the child alone; a number is used only if `waitid(WNOWAIT)` says that it is an unreaped child of ours |
//! | a leader that nobody reaps, because SIGCHLD is ignored | it ends, and its number becomes another process's | as for a group that its leader has left: it counts as ended while the pidfd reaches its group |
//! | the wait after KILL | a further signal | there is nothing left to cut short: no signal is taken from the queue, and the wait is a second at most |
//! | the same | a remover on another thread clears the number, or leaves the place to the group | KILL was sent before; if the number is cleared, its child is not waited for |
//! | the handler | no signal on this thread: its mask is full | further signals are taken from the queue by `rt_sigtimedwait`; nested handlers could overflow an alternate stack of 8 KiB, with four frames of 3 KiB |
//! | the handler, chained | another library's handler calls it as the previous handler | it checks whether it is the disposition, and returns if not |
//! | an act | another act, on another thread, or on this one by a handler of the program | each act ends by itself and waits for no other; TERM is sent once, by the act that marks the place first, KILL by both |
//! | the act of `exit(3)` | a signal on this thread, another thread's spawn or reap | as for any act: the signal's own act ends earlier or at the same time, and the process ends by the signal; a spawn fails from then on, and a reap goes on once the act is over |
//! | the same, in a callback, a destructor or a handler | | an act locks and borrows nothing, and no reservation of this thread is open: no code of the program runs within one |
//! | an act in a forked copy | | the page is zero there (MADV_WIPEONFORK), and its owner has another number |
//! | `install` | another thread installs a handler | the action found in between is restored |
//! | a scope enters the table | an act on another thread | it sees the descriptor, which is open, or the scope sees *dying* and is not made |
//! | a scope leaves it | an act on another thread may have read the number | the remover waits until no act is under way, then closes the descriptor |
//! | `job_control`, a pass through the places | a remover on another thread | the pass counts as an act that is under way, so the remover waits before it reaps; it runs in no handler |
//! | the same | an act | it waits for no pass, and TERM comes with CONT |
//!
//! The calls of handler and act are: `sigaction`, `clock_gettime`, `getpid`, `kill`, `raise`,
//! `poll`, `pthread_sigmask` and `_exit`, which POSIX defines as async-signal-safe; and on Linux
//! plain system calls without any state: `pidfd_send_signal`, `waitid`, `rt_sigtimedwait`,
//! `write` to `cgroup.kill`, `getpgid`, and for a group whose leader has ended `openat`, `getdents64`, `read`, `readlinkat`
//! and `close` of their own descriptors. None of this code allocates, locks or can panic. The
//! buffers for these last calls take a kilobyte of the stack.
//!
//! | unsafe | obligation | who meets it | test |
//! |---|---|---|---|
//! | `table`, references to pages | they live for ever, and all zeros are valid | no page is unmapped once it is published; its fields are atomics | `owned_ends`, `owned_storm` |
//! | `calls`, `linux`, `elsewhere` | pointers lead to what the call reads or writes | locals | `owned_ends` |
//! | `living` | pointers lead to what the call reads or writes; only what was opened is closed | locals, and paths that end in a zero byte; a descriptor is a value that closes itself | `owned_ends` |
//! | `scopes` | as for `table`; a number that an act writes to is that of an open `cgroup.kill` | a cell holds it only while its owner keeps it open | `scope_ends` |
//! | `exit` | the function that runs at the exit lives until then, and does not unwind | a function of this crate; an act cannot panic | `owned_exit` |
//! | `hook` | code that runs in a signal handler is async-signal-safe | it is the act | `owned_beside_others` |

mod act;
mod calls;
#[cfg(not(target_os = "linux"))]
mod elsewhere;
mod entrance;
mod exit;
mod handler;
#[cfg(feature = "reactor")]
mod hook;
#[cfg(feature = "reactor")]
mod job_control;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod living;
mod member;
mod page;
#[cfg(target_os = "linux")]
mod scope_place;
mod scopes;
mod slot;
mod sync;
mod table;

pub(crate) use act::end_owned_groups;
#[cfg(not(target_os = "linux"))]
use elsewhere as platform;
#[cfg(feature = "reactor")]
pub(crate) use entrance::enter;
#[cfg(target_os = "linux")]
pub(crate) use entrance::enter_scope;
pub(crate) use entrance::install;
pub(super) use entrance::reserve;
#[cfg(target_os = "linux")]
use linux as platform;
#[cfg(target_os = "linux")]
pub(crate) use scope_place::ScopePlace;
pub(crate) use slot::Entry;
#[cfg(target_os = "linux")]
pub(super) use table::Cells;
pub(crate) use table::Place;
