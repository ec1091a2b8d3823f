//! For those who come from Twisted: its names, ours, and what is different.
//!
//! Names are Twisted's in snake_case, and rustdoc's search finds them in camelCase too. What is not
//! in a table behaves as it does there.
//!
//! # Spawning
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `reactor.spawnProcess(proto, executable, args, …)` | [`spawn_process(protocol, command)`](crate::prelude::SpawnProcess::spawn_process) | gives a `Result`: a program that cannot be started is an error of this call, and nothing is called back |
//! | `args=['wc', '-l']` | `Command::new("wc").arg("-l")` | the program is not repeated; `arg0` sets another `argv[0]` |
//! | `env={…}` | `env`, `envs`, `env_remove`, `env_clear` | **the default is the parent's environment, not an empty one**: `env={}`, Twisted's default, is `env_clear()`, and `env=None` is the default here |
//! | `path=…` | `current_dir` | |
//! | `uid`, `gid` | `uid`, `gid`, `groups`, `user` | no group of the parent survives a change of ids, unless `groups` names it |
//! | `usePTY=True` | `pty(Pty::new())` | numbers from 3 up may be mapped as well |
//! | `childFDs={0: "w", 1: "r", 2: 2}` | `child_fds([(0, Fd::to_child()), (1, Fd::from_child()), (2, Fd::inherit(io::stderr()))])` | `child_fd` changes one entry of the default map; there are also files, socketpairs and `/dev/null` |
//! | SIGCHLD | | no handler is installed: exits come by pidfd |
//!
//! # `ProcessProtocol`
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `self.transport` | the first argument of every callback | a [`Process`](crate::prelude::Process), which may be cloned and kept |
//! | `connectionMade` | `connection_made` | |
//! | `outReceived`, `errReceived`, `childDataReceived` | `out_received`, `err_received`, `child_data_received` | data are `Bytes` |
//! | `inConnectionLost`, …, `childConnectionLost` | `in_connection_lost`, …, `child_connection_lost` | |
//! | `processExited`, `processEnded` | `process_exited`, `process_ended` | called by the loop, never inside `spawn_process`; they come also when somebody else reaped the child, with its status where Linux keeps it (6.15), else `unknown_end()` says why not |
//! | `status.value`: `ProcessDone` or `ProcessTerminated` | `ExitReason = Result<ProcessDone, ProcessTerminated>` | with the child's resource usage, and the descriptors that descendants held |
//!
//! # The transport
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `write`, `writeSequence`, `writeToChild` | `write`, `write_sequence`, `write_to_child` | `write_to_child` says whether the data were queued |
//! | `closeStdin`, `closeStdout`, `closeStderr`, `closeChildFD` | `close_stdin`, `close_stdout`, `close_stderr`, `close_child_fd` | with nothing queued a writer closes in the same turn, even when the pipe is full |
//! | `loseConnection` | `lose_connection` | it closes 0, 1 and 2, as there; `close_all` closes every descriptor |
//! | `signalProcess('KILL')`, `os.kill(transport.pid, …)` | `signal(Signal::KILL)` | by pidfd, so never to another process; `SignalError::ProcessExitedAlready` once it is reaped; `"KILL".parse()` gives a signal |
//! | `transport.pid` | `pid()` | `None` once the child is reaped |
//! | `registerProducer` | `register_producer` | one for each descriptor; water marks are callbacks as well |
//! | `pauseProducing`, `resumeProducing` | `pause_all`, `resume_all` | `pause` and `resume` act on one descriptor |
//!
//! # Deferreds
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `d = Deferred()` | `let (promise, deferred) = Deferred::new()` | who gives the result and who takes it have a side each |
//! | `d.callback(x)`, `d.errback(e)` | `promise.complete(Ok(x))`, `promise.complete(Err(e))` | a second call has no effect; a dropped promise fails with `Failed::Abandoned` |
//! | `addCallback` | `map`, `and_then` | combinators consume; the end of a chain is `done` or `detach` |
//! | `addErrback` | `map_err`, `or_else` | |
//! | `addBoth`, `addCallbacks` | `then`, `done` | |
//! | `gatherResults`, `DeferredList(fireOnOneCallback=True)` | `gather`, `first_of` | what was not first is cancelled |
//! | `addTimeout` | `timeout` | |
//! | `await d`, `inlineCallbacks` | `.await`, `reactor.block_on(deferred)` | |
//!
//! # Helpers
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `getProcessOutput(cmd)` | `get_process_output(cmd)` | at most 64 MiB |
//! | `getProcessOutput(cmd, errortoo=True)` | `get_process_output_merged(cmd)` | |
//! | `getProcessValue(cmd)` | `get_process_value(cmd)` | a death by signal is an error that names it |
//! | `getProcessOutputAndValue(cmd)` | `get_process_output_and_value(cmd, stdin)` | the same |
//! | | [`Run`](crate::prelude::Run) | what they are made of: limits, timeouts, one typed error |
//!
//! # The reactor
//!
//! | Twisted | here | different |
//! |---|---|---|
//! | `from twisted.internet import reactor` | `Reactor::new()`, then `Handle::current()` anywhere in its thread | several may live in one process, each in its thread; one may be run again |
//! | `reactor.run()` | `run` | says why it stopped: `Stopped::Called` or `Stopped::Signal`. As the result of `main` that has the program die by the signal. SIGHUP stops it too where it would end the program; in other threads than the main one signals do so only [`with_signals`](crate::prelude::Reactor::with_signals) |
//! | `task.react(main)` | [`run_main`](crate::prelude::run_main), [`run_until`](crate::prelude::Reactor::run_until) | `main` is a future; a stop drops it, and ends the groups of children that the program owns |
//! | `reactor.fireSystemEvent("shutdown")` | [`shut_down`](crate::prelude::Reactor::shut_down) | for a loop that another loop hosts |
//! | `reactor.stop()` | `stop` | a stop of a loop that does not run is no error; `try_stop` says `NotRunning`. Connections, ports and the pipes of children are closed as there, after what the kernel takes at once was written; a helper whose child that cuts off fails with `OutputError::Stopped` |
//! | `callLater`, `callWhenRunning`, `callFromThread` | `call_later`, `call_when_running`, `Remote::call` | |
//! | `addSystemEventTrigger` | `add_system_event_trigger` | |
//! | `listenTCP`, `connectTCP`, `listenUNIX`, `connectUNIX` | `listen_tcp`, `connect_tcp`, `listen_unix`, `connect_unix` | a closure is a factory |
//! | `StandardIO(proto)` | `stdio(protocol)` | |
//! | `LineReceiver` | [`LineReceiver`](crate::prelude::LineReceiver) | a value that bytes are put into, not a base class: one for each descriptor; `new` drops a carriage return before a line feed, `with_delimiter` is exact; the last line may be unterminated; of one that is too long the beginning comes as a line that [`is_cut`](crate::prelude::Line::is_cut) |
