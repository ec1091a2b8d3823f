//! The acts: children of every shape, and all that can be done to them and beside them.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::protocol::Target;

use super::model::{Checked, Expected, Life};
use super::{Alive, MOST_CHILDREN, World};

/// One of each of what opens something for good, so that the baseline has it.
pub(super) fn warm_up(world: &Rc<World>, reactor: &mut Reactor) -> Result<(), String> {
    let handle = reactor.handle();
    child(world, &handle, Command::new("/bin/true"), plain(Some(0)));
    let listener = listen(world, reactor)?;
    connect(world, &handle);
    remote(world, &handle);
    let waits = handle.now() + Duration::from_secs(10);
    while world.pending.get() > 0 || world.alive.borrow().iter().any(|c| !c.life.borrow().ended) {
        if handle.now() > waits {
            return Err("the warm-up does not end".to_owned());
        }
        reactor.turn(Some(Duration::from_millis(50))).map_err(|error| error.to_string())?;
    }
    listener.stop_listening().detach();
    world.port.set(0);
    world.sweep();
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Does one thing.
pub(super) fn any(world: &Rc<World>, reactor: &Handle) {
    let room = world.alive.borrow().len() < MOST_CHILDREN;
    match world.numbers.below(24) {
        0..=6 if room => spawn(world, reactor),
        7 => fail_to_spawn(world, reactor),
        8 => timers(world, reactor),
        9 => connect(world, reactor),
        10 => remote(world, reactor),
        11 => future(world, reactor),
        12 if room => run(world, reactor),
        _ => meddle(world),
    }
}

fn plain(code: Option<i32>) -> Expected {
    Expected { pipes: vec![0, 1, 2], readable: vec![1, 2], code, output: None }
}

/// A child of a random shape.
fn spawn(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let sh = |script: &str| Command::new("/bin/sh").args(["-c", script]);
    match numbers.below(11) {
        0 => child(world, reactor, Command::new("/bin/true"), plain(Some(0))),
        1 => {
            let code = i32::try_from(numbers.below(256)).unwrap_or(0);
            child(world, reactor, sh("exit $0").arg(code.to_string()), plain(Some(code)))
        }
        2 => {
            let data = numbers.bytes(200_000);
            let expected = Expected { output: Some(data.clone()), ..plain(Some(0)) };
            let process = child(world, reactor, Command::new("/bin/cat"), expected);
            if let Some(process) = process {
                process.write(data);
                process.close_stdin();
            }
            None
        }
        3 => child(world, reactor, Command::new("/bin/sleep").arg("2"), plain(Some(0))),
        4 => {
            let expected = Expected {
                pipes: Vec::new(),
                readable: vec![1],
                code: Some(4),
                output: Some(b"hi\r\n".to_vec()),
            };
            child(world, reactor, sh("echo hi; exit 4").pty(Pty::new().size(20, 70)), expected)
        }
        5 => {
            let data = numbers.bytes(60_000);
            let expected = Expected {
                pipes: vec![0, 1, 2, 3],
                readable: vec![1, 2, 3],
                code: Some(0),
                output: Some(data.clone()),
            };
            let command = sh("cat <&3 >&3").child_fd(3, Fd::socketpair());
            let process = child(world, reactor, command, expected);
            if let Some(process) = process {
                process.write_to_child(3, data).ok(); // a callback may have closed it
                process.shutdown_child_fd(3);
            }
            None
        }
        6 if world.root => {
            let expected = Expected { output: Some(b"65534\n".to_vec()), ..plain(Some(0)) };
            let command = Command::new("/usr/bin/id").arg("-u").uid(65534).gid(65534);
            child(world, reactor, command.current_dir("/"), expected)
        }
        7 => {
            let command = sh("sleep 2 & sleep 2").owned(true).drain_after_exit(Duration::ZERO);
            child(world, reactor, command, plain(None))
        }
        8 => {
            let length = numbers.below(400_000);
            let bytes = usize::try_from(length).unwrap_or(0);
            let expected = Expected { output: Some(vec![0; bytes]), ..plain(Some(0)) };
            let command =
                Command::new("/usr/bin/head").args(["-c", &length.to_string(), "/dev/zero"]);
            child(world, reactor, command, expected)
        }
        9 => {
            let expected = Expected { output: Some(b"x\n".to_vec()), ..plain(Some(0)) };
            let after = Duration::from_millis(numbers.below(30));
            child(world, reactor, sh("echo x; sleep 1 &").drain_after_exit(after), expected)
        }
        _ => {
            let length = numbers.below(300_000);
            let process = child(
                world,
                reactor,
                Command::new("/usr/bin/head").args(["-c", &length.to_string(), "/dev/zero"]),
                Expected { output: None, ..plain(None) },
            );
            if let (Some(process), Ok(null)) = (process, open_null()) {
                forward(world, &process, null);
            }
            None
        }
    };
}

fn open_null() -> io::Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).open("/dev/null")
}

