//! Who lives how long: what ends a child when the program ends, and what dropping each value does.
//!
//! Two settings of a [`Command`](crate::prelude::Command) decide. `owned(true)` makes the child the
//! leader of a group of its own, and the program responsible for that group. `kill_on_drop` says
//! whether the child ends with its owner; an owned child does by default. The helpers
//! ([`Run`](crate::Run), [`run_all`](crate::prelude::run_all), `get_process_…`) set both.
//!
//! # When the program ends
//!
//! *The end of the group* is: TERM and CONT to the group, a grace, KILL to the processes of the group
//! that still live. Here the grace is [`kill_grace`](crate::prelude::Command::kill_grace), two seconds at
//! most, and it is over when nobody of the group lives. Where that cannot be seen, because the system is
//! not Linux or `/proc` cannot be read, it is over when the child itself has ended: a shell that dies by
//! TERM then cuts the grace of its own children short.
//!
//! After KILL the program waits until nobody of the group lives, or where that cannot be seen until the
//! child has ended. A process with much memory takes some milliseconds to die. One that a debugger
//! holds does not die at all, and after a second the program ends without it.
//!
//! The columns are the three ways in which a program ends: by the default action of INT, TERM, HUP or
//! QUIT; by `exit` or a return from `main`; by SIGKILL, a crash, `abort` or `_exit`.
//!
//! | child | INT, TERM, HUP, QUIT | `exit`, return | SIGKILL, crash |
//! |---|---|---|---|
//! | of a helper | the end of the group | the end of the group | KILL to the child alone ¹ |
//! | of a helper in the [`foreground`](crate::Run::foreground) | KILL to the child ¹ | KILL to the child ¹ | KILL to the child ¹ |
//! | `owned(true)`, on a reactor | the end of the group | the end of the group | lives on ² |
//! | `owned(true)`, by `Command::spawn` | lives on ³ | lives on ³ | lives on ² |
//! | `owned(true)` and `kill_on_drop(false)` | lives on | lives on | lives on ² |
//! | any other, `kill_on_drop(true)` or not | lives on | lives on ⁴ | lives on ² |
//! | a descendant that left the group (`setsid`) | lives on | lives on | lives on |
//! | what a reaped child left in its group, while an output that it holds is waited for | as the child ⁵ | as the child ⁵ | lives on |
//! | what any other ended child left in its group | lives on | lives on | lives on |
//!
//! 1. On Linux, and unless the command says `outlive_parent()`. What the child has started lives on.
//! 2. Unless the command sets a [`parent_death_signal`](crate::prelude::Command::parent_death_signal).
//! 3. After a call of [`end_children_with_program`](crate::end_children_with_program): the end of the
//!    group.
//! 4. With `kill_on_drop(true)` it ends if its owner is dropped before.
//! 5. An owned child, on Linux 6.9 and later; elsewhere it lives on.
//!
//! An async `Child` and a stage of a pipeline are what their command makes them: one of the rows above.
//!
//! A child that is not owned is in the program's own group. So the keys of the terminal reach it
//! (Ctrl-C sends INT to the whole group), and a TERM that is sent to the program alone does not.
//!
//! A signal acts by default where nobody watches or handles it: outside of `run`, and during
//! [`block_on`](crate::Reactor::block_on). Under `run` the first INT or TERM stops the run, and does
//! nothing while a callback goes on that never returns; a further one, 300 ms after the first or
//! later, acts by default. A further INT, TERM or
//! QUIT that comes 300 ms after the first or later ends the grace at once. A HUP never does, because a
//! shell whose terminal is closed sends one and the kernel another. A program with handlers of its own
//! calls [`end_owned_groups`](crate::end_owned_groups) in them. The children of a reactor made
//! [`without_signals`](crate::Reactor::without_signals) are not ended in the first two columns: there
//! the third applies to those of helpers, and the others live on. In PID 1 these signals do nothing by
//! default ([`pid_1`](super::pid_1)).
//!
//! Other signals that end a program, such as SIGUSR1, count as SIGKILL. A program that replaces itself by
//! another one (`exec`) keeps its children, which nobody owns any more; those of helpers get KILL when
//! the new program ends. A forked copy of the program has no children: its end, and what it drops,
//! does nothing to those of the original, nor to its loop. What it asks for by name acts on them:
//! [`Process::signal`](crate::prelude::Process::signal),
//! [`Spawned::signal`](crate::prelude::Spawned::signal), `terminate`.
//!
//! A launch holds all signals of its thread back until the child's exec. If that is the main thread, and
//! a `pre_exec` closure takes long, Ctrl-C waits as long.
//!
//! # `nohup`, and signals that children inherit
//!
//! For the kernel an ignored signal stays ignored across an exec, and a blocked one blocked. A child of
//! this library starts with every signal at its default, and none blocked. This matters twice:
//!
//! - Under `nohup` the program ignores SIGHUP and lives on when the terminal is closed. A child that is
//!   in the program's own group gets that SIGHUP too, and **ends by it**. A child of a helper, or an
//!   owned one, is in another group, and lives on with the program. For the others
//!   [`inherit_signals`](crate::prelude::Command::inherit_signals) keeps what `nohup` has set.
//! - A Rust program ignores SIGPIPE. With `inherit_signals` its children do so as well: where the reader
//!   of their output goes away, `yes` and `cat` then complain of a broken pipe, and a program that does
//!   not look at the errors of its writes goes on.
//!
//! A shell script ignores INT and QUIT in the jobs that it starts with `&`. `run` leaves an ignored INT
//! ignored, and the children of such a job have it at its default.
//!
//! # When a run ends, and when the reactor is dropped
//!
//! Here the grace is over when the whole group has ended, and has no limit of two seconds:
//! [`Run::kill_grace`](crate::Run::kill_grace) and the grace of a `terminate` that is under way count in
//! full.
//!
//! | child | [`run_main`](crate::run_main) and `run_until` are stopped, by a signal or by `stop` | their future is ready | `run` is stopped, or `shut_down` is called | the reactor is dropped |
//! |---|---|---|---|---|
//! | of a helper, whose `Deferred` or future lives | the end of the group | runs on | runs on; its pipes are closed | KILL to the group |
//! | `owned(true)` | the end of the group | runs on | runs on; its pipes are closed | KILL to the group |
//! | `owned(true).kill_on_drop(false)` | the end of the group | runs on | runs on; its pipes are closed | runs on; its pipes are closed |
//! | `kill_on_drop(true)`, not owned | runs on; its pipes are closed | runs on | runs on; its pipes are closed | KILL to the child |
//! | any other | runs on; its pipes are closed | runs on | runs on; its pipes are closed | runs on; its pipes are closed |
//! | one whose termination is under way | is waited for | is waited for | is not waited for | is waited for, `kill_grace` and a second at most |
//!
//! If a signal has stopped the last run, the drop sends TERM and waits for `kill_grace` before that KILL:
//! a program that ends in `Ok(reactor.run()?)` gives its groups a grace too. So does a group that its leader
//! has left, and that held an output when the signal came. After a `stop` or `shut_down` that no signal
//! caused such a group lives on: its child has come to its end there.
//!
//! Pipes are closed at the end of the *during* phase of the shutdown; but of groups that are to end with
//! the program, or are being terminated, the outputs stay open until they have ended, and nobody reads
//! them. A service that logs its end is not ended by SIGPIPE. Children that run on are reaped
//! by every later spawn and wait, and by every other reactor.
//!
//! # What dropping a value does
//!
//! The compiler warns of what is dropped at once where that cancels or undoes something
//! (`#[must_use]`), and of builders, which do nothing by themselves.
//!
//! | value | dropping it |
//! |---|---|
//! | [`Run`](crate::Run), [`Command`](crate::prelude::Command), [`Pipeline`](crate::prelude::Pipeline) that was not started | nothing: nothing has begun |
//! | the [`Deferred`](crate::prelude::Deferred) of a helper, before its result | cancels: returns at once, and the group ends in the background |
//! | any other `Deferred`, before its result | cancels: no callback is called. A connection that is being made is given up; what else is under way goes on, terminations and forwardings too |
//! | a `Deferred` with an error that nobody took | reports the error, once ([`set_unhandled_error_hook`](crate::core::set_unhandled_error_hook)) |
//! | [`Promise`](crate::prelude::Promise) | its `Deferred` fails with `Abandoned` |
//! | [`Process`](crate::prelude::Process), [`Transport`](crate::prelude::Transport), [`Listener`](crate::prelude::Listener) | nothing: the reactor owns the child, the connection, the socket |
//! | async [`Child`](crate::prelude::Child) | the child runs on, and its output is thrown away. With `kill_on_drop(true)`, or owned: TERM, a grace, KILL in the background, to the group where it is owned |
//! | an output of an async `Child`, a future of its `write` | what comes is thrown away; what was queued is written |
//! | an input that was taken from an async `Child` | it is closed, once what was queued is written |
//! | the lines of an output | what is no whole line yet goes back to the output |
//! | what `spawn_pipeline` returns | nothing: the stages run on, and are reaped |
//! | [`Spawned`](crate::prelude::Spawned) | the child runs on, and is reaped later. With `kill_on_drop(true)` KILL to the child, owned KILL to the group |
//! | [`Reactor`](crate::Reactor) | the table above; every descriptor is closed; calls, tasks and protocols are dropped without being called |
//! | [`Handle`](crate::Handle), [`Remote`](crate::prelude::Remote) | nothing; one that outlives its reactor does nothing |
//! | [`DelayedCall`](crate::prelude::DelayedCall) | nothing: the call is made; `cancel` undoes it |
//! | the [`Timer`](crate::core::Timer) of `call_every` | the calls end; `detach` lets them go on |
//! | the future of `sleep` | its timer is cancelled |
//! | the future of `timeout` | the future in it is dropped |
//! | the `Deferred` of `defer`, before its result | its future is dropped |
//! | the `Deferred` of `defer_to_thread`, before its result | the call goes on; its result is dropped when it comes |
//! | the `Deferred` of `Process::ended`, `terminate` or `forward` | nothing: what was begun goes on |
//! | `JoinHandle` of a task | the task runs on |
//! | [`RawMode`](crate::prelude::RawMode) | the terminal has its settings of before |
//! | `SignalWatch` | the watch ends, and the signal does again what it did before |
//! | a system event trigger | nothing: it stays; `remove` takes it away |
//! | a registration of `register` | nothing: the source stays until it is closed |
//! | [`FakeProcess`](crate::prelude::FakeProcess), [`FakeConnection`](crate::prelude::FakeConnection) | its protocol is dropped |
//! | the last clone of [`FakeChildren`](crate::prelude::FakeChildren) | the fakes in it that nobody took are dropped |
//!
//! # Examples
//!
//! A service that is to outlive the program says so, with a session of its own:
//!
//! ```
//! use procession::prelude::*;
//!
//! let service = Command::new("my-service").new_session().kill_on_drop(false);
//! # drop(service);
//! ```
//!
//! A program without a loop whose children are not to outlive it:
//!
//! ```
//! use procession::end_children_with_program;
//! use procession::prelude::Command;
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
