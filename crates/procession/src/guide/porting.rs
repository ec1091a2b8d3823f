//! For those who come from Twisted: its names, ours, what differs, and what is not here.
//!
//! Our names are Twisted's in snake_case. The search of these pages finds Twisted's spelling too: type
//! `spawnProcess` or `childFDs`. What a table does not mention behaves as it does there. The
//! [last table](#what-is-not-here) has what is missing, and what to do instead. Names are in the
//! [`prelude`](crate::prelude), or methods of what is there; a link leads to each of the others.
//!
//! Three differences concern every program:
//!
//! - **Dropping cancels.** A [`Deferred`](crate::prelude::Deferred) that is dropped before it has a result
//!   cancels what it waits for: end a chain with `done` or `detach`.
//! - **A panic is no failure.** Twisted logs an exception of a callback and goes on. Here a panic
//!   unwinds out of `run`; [`failures`](super::failures#a-callback-that-panics) has the loop that
//!   goes on. An expected error is a `Result`.
//! - **Nothing is called back inside a call**, `connection_made` excepted. Callbacks come from the loop.
//!
//! # Spawning
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `reactor.spawnProcess(proto, executable, args, …)` | [`spawn_process(protocol, command)`](crate::prelude::SpawnProcess::spawn_process) | Gives a `Result` with the [`Process`](crate::prelude::Process). A program that cannot be started is an error of this call, and nothing is called back; there it is a child that ends with status 1. |
//! | `executable` | [`Command::new(program)`](crate::prelude::Command::new) | Looked up in the child's `PATH` if the command sets one, else in the parent's. |
//! | `args=['wc', '-l']` | `Command::new("wc").arg("-l")` | The program is not repeated; `arg0` sets another `argv[0]`. |
//! | `env={…}` | `env`, `envs`, `env_remove`, `env_clear` | **The default is the parent's environment, not an empty one.** `env={}`, Twisted's default, is `env_clear()`; `env=None` is the default here. |
//! | `path=…` | `current_dir` | A directory that is missing is an error of the spawn. |
//! | `uid`, `gid` | `uid`, `gid`, `groups`, `user` | No group of the parent survives a change of ids, unless `groups` names it. |
//! | `usePTY=True` | [`pty(Pty::new())`](crate::prelude::Command::pty) | The map may name numbers from 3 up as well. The size is set before the program runs. |
//! | `usePTY=(master, slave, name)` | [`Pty::pair`](crate::prelude::Pty::pair), [`Pty::open`](crate::prelude::Pty::open) | |
//! | `childFDs={0: "w", 1: "r", 2: 2}` | `child_fds([(0, Fd::to_child()), (1, Fd::from_child()), (2, Fd::inherit(io::stderr()))])` | `child_fd` changes one entry of the default map. There are also files, socketpairs and `/dev/null`. |
//! | the child's signals | | As there, all dispositions are the default in the child, SIGPIPE and under `nohup` SIGHUP too; `inherit_signals` keeps the parent's. |
//! | SIGCHLD | | No handler is installed: exits come by pidfd, and the children of other libraries are left alone. |
//!
//! # `ProcessProtocol`
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `self.transport` | the first argument of every callback | A [`Process`](crate::prelude::Process), which may be cloned and kept. |
//! | `connectionMade` | `connection_made` | Called inside `spawn_process`, after the program was executed. |
//! | `outReceived`, `errReceived`, `childDataReceived` | `out_received`, `err_received`, `child_data_received` | Data are `Bytes`, up to 256 KiB in one call. |
//! | `inConnectionLost`, `outConnectionLost`, `errConnectionLost`, `childConnectionLost` | `in_connection_lost`, `out_connection_lost`, `err_connection_lost`, `child_connection_lost` | Of a terminal only the loss of 1 is reported. |
//! | `processExited`, `processEnded` | `process_exited`, `process_ended` | Called by the loop, never inside `spawn_process`. They come also when somebody else has reaped the child: with its status where Linux keeps it (6.15), else `unknown_end()` says why not. |
//! | `status.value`: `ProcessDone` or `ProcessTerminated` | `ExitReason = Result<ProcessDone, ProcessTerminated>` | Has also the child's resource usage, and the descriptors that descendants held. |
//! | `exitCode`, `signal`, `status` of it | `exit_code()`, `signal()`, `raw_status()` | `Option`s. |
//!
//! # The transport of a process
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `write`, `writeSequence`, `writeToChild` | `write`, `write_sequence`, `write_to_child` | `write_to_child` says whether the data were queued. |
//! | `closeStdin`, `closeStdout`, `closeStderr`, `closeChildFD` | `close_stdin`, `close_stdout`, `close_stderr`, `close_child_fd` | With nothing queued a writer closes in the same turn, even when the pipe is full. |
//! | `loseConnection` | `lose_connection` | Closes 0, 1 and 2, as there; `close_all` closes every descriptor. |
//! | `signalProcess('KILL')`, `os.kill(transport.pid, …)` | `signal(Signal::KILL)` | By pidfd, so never to another process. `"KILL".parse()` gives a signal. |
//! | `ProcessExitedAlready` | `SignalError::ProcessExitedAlready` | From the reap on. |
//! | `transport.pid` | `pid()` | `None` once the child is reaped. |
//! | `registerProducer(p, streaming)`, `unregisterProducer` | `register_producer(fd, pace, producer)`, `unregister_producer` | One for each descriptor. `streaming=True` is [`Pace::Push`](crate::protocol::Pace), `False` is `Pace::Pull`. Water marks are callbacks as well. |
//! | `pauseProducing`, `resumeProducing` | `pause_all`, `resume_all` | `pause` and `resume` act on one descriptor. |
//! | `FileSender` | [`ReadProducer`](crate::protocol::ReadProducer), [`forward`](crate::prelude::Process::forward) | `forward` moves bytes between descriptors without the program. |
//!
//! # Deferreds
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `d = Deferred()` | `let (promise, deferred) = Deferred::new()` | The side that gives the result is a [`Promise`](crate::prelude::Promise), the side that takes it a [`Deferred`](crate::prelude::Deferred). |
//! | `d.callback(x)`, `d.errback(e)` | `promise.complete(Ok(x))`, `promise.complete(Err(e))` | A dropped promise fails its `Deferred` with `Failed::Abandoned`. |
//! | `AlreadyCalledError` | `promise.try_complete(…)` | A second `complete` has no effect. |
//! | `succeed(x)`, `fail(e)` | `Deferred::ready(Ok(x))`, `Deferred::ready(Err(e))` | |
//! | `addCallback` | `map`, `and_then` | Each consumes the `Deferred` and gives the next. The end of a chain is `done` or `detach`. |
//! | `addErrback` | `map_err`, `or_else` | Neither sees a cancellation, a timeout or an abandoned promise: `then` does. |
//! | `addBoth`, `addCallbacks` | `then`, `done` | One closure gets the `Result`. |
//! | `Failure`, `failure.check(E)` | `Result<T, Failed<E>>`, `match` | The error has a type; there is no traceback. |
//! | `d.cancel()`, `CancelledError` | `cancel`, `Failed::Cancelled` | Dropping the `Deferred` cancels too. |
//! | `addTimeout(seconds, reactor)`, `TimeoutError` | `timeout(Duration)`, `Failed::TimedOut` | By the thread's reactor; `timeout_on` takes a clock. |
//! | `gatherResults` | `gather` | On the first failure the others are cancelled. |
//! | `DeferredList(fireOnOneCallback=True)` | `first_of` | The first failure ends it too, and the others are cancelled. |
//! | `DeferredList` that collects failures | [`gather_all`](crate::prelude::gather_all); for programs `run_all(…).all()` | No failure ends it. |
//! | `await d`, `inlineCallbacks`, `ensureDeferred` | `.await` in an `async` block; [`spawn_local`](crate::prelude::Handle::spawn_local) starts one, and [`defer`](crate::prelude::Handle::defer) makes a `Deferred` of it | It is first polled in the next turn, not at once. [`block_on`](crate::Reactor::block_on) waits for one outside of callbacks. |
//! | "Unhandled error in Deferred" | [`set_unhandled_error_hook`](crate::core::set_unhandled_error_hook) | One line on stderr, at the drop of the `Deferred`. |
//!
//! # Helpers
//!
//! All of them: the child leads a **session of its own**, so that it has no terminal to ask for a password
//! on ([`foreground`](crate::Run::foreground) leaves it the program's); there it is in the program's group.
//! Its **stdin is `/dev/null`**; there it is a pipe that nobody closes. Its environment is the parent's;
//! there it is empty. It **ends with the program** and with its `Deferred` ([`lifetimes`](super::lifetimes)).
//! A program that cannot be started is an error.
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `getProcessOutput(cmd)` | `get_process_output(cmd)` | As there, the first byte on stderr is an error that leaves the program running; here it has both outputs, and `ended` for `processEnded`. At most 64 MiB of output. |
//! | `getProcessOutput(cmd, errortoo=True)` | `get_process_output_merged(cmd)` | Both outputs come through one pipe, in the order in which they were written. |
//! | `getProcessValue(cmd)` | `get_process_value(cmd)` | A death by signal is an error that names it. |
//! | `getProcessOutputAndValue(cmd, stdinBytes=…)` | `get_process_output_and_value(cmd, stdin)` | The same, and at most 64 MiB of each output. `""` is no input. |
//! | | [`Run`](crate::prelude::Run) | What they are made of: limits, timeouts, lines, one typed error. |
//!
//! # The reactor
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `from twisted.internet import reactor` | `Reactor::new()`, then `Handle::current()` anywhere in its thread | Several may live in one process, each in its thread. |
//! | `reactor.run()` | `run` | May be run again. Says why it stopped: `Stopped::Called` or `Stopped::Signal`; as the result of `main` that has the program die by the signal. SIGHUP stops it too, where it would end the program. |
//! | `reactor.run(installSignalHandlers=False)` | [`without_signals`](crate::prelude::Reactor::without_signals) | In other threads than the main one signals stop a run only [`with_signals`](crate::prelude::Reactor::with_signals). |
//! | `task.react(main)` | [`run_main`](crate::prelude::run_main), [`run_until`](crate::prelude::Reactor::run_until) | `main` is a future, without arguments. Its error is the result of Rust's `main`, which prints it and ends with status 1. A stop or a signal drops the future and ends the groups of children that the program owns; after a signal the program dies by it. |
//! | `reactor.stop()`, `ReactorNotRunning` | `stop`, `try_stop`, [`NotRunning`](crate::reactor::NotRunning) | `stop` of a loop that does not run is no error. Connections, ports and the pipes of children are closed as there, after what the kernel takes at once was written. A helper whose child that cuts off fails with `OutputError::Stopped`. |
//! | `reactor.iterate()` | [`turn`](crate::prelude::Reactor::turn) | Inside a callback it does not compile. |
//! | `reactor.running` | `is_running` | |
//! | `callLater`, `IDelayedCall` | `call_later`, `DelayedCall` | `reset`, `delay`, `cancel` and `is_active`; on a call that was made they have no effect, which `try_reset`, `try_delay` and `try_cancel` report. |
//! | `LoopingCall`, `withCount` | [`call_every`](crate::prelude::Handle::call_every) | The call is told how many times were skipped. It ends when the `Timer` that is returned is dropped. |
//! | `callInThread`, `deferToThread` | [`defer_to_thread`](crate::prelude::Handle::defer_to_thread) | Each call starts a thread: there is no pool. |
//! | `task.deferLater(reactor, 1, f)` | `Handle::current().sleep(…).await` | |
//! | `callWhenRunning` | `call_when_running` | When the reactor runs already, `f` is called in a later step of the loop, not at once. `turn` and `block_on` are no run: the call waits for the next `run`. |
//! | `callFromThread` | `Remote::call`, of `handle.remote()` | The closure is `Send`, and gets the `Handle`. Calls made after the reactor's end are dropped. |
//! | `addSystemEventTrigger`, `removeSystemEventTrigger` | `add_system_event_trigger`, [`Trigger::remove`](crate::reactor::Trigger::remove) | With a [`Phase`](crate::reactor::Phase) and a [`SystemEvent`](crate::reactor::SystemEvent). In the phase `Before` a trigger that returns a `Deferred` is waited for, as there. |
//! | `fireSystemEvent("shutdown")` | [`shut_down`](crate::prelude::Reactor::shut_down) | For a loop that another loop hosts. |
//! | `addReader`, `addWriter`, `removeReader` | [`register`](crate::prelude::Handle::register), [`Registration::close`](crate::reactor::Registration::close) | A closure gets the source and what it is ready for. |
//! | `reactor.seconds()`, `task.Clock` | `now`, [`FakeClock`](crate::core::FakeClock) | Monotonic, and counted from the reactor's creation. |
//! | `signal.signal(…)` | [`on_signal`](crate::prelude::Handle::on_signal) | Called by the loop. |
//!
//! # Connections and lines
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `Protocol`: `dataReceived`, `connectionLost` | `Protocol`: `data_received`, `connection_lost` | The transport is the first argument. `connection_lost` has `Ok` for an orderly end. |
//! | `readConnectionLost` | `read_closed` | For every protocol. The default closes the connection after a flush. |
//! | `Factory.forProtocol(P)`, `f.protocol = P` | a closure: `\|\| P` | |
//! | `buildProtocol` of a `Factory` | [`Factory::build_protocol`](crate::prelude::Factory::build_protocol) | `None` refuses the connection. |
//! | `listenTCP(port, factory, interface='')` | `listen_tcp(address, factory)` | The address is explicit: `("0.0.0.0", port)` is all of IPv4. An address that cannot be listened on is a `ListenError`. |
//! | `connectTCP(host, port, factory, timeout=30)`, `connectUNIX` | `connect_tcp(address, protocol)`, `connect_unix(path, protocol)` | A protocol, no factory; a `Deferred<Transport>`, no connector. **No time limit** but the kernel's, about two minutes for an address (`tcp_syn_retries` in `tcp(7)`): `.timeout(Duration::from_secs(30))` sets one. |
//! | `clientConnectionFailed` | the error of that `Deferred` | `ConnectError`. |
//! | `listenUNIX`, `stopListening` | `listen_unix`, `stop_listening` | |
//! | `abortConnection`, `loseWriteConnection`, `getPeer`, `getHost` | `abort_connection`, `shutdown_write`, `peer`, `host` | |
//! | `StandardIO(proto)` | `stdio(protocol)` | The end of the input is `read_closed`. 0 and 1 stay open until the program ends. |
//! | `LineReceiver`, `lineReceived` | [`LineReceiver`](crate::prelude::LineReceiver), `poll` | A value that bytes are put into, not a base class: one for each descriptor. `new` ends a line at a line feed and drops a carriage return before it; `with_delimiter` is exact. The last line may be unterminated. |
//! | `lineLengthExceeded`, `MAX_LENGTH` | `Line::is_cut`, `max_length` | Of a line that is too long the beginning comes, and the connection stays. |
//! | `setRawMode`, `setLineMode`, `rawDataReceived` | `set_raw_mode`, `set_line_mode`, `poll_raw` | |
//! | `sendLine(line)` | `transport.write(…)` | The delimiter is yours to write. |
//! | `ProcessEndpoint` | [`StreamAdapter`](crate::protocol::StreamAdapter) | **The child's stderr is dropped, not logged**: `log_stderr` is `errFlag=StandardErrorBehavior.LOG`, `keep_stderr` keeps its beginning. |
//! | `ProtocolWrapper` | `on_event` of [`Protocol`](crate::prelude::Protocol) and [`ProcessProtocol`](crate::prelude::ProcessProtocol) | The only method that a wrapper overrides. |
//! | `StringTransport`, `MemoryReactor` of the tests | `FakeConnection`, `FakeProcess`, `FakeChildren` | Driven by hand, with the real state machines. |
//!
//! # What is not here
//!
//! | Twisted | do this instead |
//! |---|---|
//! | `DeferredSemaphore`, `DeferredLock`, `DeferredQueue` | `run_all(programs, parallelism)` for programs; else the locks and channels of `async-lock` and `async-channel`. |
//! | `Cooperator`, `coiterate` | A task that awaits `sleep(Duration::ZERO)` between its pieces. |
//! | `maybeDeferred`, `chainDeferred`, `pause`, `unpause` | `and_then` takes a closure that gives a `Result` or a `Deferred`. |
//! | `d.called`, `d.result` | `try_take`, which takes the result. |
//! | `getDelayedCalls`, `reactor.crash` | Keep the `DelayedCall`s; `stop`. |
//! | `ReconnectingClientFactory`, `ClientService` | A task that connects, awaits the end, sleeps and tries again. |
//! | `TimeoutMixin` | A `DelayedCall` that each callback `reset`s. |
//! | `NetstringReceiver`, `Int32StringReceiver` | Collect `Bytes` in the protocol. |
//! | `writeConnectionLost`, `setTcpNoDelay`, `setTcpKeepAlive` | `TCP_NODELAY` is always set; a lost writer is `connection_lost`. |
//! | `listenUDP`, `listenSSL`, `startTLS` | A socket of your own with `register`; TLS needs another library. |
//! | `reactor.resolve` | `connect_tcp` takes names, and looks them up in a thread. |
//! | endpoints, `clientFromString` | `connect_tcp`, `connect_unix`, `StreamAdapter`. |
//! | `procmon.ProcessMonitor`, `twistd`, services | The example `supervisor`; a service manager. |
//! | `log.msg`, `log.err`, `twisted.logger` | The panic hook and `set_unhandled_error_hook`; a logging crate. |
//! | `spawnProcess` on Windows | |
//!
//! # References
//!
//! [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), and Twisted's
//! [guide to processes](https://docs.twisted.org/en/stable/core/howto/process.html).