fn forward(world: &Rc<World>, process: &Process, null: std::fs::File) {
    world.begin();
    let me = world.clone();
    process.forward(1, Target::fd(null)).done(move |result| {
        me.count(if result.is_ok() { "forwarded" } else { "forwarding cut short" });
        me.finish();
    });
}

fn child(
    world: &Rc<World>,
    reactor: &Handle,
    command: Command,
    expected: Expected,
) -> Option<Process> {
    let life = Rc::new(RefCell::new(Life::new(expected)));
    let me = Rc::downgrade(world);
    let act = Rc::new(move |_: &Process| {
        let Some(world) = me.upgrade() else { return };
        // In a callback now and then something else is done, to this child or another.
        if !world.is_over() && world.depth.get() == 0 && world.numbers.below(12) == 0 {
            world.depth.set(1);
            any(&world, &Handle::current());
            world.depth.set(0);
        }
    });
    let protocol = Checked { life: life.clone(), book: world.book.clone(), act };
    let shown = format!("{command:?}");
    let command = match world.numbers.below(8) {
        0 => command.spawn_path(SpawnPath::Fork),
        1 => command.adaptive_pipes(false),
        _ => command,
    };
    match reactor.spawn_process(protocol, command) {
        Ok(process) => {
            world.count("spawned");
            world.alive.borrow_mut().push(Alive { process: process.clone(), life });
            Some(process)
        }
        Err(error) => {
            world.violation(format!("{shown}: {error:?}"));
            None
        }
    }
}

/// Commands that cannot start.
fn fail_to_spawn(world: &Rc<World>, reactor: &Handle) {
    let (command, step) = match world.numbers.below(5) {
        0 => (Command::new("/no/such/program"), Step::Exec),
        1 => (Command::new("no-such-program-anywhere"), Step::Exec),
        2 => (Command::new("/bin/true").arg("a\0b"), Step::Validate),
        3 => (Command::new("/bin/true").current_dir("/no/such/directory"), Step::Chdir),
        _ => (Command::new("/bin/true").child_fd(-1, Fd::null()), Step::Validate),
    };
    struct Never(Rc<World>);
    impl ProcessProtocol for Never {
        fn connection_made(&mut self, _: &Process) {
            self.0.violation("a spawn that failed called back".to_owned());
        }
    }
    match reactor.spawn_process(Never(world.clone()), command) {
        Err(error) if error.step() == step => world.count("failed as expected"),
        other => world.violation(format!("not an error of {step:?}: {other:?}")),
    }
}

/// Does something to a random child.
fn meddle(world: &Rc<World>) {
    let (process, life) = {
        let alive = world.alive.borrow();
        if alive.is_empty() {
            return;
        }
        let child = &alive[world.numbers.index(alive.len())];
        (child.process.clone(), child.life.clone())
    };
    let numbers = &world.numbers;
    let fd = i32::try_from(numbers.below(5)).unwrap_or(0);
    let disturb = || life.borrow_mut().disturbed = true;
    world.count("meddled");
    match numbers.below(20) {
        0..=3 => process.pause(fd),
        4..=8 => process.resume_all(),
        9 => {
            disturb();
            process.write_to_child(fd, numbers.bytes(3000)).ok(); // any answer is legal
        }
        10 => {
            disturb();
            process.close_child_fd(fd);
        }
        11 => {
            disturb();
            process.abort_child_fd(fd);
        }
        12 => {
            disturb();
            process.lose_connection();
        }
        13 => {
            disturb();
            process.close_all();
        }
        14 => {
            disturb();
            let signals = [Signal::TERM, Signal::KILL, Signal::USR1, Signal::CONT, Signal::HUP];
            process.signal(signals[numbers.index(signals.len())]).ok(); // it may be gone
        }
        15 | 16 => {
            disturb();
            world.begin();
            let me = world.clone();
            let grace = Duration::from_millis(numbers.below(50));
            process.terminate(Signal::TERM, grace).done(move |result| {
                me.count(if result.is_ok() { "terminated" } else { "gone before" });
                me.finish();
            });
        }
        17 => {
            let high = numbers.index(100_000);
            process.set_write_limits(fd, high, high / 2).ok(); // not every fd is written
        }
        18 => drop((process.resize(10, 20), process.termios(), process.window_size())),
        _ => drop((process.pidfd(), process.with_fd(fd, |_| ()), process.write_buffered(fd))),
    }
}

/// Timers that fire in order, are cancelled or moved.
fn timers(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let due = Duration::from_millis(numbers.below(40));
    let begun = reactor.now();
    world.begin();
    let me = world.clone();
    let call = reactor.call_later(due, move |reactor| {
        if reactor.now() < begun + due {
            me.violation(format!("a timer of {due:?} fired after {:?}", reactor.now() - begun));
        }
        me.count("timers");
        me.finish();
    });
    match numbers.below(4) {
        0 => {
            call.cancel();
            world.finish();
            if call.is_active() {
                world.violation("a cancelled timer is active".to_owned());
            }
        }
        1 => call.delay(Duration::from_millis(5)),
        _ => {}
    }
}

