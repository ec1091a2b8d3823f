//! The acts: children of every shape, and everything that can be done to them and beside them.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;
use procession::{FileMode, SpawnPath, Step};
use procession::{Pace, ReadProducer, Target};
use procession::{Resource, Rlimit};

use super::model::{Checked, ChildState, Expected};
use super::{
    Alive, FILE, MOST_CHILDREN, World, batches, endings, helpers, loops, net, pipes, producers,
    stdio,
};

/// Does each act once that opens something permanently, so that the baseline includes it.
pub(super) fn warm_up(world: &Rc<World>, reactor: &mut Reactor) -> Result<(), String> {
    let handle = reactor.handle();
    world.depth.set(1); // no callback acts: a child that it paused would wait for a later act
    child(world, &handle, Command::new("/bin/true"), plain(Some(0)));
    let listener = net::listen(world, reactor)?;
    for _ in 0..20 {
        net::connect(world, &handle); // in each manner
    }
    net::connect_unix(world, &handle);
    loops::other_loop(world, &handle);
    loops::signal(world, &handle);
    loops::source(world, &handle);
    for _ in 0..8 {
        stdio::program(world, &handle); // in each manner
    }
    let waits = handle.now() + Duration::from_secs(10);
    while world.pending.get() > 0 || world.alive.borrow().iter().any(|c| !c.life.borrow().ended) {
        if handle.now() > waits {
            world.sweep();
            let lives: Vec<_> = world.alive.borrow().iter().map(|c| c.life.clone()).collect();
            let pending = world.pending.get();
            return Err(format!("the warm-up does not end: {pending} pending, {lives:#?}"));
        }
        reactor.turn(Some(Duration::from_millis(50))).map_err(|error| error.to_string())?;
    }
    listener.stop_listening().detach();
    world.port.set(0);
    world.depth.set(0);
    world.sweep();
    for _ in 0..3 {
        reactor.turn(Some(Duration::ZERO)).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Does one random act.
pub(super) fn any(world: &Rc<World>, reactor: &Handle) {
    let room = world.alive.borrow().len() < MOST_CHILDREN;
    match world.numbers.below(46) {
        0..=6 if room => spawn(world, reactor),
        7 => fail_to_spawn(world, reactor),
        8 => loops::timers(world, reactor),
        9 => net::connect(world, reactor),
        10 => net::connect_unix(world, reactor),
        11 => loops::remote(world, reactor),
        12 => loops::future(world, reactor),
        13 => loops::signal(world, reactor),
        14 => loops::source(world, reactor),
        15 if room => helpers::run(world, reactor),
        16 if room => helpers::lines(world, reactor),
        17 if room => helpers::named(world),
        18 if room => batches::run_all_of_them(world, reactor),
        19 if room => pipes::pipeline(world, reactor),
        20 if room => producers::of_a_reader(world, reactor),
        21 if room => helpers::forward(world, reactor),
        22 if room => loops::other_loop(world, reactor),
        23 if room => stdio::program(world, reactor),
        24 if room => producers::of_its_own(world, reactor),
        25 if room => endings::terminate(world, reactor),
        26 if room => endings::helper(world, reactor),
        27 => pipes::no_pipeline(world, reactor),
        _ => meddle(world),
    }
}

/// Returns what is expected of a child with three pipes.
pub(super) fn plain(code: Option<i32>) -> Expected {
    Expected { pipes: vec![0, 1, 2], readable: vec![1, 2], code, ..Expected::default() }
}

/// Starts a child of a random shape.
fn spawn(world: &Rc<World>, reactor: &Handle) {
    let numbers = &world.numbers;
    let sh = |script: &str| Command::new("/bin/sh").args(["-c", script]);
    match numbers.below(12) {
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
                pipes: vec![1],
                readable: vec![1],
                code: Some(4),
                output: Some(b"hi\r\n".to_vec()),
                ..Expected::default()
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
                ..Expected::default()
            };
            let command = sh("cat <&3 >&3").child_fd(3, Fd::socketpair());
            let process = child(world, reactor, command, expected);
            if let Some(process) = process {
                process.write_to_child(3, data).ok(); // a callback may have closed it
                process.shutdown_write(3);
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
        10 => {
            let limit = Rlimit { soft: Some(0), hard: Some(0) };
            let command = sh("umask; ulimit -c; cat <&5; echo err >&2")
                .child_fd(0, Fd::null())
                .child_fd(2, Fd::same_as(1))
                .child_fd(5, Fd::file(world.file(), FileMode::Read))
                .child_fd(6, Fd::closed())
                .new_session()
                .umask(0o27)
                .rlimit(Resource::Core, limit)
                .nice(1)
                .oom_score_adj(500)
                .parent_death_signal(Signal::KILL)
                .kill_on_drop(false);
            let expected = Expected {
                pipes: vec![1],
                readable: vec![1],
                output: Some([b"0027\n0\n", FILE, b"err\n"].concat()),
                ..plain(Some(0))
            };
            child(world, reactor, command, expected)
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

/// Starts a child, and expects this of it.
pub(super) fn child(
    world: &Rc<World>,
    reactor: &Handle,
    command: Command,
    expected: Expected,
) -> Option<Process> {
    child_and_life(world, reactor, command, expected).map(|(process, _)| process)
}

/// Starts a child, and expects this of it. Returns its state too.
pub(super) fn child_and_life(
    world: &Rc<World>,
    reactor: &Handle,
    command: Command,
    expected: Expected,
) -> Option<(Process, Rc<RefCell<ChildState>>)> {
    let (protocol, life) = checked(world, expected);
    let shown = format!("{command:?}");
    let command = match world.numbers.below(8) {
        0 => command.spawn_path(SpawnPath::Fork),
        1 => command.adaptive_pipes(false),
        2 => command.without_pidfd(),
        _ => command,
    };
    match reactor.spawn_process(protocol, command) {
        Ok(process) => {
            world.count("spawned");
            let alive = Alive { process: process.clone(), life: life.clone() };
            world.alive.borrow_mut().push(alive);
            Some((process, life))
        }
        Err(error) => {
            world.violation(format!("{shown}: {error:?}"));
            None
        }
    }
}

/// Returns a protocol that expects this of its child.
pub(super) fn checked(world: &Rc<World>, expected: Expected) -> (Checked, Rc<RefCell<ChildState>>) {
    let life = Rc::new(RefCell::new(ChildState::new(expected)));
    let me = Rc::downgrade(world);
    let act = Rc::new(move |_: &Process| {
        let Some(world) = me.upgrade() else { return };
        // Some callbacks do another act, to this child or to another one.
        if !world.is_over() && world.depth.get() == 0 && world.numbers.below(12) == 0 {
            world.depth.set(1);
            any(&world, &Handle::current());
            world.depth.set(0);
        }
    });
    (Checked { life: life.clone(), book: world.book.clone(), act }, life)
}

/// The protocol of a child that cannot start.
pub(super) struct Never(pub(super) Rc<World>);

impl ProcessProtocol for Never {
    fn connection_made(&mut self, _: &Process) {
        self.0.violation("a spawn that failed called back".to_owned());
    }
}

/// Spawns commands that cannot start.
fn fail_to_spawn(world: &Rc<World>, reactor: &Handle) {
    let (command, step) = match world.numbers.below(5) {
        0 => (Command::new("/no/such/program"), Step::Exec),
        1 => (Command::new("no-such-program-anywhere"), Step::Exec),
        2 => (Command::new("/bin/true").arg("a\0b"), Step::Validate),
        3 => (Command::new("/bin/true").current_dir("/no/such/directory"), Step::Chdir),
        _ => (Command::new("/bin/true").child_fd(-1, Fd::null()), Step::Validate),
    };
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
    match numbers.below(26) {
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
            process.abort_connection(fd);
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
        19 => {
            disturb();
            process.write_sequence([numbers.bytes(500), numbers.bytes(500)]);
            process.write_copy(b"copied");
        }
        20 => {
            disturb();
            process.shutdown_write(fd);
        }
        21 => {
            disturb();
            process.send_eof().ok(); // only a terminal has one
        }
        22 => {
            disturb();
            process.set_write_hard_limit(fd, Some(numbers.index(200_000))).ok();
        }
        23 => {
            disturb();
            if let Ok(null) = open_null() {
                forward(world, &process, null);
            }
        }
        24 => {
            disturb();
            let (producer, sent) = ReadProducer::new(io::Cursor::new(numbers.bytes(100_000)));
            process.register_producer(fd, Pace::Pull, producer).ok(); // the descriptor may have one
            world.begin();
            let me = world.clone();
            sent.done(move |_| me.finish());
        }
        _ => drop((process.pidfd(), process.with_fd(fd, |_| ()), process.write_buffered(fd))),
    }
}
