//! Porting from Twisted: its names, the names here, the differences, and what is missing.
//!
//! Our names are Twisted's in snake_case. The search of these pages finds Twisted's spelling too: type
//! `spawnProcess` or `childFDs`. Anything that a table does not mention behaves as in Twisted. The
//! [last table](#what-is-not-here) lists what is missing, and what to do instead. All names are at the
//! [root](crate) of the crate, or are methods of types there.
//!
//! Three differences concern every program:
//!
//! - **Dropping cancels.** A [`Deferred`](crate::Deferred) that is dropped before it has a result
//!   cancels the operation that it waits for. To keep it going, end the chain with `done` or `detach`.
//! - **A panic is not a failure.** Twisted logs an exception of a callback and goes on. Here a panic
//!   unwinds out of `run`; [`failures`](super::failures#a-callback-that-panics) shows a loop that
//!   goes on. An expected error is a `Result`.
//! - **No call runs a callback before it returns**, except `connection_made`. Callbacks come from the
//!   loop.
//!
//! # Spawning
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `reactor.spawnProcess(proto, executable, args, …)` | [`spawn_process(protocol, command)`](crate::SpawnProcess::spawn_process) | Returns a `Result` with the [`Process`](crate::Process). If the program cannot be started, this call returns an error and calls no callback; in Twisted the child starts and ends with status 1. |
//! | `executable` | [`Command::new(program)`](crate::Command::new) | Looked up in the child's `PATH` if the command sets one, else in the parent's. |
//! | `args=['wc', '-l']` | `Command::new("wc").arg("-l")` | The program is not repeated; `arg0` sets another `argv[0]`. |
//! | `env={…}` | `env`, `envs`, `env_remove`, `env_clear` | **The default is the parent's environment, not an empty one.** `env={}`, Twisted's default, is `env_clear()`; `env=None` is the default here. |
//! | `path=…` | `current_dir` | If the directory does not exist, the spawn fails. |
//! | `uid`, `gid` | `uid`, `gid`, `groups`, `user` | After a change of ids the child has no group of the parent, unless `groups` names it. |
//! | `usePTY=True` | [`pty(Pty::new())`](crate::Command::pty) | The map may also name numbers from 3 up. The size is set before the program runs. |
//! | `usePTY=(master, slave, name)` | [`Pty::pair`](crate::Pty::pair), [`Pty::open`](crate::Pty::open) | |
//! | `childFDs={0: "w", 1: "r", 2: 2}` | `child_fds([(0, Fd::to_child()), (1, Fd::from_child()), (2, Fd::inherit(io::stderr()))])` | `child_fd` changes one entry of the default map. There are also files, socketpairs and `/dev/null`. |
//! | the child's signals | | As in Twisted, the child starts with every signal at its default, including SIGPIPE and, under `nohup`, SIGHUP; `inherit_signals` keeps the parent's settings. |
//! | SIGCHLD | | No handler is installed: a pidfd reports the exit, and the library does not touch the children of other libraries. |
//!
//! # `ProcessProtocol`
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `self.transport` | the first argument of every callback | A [`Process`](crate::Process). You may clone and keep it. |
//! | `connectionMade` | `connection_made` | Called inside `spawn_process`, after the program was executed. |
//! | `outReceived`, `errReceived`, `childDataReceived` | `out_received`, `err_received`, `child_data_received` | Data are `Bytes`, up to 256 KiB in one call. |
//! | `inConnectionLost`, `outConnectionLost`, `errConnectionLost`, `childConnectionLost` | `in_connection_lost`, `out_connection_lost`, `err_connection_lost`, `child_connection_lost` | For a terminal, only the loss of 1 is reported. |
//! | `processExited`, `processEnded` | `process_exited`, `process_ended` | Called by the loop, never inside `spawn_process`. They are also called if somebody else has reaped the child: with its status if Linux keeps it (since 6.15), else `unknown_end()` returns why it is unknown. |
//! | `status.value`: `ProcessDone` or `ProcessTerminated` | `ExitReason = Result<ProcessDone, ProcessTerminated>` | Also has the child's resource usage, and the descriptors that descendants held. |
//! | `exitCode`, `signal`, `status` of it | `exit_code()`, `signal()`, `raw_status()` | `Option`s. |
//!
//! # The transport of a process
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `write`, `writeSequence`, `writeToChild` | `write`, `write_sequence`, `write_to_child` | `write_to_child` returns whether the data were queued. |
//! | `closeStdin`, `closeStdout`, `closeStderr`, `closeChildFD` | `close_stdin`, `close_stdout`, `close_stderr`, `close_child_fd` | If nothing is queued, a writer closes in the same turn, even if the pipe is full. |
//! | `loseConnection` | `lose_connection` | Closes 0, 1 and 2, as in Twisted; `close_all` closes every descriptor. |
//! | `signalProcess('KILL')`, `os.kill(transport.pid, …)` | `signal(Signal::KILL)` | Sent through a pidfd, so never to another process. `"KILL".parse()` returns a signal. |
//! | `ProcessExitedAlready` | `SignalError::ProcessExitedAlready` | Returned once the child is reaped. |
//! | `transport.pid` | `pid()` | `None` once the child is reaped. |
//! | `registerProducer(p, streaming)`, `unregisterProducer` | `register_producer(fd, pace, producer)`, `unregister_producer` | One producer for each descriptor; a connection has the same verbs without `fd`. The methods of the producer get a [`Transport`](crate::Transport) to write to. `streaming=True` is [`Pace::Push`](crate::Pace), `False` is `Pace::Pull`. Callbacks also report when a queue becomes full or drained. |
//! | `pauseProducing`, `resumeProducing` | `pause_all`, `resume_all` | `pause` and `resume` act on one descriptor. |
//! | `FileSender` | [`ReadProducer`](crate::ReadProducer), [`forward`](crate::Process::forward) | `forward` moves bytes between descriptors without the program. |
//!
//! # Deferreds
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `d = Deferred()` | `let (promise, deferred) = Deferred::new()` | The side that produces the result has a [`Promise`](crate::Promise), the side that receives it a [`Deferred`](crate::Deferred). |
//! | `d.callback(x)`, `d.errback(e)` | `promise.complete(Ok(x))`, `promise.complete(Err(e))` | A dropped promise fails its `Deferred` with `Failed::Abandoned`. |
//! | `AlreadyCalledError` | `promise.try_complete(…)` | A second `complete` has no effect. |
//! | `succeed(x)`, `fail(e)` | `Deferred::ready(Ok(x))`, `Deferred::ready(Err(e))` | |
//! | `addCallback` | `map`, `and_then` | Each consumes the `Deferred` and returns the next. End a chain with `done` or `detach`. |
//! | `addErrback` | `map_err`, `or_else` | Neither sees a cancellation, a timeout or an abandoned promise: `then` does. |
//! | `addBoth`, `addCallbacks` | `then`, `done` | One closure gets the `Result`. |
//! | `Failure`, `failure.check(E)` | `Result<T, Failed<E>>`, `match` | The error has a type; there is no traceback. |
//! | `d.cancel()`, `CancelledError` | `cancel`, `Failed::Cancelled` | Dropping the `Deferred` cancels too. |
//! | `addTimeout(seconds, reactor)`, `TimeoutError` | `timeout(Duration)`, `Failed::TimedOut` | Uses the thread's reactor; `timeout_on` takes a clock. |
//! | `gatherResults` | `gather` | On the first failure the others are cancelled. |
//! | `DeferredList(fireOnOneCallback=True)` | `first_of` | The first failure also ends it; then the others are cancelled. |
//! | `DeferredList` that collects failures | [`gather_all`](crate::gather_all()); for programs `run_all(…).all()` | No failure ends the wait. |
//! | `await d`, `inlineCallbacks`, `ensureDeferred` | `.await` in an `async` block; [`spawn_local`](crate::Handle::spawn_local) starts one, and [`defer`](crate::Handle::defer) turns it into a `Deferred` | The task is first polled in the next turn, not at once. Outside of callbacks, [`block_on`](crate::Reactor::block_on) waits for a future. |
//! | "Unhandled error in Deferred" | [`set_unhandled_error_hook`](crate::set_unhandled_error_hook) | By default one line on stderr, when the `Deferred` is dropped. |
//!
//! # Helpers
//!
//! For all of them:
//!
//! - The child leads a **session of its own**; in Twisted it is in the program's group. So it has no
//!   terminal on which to ask for a password ([`foreground`](crate::Run::foreground) leaves it the
//!   program's terminal).
//! - Its **stdin is `/dev/null`**; in Twisted it is a pipe that nobody closes.
//! - Its environment is the parent's; in Twisted it is empty.
//! - The child **ends with the program** and with its `Deferred` ([`lifetimes`](super::lifetimes)).
//! - If the program cannot be started, the `Deferred` fails.
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `getProcessOutput(cmd)` | `get_process_output(cmd)` | As in Twisted, the first byte on stderr is an error, and the program runs on. Here the error has both outputs, and `ended` instead of `processEnded`. At most 64 MiB of output. |
//! | `getProcessOutput(cmd, errortoo=True)` | `get_process_output_merged(cmd)` | Both outputs come through one pipe, in the order in which the child wrote them. |
//! | `getProcessValue(cmd)` | `get_process_value(cmd)` | A death by a signal is an error that names the signal. |
//! | `getProcessOutputAndValue(cmd, stdinBytes=…)` | `get_process_output_and_value(cmd, stdin)` | The same error for a death by a signal. At most 64 MiB of each output. `""` means no input. |
//! | | [`Run`](crate::Run) | The type behind these helpers: limits, timeouts, lines, one typed error. |
//!
//! # The reactor
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `from twisted.internet import reactor` | `Reactor::new()`, then `Handle::current()` anywhere in its thread | One process may have several, each in its own thread. |
//! | `reactor.run()` | `run` | May be called again. Returns why it stopped: `Stopped::Called` or `Stopped::Signal`. If `main` returns that value, the program dies by the signal. SIGHUP also stops it, if SIGHUP would end the program. |
//! | `reactor.run(installSignalHandlers=False)` | [`without_signals`](crate::Reactor::without_signals) | In a thread other than the main one, signals stop a run only [`with_signals`](crate::Reactor::with_signals). |
//! | `task.react(main)` | [`run_main`](crate::run_main), [`run_until`](crate::Reactor::run_until) | `main` is a future, without arguments. Its error is the result of Rust's `main`, which prints it and ends with status 1. A stop or a signal drops the future and ends the groups of children that the program owns; after a signal the program dies by it. |
//! | `reactor.stop()`, `ReactorNotRunning` | `stop`, `try_stop`, [`NotRunning`](crate::NotRunning) | `stop` is not an error if the loop is not running. As in Twisted, a stop closes connections, ports and the pipes of children; before that it writes as much as the kernel accepts at once. A helper that loses its child's output this way fails with `OutputError::Stopped`. |
//! | `reactor.iterate()` | [`turn`](crate::Reactor::turn) | A call inside a callback does not compile. |
//! | `reactor.running` | `is_running` | |
//! | `callLater`, `IDelayedCall` | `call_later`, `DelayedCall` | `reset`, `delay`, `cancel` and `is_active`; on a call that was made they have no effect, which `try_reset`, `try_delay` and `try_cancel` report. |
//! | `LoopingCall`, `withCount` | [`call_every`](crate::Handle::call_every) | The closure gets the number of calls that were skipped. The calls end when the returned `Timer` is dropped. |
//! | `callInThread`, `deferToThread` | [`defer_to_thread`](crate::Handle::defer_to_thread) | Each call starts a thread: there is no pool. |
//! | `task.deferLater(reactor, 1, f)` | `Handle::current().sleep(…).await` | |
//! | `callWhenRunning` | `call_when_running` | If the reactor is already running, `f` is called in a later step of the loop, not at once. `turn` and `block_on` do not count as a run: the call waits for the next `run`. |
//! | `callFromThread` | `Remote::call`, of `handle.remote()` | The closure is `Send`, and gets the `Handle`. Calls made after the reactor's end are dropped. |
//! | `addSystemEventTrigger`, `removeSystemEventTrigger` | `add_system_event_trigger`, [`Trigger::remove`](crate::Trigger::remove) | Takes a [`Phase`](crate::Phase) and a [`SystemEvent`](crate::SystemEvent). As in Twisted, a trigger of the phase `Before` may return a `Deferred`, and the reactor waits for it. |
//! | `fireSystemEvent("shutdown")` | [`shut_down`](crate::Reactor::shut_down) | For a reactor that runs inside another loop. |
//! | `addReader`, `addWriter`, `removeReader` | [`register`](crate::Handle::register), [`Registration::close`](crate::Registration::close) | The loop calls a closure with the source and its readiness. |
//! | `reactor.seconds()`, `task.Clock` | `now`, [`FakeClock`](crate::FakeClock) | Monotonic; zero is the creation of the reactor. |
//! | `signal.signal(…)` | [`on_signal`](crate::Handle::on_signal) | The loop calls the closure. |
//!
//! # Connections and lines
//!
//! | Twisted | here | what differs |
//! |---|---|---|
//! | `Protocol`: `dataReceived`, `connectionLost` | `Protocol`: `data_received`, `connection_lost` | The transport is the first argument. `connection_lost` has `Ok` for an orderly end. |
//! | `readConnectionLost` | `read_closed` | Every protocol has it. The default closes the connection after a flush. |
//! | `Factory.forProtocol(P)`, `f.protocol = P` | a closure: `\|\| P` | |
//! | `buildProtocol` of a `Factory` | [`Factory::build_protocol`](crate::Factory::build_protocol) | `None` refuses the connection. |
//! | `listenTCP(port, factory, interface='')` | `listen_tcp(address, factory)` | The address is explicit: `("0.0.0.0", port)` is all of IPv4. If the address cannot be used, the error is a `ListenError`. |
//! | `connectTCP(host, port, factory, timeout=30)`, `connectUNIX` | `connect_tcp(address, protocol)`, `connect_unix(path, protocol)` | Takes a protocol instead of a factory, and returns a `Deferred<Transport>` instead of a connector. **The only time limit is the kernel's**, about two minutes for each address (`tcp_syn_retries` in `tcp(7)`): `.timeout(Duration::from_secs(30))` sets a shorter one. |
//! | `clientConnectionFailed` | the error of that `Deferred` | `ConnectError`. |
//! | `listenUNIX`, `stopListening` | `listen_unix`, `stop_listening` | |
//! | `abortConnection`, `loseWriteConnection`, `getPeer`, `getHost` | `abort_connection`, `shutdown_write`, `peer`, `host` | |
//! | `adoptStreamPort`, `adoptStreamConnection` | `adopt_listener`, `adopt_stream` | They take an owned descriptor, and ask the kernel for its family. |
//! | `StandardIO(proto)` | `stdio(protocol)` | `read_closed` reports the end of the input. Descriptors 0 and 1 stay open until the program ends. |
//! | `LineReceiver`, `lineReceived` | [`LineReceiver`](crate::LineReceiver), `poll` | A value that you feed bytes, not a base class: use one for each descriptor. `new` splits at line feeds and drops a carriage return before them; `with_delimiter` splits at exactly its delimiter. The last line may be unterminated. |
//! | `lineLengthExceeded`, `MAX_LENGTH` | `Line::is_cut`, `max_length` | A line that is too long arrives cut after its beginning, and the connection stays open. |
//! | `setRawMode`, `setLineMode`, `rawDataReceived` | `set_raw_mode`, `set_line_mode`, `poll_raw` | |
//! | `NetstringReceiver`, `Int32StringReceiver` | [`FrameReceiver`](crate::FrameReceiver) with a [`Framing`](crate::Framing) | A value that you feed bytes. |
//! | `sendLine(line)` | `transport.write(…)` | Write the delimiter yourself. |
//! | `ProcessEndpoint` | [`StreamAdapter`](crate::StreamAdapter) | **The child's stderr is dropped, not logged**: `log_stderr` is `errFlag=StandardErrorBehavior.LOG`, `keep_stderr` keeps its beginning. |
//! | `ProtocolWrapper` | [`Protocol::on_event`](crate::Protocol::on_event), [`ProcessProtocol::on_event`](crate::ProcessProtocol::on_event) | A wrapper overrides only this method. |
//! | `StringTransport`, `MemoryReactor` in tests | `FakeConnection`, `FakeProcess`, `FakeChildren` | The test drives them by hand; they use the real state machines. |
//!
//! # What is not here
//!
//! | Twisted | do this instead |
//! |---|---|
//! | `DeferredSemaphore`, `DeferredLock`, `DeferredQueue` | `run_all(programs, parallelism)` for programs; else the locks and channels of `async-lock` and `async-channel`. |
//! | `Cooperator`, `coiterate` | A task that awaits `sleep(Duration::ZERO)` between its steps. |
//! | `maybeDeferred`, `chainDeferred`, `pause`, `unpause` | `and_then` takes a closure that returns a `Result` or a `Deferred`. |
//! | `d.called`, `d.result` | `try_take`, which takes the result. |
//! | `getDelayedCalls`, `reactor.crash` | Keep the `DelayedCall`s; `stop`. |
//! | `ReconnectingClientFactory`, `ClientService` | A task that connects, awaits the end, sleeps and tries again. |
//! | `TimeoutMixin` | A `DelayedCall` that each callback `reset`s. |
//! | `writeConnectionLost`, `setTcpNoDelay`, `setTcpKeepAlive` | `TCP_NODELAY` is always set; `connection_lost` reports a lost writer. |
//! | `listenUDP`, `listenSSL`, `startTLS` | `register` a socket of your own; TLS needs another library. |
//! | `reactor.resolve` | `connect_tcp` takes names, and looks them up in a thread. |
//! | endpoints, `clientFromString` | `connect_tcp`, `connect_unix`, `StreamAdapter`. |
//! | `procmon.ProcessMonitor`, `twistd`, services | [`Monitor`](crate::Monitor); a service manager. |
//! | `log.msg`, `log.err`, `twisted.logger` | The panic hook and `set_unhandled_error_hook`; a logging crate. |
//! | `spawnProcess` on Windows | |
//!
//! # References
//!
//! [tcp(7)](https://man7.org/linux/man-pages/man7/tcp.7.html), and Twisted's
//! [guide to processes](https://docs.twisted.org/en/stable/core/howto/process.html).