/// A call from another thread.
fn remote(world: &Rc<World>, reactor: &Handle) {
    let sender = reactor.remote();
    let (promise, called) = Deferred::<(), String>::new();
    let key = Cell::new(Some(promise));
    world.begin();
    let me = world.clone();
    called.done(move |result| {
        if result.is_err() {
            me.violation(format!("a call from a thread: {result:?}"));
        }
        me.count("calls from threads");
        me.finish();
    });
    thread_local! {
        static WAITING: RefCell<Vec<Promise<(), String>>> = const { RefCell::new(Vec::new()) };
    }
    WAITING.with_borrow_mut(|waiting| waiting.extend(key.take()));
    let thread = std::thread::spawn(move || {
        sender.call(|_| {
            let promise = WAITING.with_borrow_mut(Vec::pop);
            if let Some(promise) = promise {
                promise.complete(Ok(()));
            }
        });
    });
    drop(thread); // it ends by itself
}

/// A future on the loop: an async child, or a sleep.
fn future(world: &Rc<World>, reactor: &Handle) {
    let me = world.clone();
    let data = world.numbers.bytes(50_000);
    let keep = world.numbers.below(4) > 0;
    world.begin();
    let handle = reactor.clone();
    let task = reactor.spawn_local(async move {
        let mut child = match handle.spawn_child("/bin/cat") {
            Ok(child) => child,
            Err(error) => {
                me.violation(format!("cat as a future: {error:?}"));
                me.finish();
                return;
            }
        };
        if keep {
            child.write(data.clone()).await.ok(); // what arrives tells
            child.close_stdin();
            let output = child.stdout().collect().await;
            if output != data {
                me.violation(format!("{} bytes of {}", output.len(), data.len()));
            }
            child.ended().await.ok(); // the status was told to others
        } else {
            child.close_stdin();
        }
        me.count("async children");
        me.finish();
    });
    drop(task); // it runs on
}

/// A helper, run to its end, timed out or dropped.
fn run(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let data = numbers.bytes(20_000);
    world.begin();
    let me = world.clone();
    match numbers.below(3) {
        0 => Run::new("/bin/cat").stdin(data.clone()).start_on(reactor).done(move |result| {
            let exact = result.as_ref().is_ok_and(|outcome| outcome.stdout == data);
            if !exact {
                me.violation("a helper's output is not its input".to_owned());
            }
            me.count("helpers");
            me.finish();
        }),
        1 => {
            let after = Duration::from_millis(numbers.below(20));
            let slow = Run::new("/bin/sleep").arg("5").timeout(after).start_on(reactor);
            slow.done(move |result| {
                if result.is_ok() {
                    me.violation("a helper outlived its timeout".to_owned());
                }
                me.count("helpers timed out");
                me.finish();
            });
        }
        _ => {
            drop(Run::new("/bin/sleep").arg("5").kill_grace(Duration::ZERO).start_on(reactor));
            me.count("helpers dropped");
            me.finish();
        }
    }
}

/// Sends back what it gets.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        transport.write(data);
    }
}

/// Listens on any port for [`connect`].
pub(super) fn listen(world: &Rc<World>, reactor: &Handle) -> Result<Listener, String> {
    let listener =
        reactor.listen_tcp(("127.0.0.1", 0), || Echo).map_err(|error| error.to_string())?;
    world.port.set(listener.port().ok_or("no port")?);
    Ok(listener)
}

/// Sends some bytes and compares what comes back.
struct Client {
    world: Rc<World>,
    sent: Vec<u8>,
    got: usize,
    lost: bool,
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        transport.write(self.sent.clone());
        if self.sent.is_empty() {
            transport.abort_connection();
        }
    }

    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        let end = self.got + data.len();
        if self.lost || self.sent.get(self.got..end) != Some(&data[..]) {
            self.world.violation("an echo is not what was sent".to_owned());
        }
        self.got = end;
        if self.got == self.sent.len() {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, _: io::Result<()>) {
        if std::mem::replace(&mut self.lost, true) {
            self.world.violation("a connection was lost twice".to_owned());
        }
        self.world.count("connections");
        self.world.finish();
    }
}

/// A connection to the echo.
fn connect(world: &Rc<World>, reactor: &Handle) {
    world.begin();
    let sent = world.numbers.bytes(100_000);
    let client = Client { world: world.clone(), sent, got: 0, lost: false };
    let me = world.clone();
    reactor.connect_tcp(("127.0.0.1", world.port.get()), client).done(move |result| {
        match result {
            Ok(_) => {}
            // The listener has closed meanwhile.
            Err(_) if me.is_over() => me.finish(),
            Err(error) => me.violation(format!("no connection: {error}")),
        }
    });
}
