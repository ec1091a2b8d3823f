//! What ends a child when the program ends, and what dropping each value does.
//!
//! In short: the child of a helper ([`Run`](crate::Run), [`run_all`](crate::run_all), `get_process_…`)
//! ends with the program and with its `Deferred`. Any other child lives on, unless its command says
//! otherwise.
//!
//! Two settings of a [`Command`](crate::Command) say so:
//!
//! - [`owned(true)`](crate::Command::owned) makes the child the leader of a process group of its own, and
//!   the program ends that group when it ends itself.
//! - [`kill_on_drop(true)`](crate::Command::kill_on_drop) ends the child when the value that holds it is
//!   dropped: the reactor, a [`Spawned`](crate::Spawned) or an async [`Child`](crate::Child). An owned
//!   child has this setting by default.
//!
//! The helpers set both.
//!
//! # When the program ends
//!
//! In the table, *TERM, KILL* stands for these steps: the program sends TERM and CONT to the group,
//! waits for a grace period, and sends KILL to the processes of the group that are still alive. The
//! grace period is [`kill_grace`](crate::Command::kill_grace), but at most two seconds. It ends
//! early when no process of the group is alive. After KILL the program waits for that again, but at most
//! for one second: a process with much memory takes some milliseconds to die, and a process that a
//! debugger holds does not die at all.
//!
//! On a system other than Linux, or if `/proc` cannot be read, the program sees only whether the child
//! itself is alive, and waits for the child instead of the group. There a shell that dies by TERM cuts the
//! grace period of its own children short.
//!
//! The table has one column for each way in which a program ends:
//!
//! - by the default action of INT, TERM, HUP or QUIT;
//! - by `exit` or a return from `main`;
//! - by SIGKILL, a crash, `abort` or `_exit`.
//!
//! | child | INT, TERM, HUP, QUIT | `exit`, return | SIGKILL, crash |
//! |---|---|---|---|
//! | of a helper | TERM, KILL | TERM, KILL | KILL to the child alone ¹ |
//! | of a helper in the [`foreground`](crate::Run::foreground) | KILL to the child ¹ | KILL to the child ¹ | KILL to the child ¹ |
//! | `owned(true)`, on a reactor | TERM, KILL | TERM, KILL | lives on ² |
//! | `owned(true)`, by `Command::spawn` or on tokio | lives on ³ | lives on ³ | lives on ² |
//! | `owned(true)` and `kill_on_drop(false)` | lives on | lives on | lives on ² |
//! | any other, `kill_on_drop(true)` or not | lives on | lives on ⁴ | lives on ² |
//! | a descendant that left the group (`setsid`) | lives on | lives on | lives on |
//! | processes that a reaped child left in its group, while they hold an output that the program waits for | as the child ⁵ | as the child ⁵ | lives on |
//! | processes that any other ended child left in its group | lives on | lives on | lives on |
//!
//! 1. On Linux, unless the command sets `outlive_parent()`. Processes that the child has started live on.
//! 2. Unless the command sets a [`parent_death_signal`](crate::Command::parent_death_signal).
//! 3. After a call of [`end_children_with_program`](crate::end_children_with_program): TERM, KILL.
//! 4. With `kill_on_drop(true)` it ends if its owner is dropped before.
//! 5. For an owned child, on Linux 6.9 and later; elsewhere they live on.
//!
//! For an async `Child` and for a stage of a pipeline, the row that fits its command applies.
//!
//! A child that is not owned is in the program's own group. So the keys of the terminal reach it
//! (Ctrl-C sends INT to the whole group), and a TERM that is sent to the program alone does not.
//!
//! A signal takes its default action if the program neither watches nor handles it: outside of `run`, and
//! during [`block_on`](crate::Reactor::block_on). Under `run` the first INT or TERM stops the run, as
//! soon as the callback that is running returns. If it does not return, a further INT or TERM, 300 ms or
//! more after the first, takes its default action.
//!
//! During the grace period, a further INT, TERM or QUIT that comes 300 ms or more after the first signal
//! ends the grace period at once. A HUP never does: when a terminal is closed, the shell sends a HUP and
//! the kernel sends another. A program with signal handlers of its own calls
//! [`end_owned_groups`](crate::end_owned_groups) in them. A reactor made
//! [`without_signals`](crate::Reactor::without_signals) does not end its children in the first two
//! columns: for the children of helpers the third column applies instead, and all others live on. In
//! PID 1 these signals do nothing by default ([`pid_1`](super::pid_1)).
//!
//! Other signals that end a program, such as SIGUSR1, count as SIGKILL. A program that replaces itself by
//! another one (`exec`) keeps its children, but no longer owns them; the children of helpers get KILL
//! when the new program ends. A forked copy of the program has no children: when the copy ends or drops
//! a value, the children and the loop of the original are not affected. Explicit calls in the copy do
//! act on them: [`Process::signal`](crate::Process::signal),
//! [`Spawned::signal`](crate::Spawned::signal), `terminate`.
//!
//! A launch blocks all signals of its thread until the child's exec. If that is the main thread and a
//! `pre_exec` closure takes long, Ctrl-C is delayed as long.
//!
//! # `nohup`, and signals that children inherit
//!
//! In the kernel, an ignored signal stays ignored across an exec, and a blocked signal stays blocked. But
//! a child of this library starts with every signal at its default and no signal blocked. This has two
//! consequences:
//!
//! - Under `nohup` the program ignores SIGHUP and lives on when the terminal is closed. A child that is
//!   in the program's own group gets that SIGHUP too, and **ends by it**. A child of a helper and an
//!   owned child are in other groups, and live on with the program. For other children,
//!   [`inherit_signals`](crate::Command::inherit_signals) keeps the setting of `nohup`.
//! - A Rust program ignores SIGPIPE. With `inherit_signals` its children ignore it as well: if the reader
//!   of their output closes it, `yes` and `cat` then report a broken pipe, and a program that does not
//!   check for write errors goes on.
//!
//! A shell script ignores INT and QUIT in the jobs that it starts with `&`. In such a job `run` leaves
//! INT ignored, but the children of the job have INT at its default.
//!
//! # When a run ends, and when the reactor is dropped
//!
//! In this table the grace period is not limited to two seconds:
//! [`Run::kill_grace`](crate::Run::kill_grace) and the grace of a `terminate` that is under way apply in
//! full. It ends early only when the whole group has ended.
//!
//! | child | [`run_main`](crate::run_main) and `run_until` are stopped, by a signal or by `stop` | their future is ready | `run` is stopped, or `shut_down` is called | the reactor is dropped |
//! |---|---|---|---|---|
//! | of a helper, whose `Deferred` or future lives | TERM, KILL | runs on | runs on; its pipes are closed | KILL to the group |
//! | `owned(true)` | TERM, KILL | runs on | runs on; its pipes are closed | KILL to the group |
//! | `owned(true).kill_on_drop(false)` | TERM, KILL | runs on | runs on; its pipes are closed | runs on; its pipes are closed |
//! | `kill_on_drop(true)`, not owned | runs on; its pipes are closed | runs on | runs on; its pipes are closed | KILL to the child |
//! | any other | runs on; its pipes are closed | runs on | runs on; its pipes are closed | runs on; its pipes are closed |
//! | one whose termination is under way | is waited for | is waited for | is not waited for | is waited for, `kill_grace` and a second at most |
//!
//! If a signal has stopped the last run, the drop of the reactor does not begin with KILL to a group: it
//! sends TERM, waits for `kill_grace`, and then sends KILL. So a program that ends in
//! `Ok(reactor.run()?)` gives its groups a grace period too. The drop does this also to a group whose
//! leader has ended, if a process of the group held an output when the signal came. After a `stop` or
//! `shut_down` that no signal caused, such a group lives on, because its child counts as ended.
//!
//! Pipes are closed at the end of the *during* phase of the shutdown, with one exception: the outputs of
//! groups that end with the program, or that are being terminated, stay open until the group has ended.
//! Nobody reads them, but a service that logs its own end does not die by SIGPIPE. Children that run on
//! are reaped by every later spawn and wait, and by every other reactor.
//!
//! # What dropping a value does
//!
//! The compiler warns (`#[must_use]`) about an unused value if its drop cancels or undoes something, and
//! about an unused builder, which does nothing by itself.
//!
//! | value | dropping it |
//! |---|---|
//! | [`Run`](crate::Run), [`Command`](crate::Command), [`Pipeline`](crate::Pipeline) that was not started | nothing: nothing has begun |
//! | the [`Deferred`](crate::Deferred) of a helper, before its result | cancels: the drop returns at once, and the group ends in the background |
//! | any other `Deferred`, before its result | cancels: no callback is called. A connection that is being made is given up; other operations go on, terminations and forwardings too |
//! | a `Deferred` with an error that nobody took | the error is reported once ([`set_unhandled_error_hook`](crate::set_unhandled_error_hook)) |
//! | [`Promise`](crate::Promise) | its `Deferred` fails with `Abandoned` |
//! | [`Process`](crate::Process), [`Transport`](crate::Transport), [`Listener`](crate::Listener) | nothing: the reactor owns the child, the connection, the socket |
//! | async [`Child`](crate::Child) | the child runs on, and its output is discarded. If it is `kill_on_drop(true)` or owned, it ends in the background: TERM, a grace period, KILL, sent to the group if it is owned |
//! | an output of an async `Child` | further output is discarded |
//! | an input that was taken from an async `Child` | the input is closed after the queued data are written |
//! | the [`Lines`](crate::Lines) of an output | the part of a line that was read goes back to the output |
//! | a future of `write` of an async `Child` | the queued data are still written |
//! | the `Deferred` of `spawn_process_soon`, before its result | ends the launch; a child that has begun gets KILL, with the group that it leads |
//! | the value that `spawn_pipeline` returns | nothing: the stages run on, and are reaped |
//! | [`Spawned`](crate::Spawned) | the child runs on, and is reaped later. With `kill_on_drop(true)` the child gets KILL; if it is owned, its group gets KILL |
//! | a [`Dialogue`](crate::Dialogue) | its program's group ends in the background: TERM, and KILL after two seconds |
//! | an [`Expect`](crate::Expect) | the wait ends; what came stays for the next one |
//! | an [`InBackground`](crate::InBackground) of a run or a call | cancels: the run's group ends in the background, the call's future is dropped on its thread |
//! | a [`BackgroundChild`](crate::BackgroundChild), its outputs and its inputs | as for an async `Child` |
//! | the last clone of a [`Background`](crate::Background) | its loop stops; the drop waits until its groups have ended, at most `kill_grace` and a second |
//! | [`Reactor`](crate::Reactor) | the table above; every descriptor is closed; calls, tasks and protocols are dropped without being called |
//! | [`Handle`](crate::Handle), [`Remote`](crate::Remote) | nothing; a handle that outlives its reactor does nothing |
//! | [`DelayedCall`](crate::DelayedCall) | nothing: the call is still made; `cancel` cancels it |
//! | the [`Timer`](crate::Timer) of `call_every` | the calls end; `detach` lets them go on |
//! | the future of `sleep` | its timer is cancelled |
//! | the future of `timeout` | the future in it is dropped |
//! | the `Deferred` of `defer`, before its result | its future is dropped |
//! | the `Deferred` of `defer_to_thread`, before its result | the call goes on; its result is dropped when it arrives |
//! | the `Deferred` of `Process::ended`, `terminate` or `forward` | nothing: the operation goes on |
//! | the [`JoinHandle`](crate::JoinHandle) of a task | the task runs on |
//! | [`RawMode`](crate::RawMode) | the terminal gets its earlier settings back |
//! | [`SignalWatch`](crate::SignalWatch) | the watch ends, and the signal has its earlier effect again |
//! | the [`Trigger`](crate::Trigger) of a system event | nothing: the trigger stays; `remove` removes it |
//! | the [`Registration`](crate::Registration) of a source | nothing: the source stays until it is closed |
//! | [`FakeProcess`](crate::FakeProcess), [`FakeConnection`](crate::FakeConnection) | its protocol is dropped |
//! | the last clone of [`FakeChildren`](crate::FakeChildren) | the fakes that nobody took are dropped |
//!
//! # Examples
//!
//! A service that outlives the program, in a session of its own:
//!
//! ```
//! use procession::prelude::*;
//!
//! let service = Command::new("my-service").new_session().kill_on_drop(false);
//! # drop(service);
//! ```
//!
//! A program without a loop whose children end with it:
//!
//! ```
//! use procession::{Command, end_children_with_program};
//!
//! end_children_with_program();
//! let mut build = Command::new("sh").args(["-c", "true & wait"]).owned(true).spawn()?;
//! assert!(build.wait()?.is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # References
//!
//! [signal(7)](https://man7.org/linux/man-pages/man7/signal.7.html),
//! [nohup(1)](https://man7.org/linux/man-pages/man1/nohup.1.html),
//! [execve(2)](https://man7.org/linux/man-pages/man2/execve.2.html),
//! [setpgid(2)](https://man7.org/linux/man-pages/man2/setpgid.2.html).
//!
//! # A tree that cannot be left
//!
//! A process that starts a session has left its group, and no signal to the group reaches it. A
//! [`Scope`](crate::Scope) keeps it:
//!
//! ```
//! use procession::{Reactor, Run, Scope, ScopeMechanism, Signal};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut reactor = Reactor::new()?;
//! let job = Scope::new("guide-job")?;
//! let run = Run::new("sh").args(["-c", "setsid sleep 600 >/dev/null 2>&1 & echo built"]);
//! let outcome = reactor.block_on(run.scope(&job).timeout(Duration::from_secs(60)))?;
//! assert_eq!(outcome.stdout, "built\n");
//! if job.mechanism() != ScopeMechanism::ProcessGroup {
//!     let ended = job.terminate(Signal::TERM, Duration::from_secs(5))?; // ends the daemon too
//!     assert!(ended.is_gone());
//! }
//! # Ok(())
//! # }
//! ```
//!
//! It is a cgroup if the program may make one below its own: as root, or where systemd has delegated it
//! (`Delegate=yes`). In a session of a terminal or of ssh, the user's systemd makes one. Else it is the
//! process groups of the children, and [`mechanism`](crate::Scope::mechanism) says so. Limits need the kernel's controllers too, and are an
//! error where the system cannot enforce them:
//!
//! ```no_run
//! use procession::{Reactor, Run, Scope};
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let mut reactor = Reactor::new()?;
//! let job = Scope::new("job-17")?.memory_max(512 << 20)?.pids_max(64)?;
//! let untrusted = Run::new("./untrusted").scope(&job).timeout(Duration::from_secs(60));
//! let outcome = reactor.block_on(untrusted)?;
//! println!("{}, peak {} MiB", outcome.reason_text(), job.usage()?.memory_peak >> 20);
//! # Ok(())
//! # }
//! ```
//!
//! A scope costs a folder in the hierarchy of cgroups and two descriptors. Each launch of a run or of
//! another owned child makes a folder, and removes it at the end. The drop of the last clone kills what
//! is in the scope and waits until it is dead, at most a second.
