//! The acts of the loop itself: timers, futures, signals, calls from other threads, the program's
//! own sources, and a second loop in a thread.

use std::cell::RefCell;
use std::error::Error;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::time::Duration;

use procession::get_process_value;
use procession::prelude::*;
use procession::{Phase, SignalWatch, SystemEvent};
use rustix::process::{getpid, kill_process};

use super::World;

/// Sets timers that fire in order, are cancelled or moved.
pub(super) fn timers(world: &Rc<World>, reactor: &Handle) {
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

/// Makes a call from another thread.
pub(super) fn remote(world: &Rc<World>, reactor: &Handle) {
    from_thread(world, reactor, "calls from threads", || Ok(()));
}

/// Runs a loop in another thread: its triggers in their order, a child, and its end.
pub(super) fn other_loop(world: &Rc<World>, reactor: &Handle) {
    from_thread(world, reactor, "loops in threads", || run_other_loop().map_err(|e| e.to_string()));
}

/// The events of a loop, in order.
const EVENTS: [&str; 8] = [
    "before startup",
    "during startup",
    "after startup",
    "the child",
    "before shutdown",
    "delayed",
    "during shutdown",
    "after shutdown",
];

fn run_other_loop() -> Result<(), Box<dyn Error>> {
    let mut reactor = Reactor::new()?.without_signals();
    let events = Rc::new(RefCell::new(Vec::new()));
    let note = |what: &'static str| {
        let events = events.clone();
        move || events.borrow_mut().push(what)
    };
    let at = |phase, event, what: &'static str| {
        let note = note(what);
        reactor.add_system_event_trigger(phase, event, move |_| note());
    };
    // They are added in another order than the one in which they run.
    at(Phase::After, SystemEvent::Shutdown, "after shutdown");
    at(Phase::During, SystemEvent::Shutdown, "during shutdown");
    at(Phase::After, SystemEvent::Startup, "after startup");
    at(Phase::During, SystemEvent::Startup, "during startup");
    at(Phase::Before, SystemEvent::Startup, "before startup");
    let (before, delayed) = (note("before shutdown"), note("delayed"));
    reactor.add_system_event_trigger(Phase::Before, SystemEvent::Shutdown, move |reactor| {
        before();
        let (promise, waits) = Deferred::<(), io::Error>::new();
        reactor.call_later(Duration::from_millis(1), move |_| {
            delayed();
            promise.complete(Ok(()));
        });
        waits
    });
    let child = note("the child");
    reactor.call_when_running(move |reactor| {
        let reactor = reactor.clone();
        get_process_value("/bin/true").done(move |value| {
            if value.is_ok_and(|value| value == 0) {
                child();
            }
            reactor.stop();
        });
    });
    reactor.run()?;
    drop(reactor);
    match *events.borrow() == EVENTS {
        true => Ok(()),
        false => Err(format!("not the events of a loop: {events:?}").into()),
    }
}

thread_local! {
    static WAITING: RefCell<Vec<Promise<(), String>>> = const { RefCell::new(Vec::new()) };
}

/// Runs a function on a thread, and reports its result to this loop.
fn from_thread(
    world: &Rc<World>,
    reactor: &Handle,
    what: &'static str,
    work: impl FnOnce() -> Result<(), String> + Send + 'static,
) {
    let sender = reactor.remote();
    let (promise, called) = Deferred::new();
    WAITING.with_borrow_mut(|waiting| waiting.push(promise));
    world.begin();
    let me = world.clone();
    called.done(move |result| {
        if result.is_err() {
            me.violation(format!("from a thread: {result:?}"));
        }
        me.count(what);
        me.finish();
    });
    let thread = std::thread::spawn(move || {
        let result = work();
        sender.call(|_| {
            // All these promises are alike.
            if let Some(promise) = WAITING.with_borrow_mut(Vec::pop) {
                promise.complete(result);
            }
        });
    });
    drop(thread); // it ends by itself
}

/// Sends this process a signal that it watches.
pub(super) fn signal(world: &Rc<World>, reactor: &Handle) {
    let watch: Rc<RefCell<Option<SignalWatch>>> = Rc::default();
    let mine = watch.clone();
    let me = world.clone();
    let called = move |_: &Handle| {
        let watch = mine.borrow_mut().take();
        if watch.is_none() {
            me.violation("a watch was called after its end".to_owned());
        }
        me.count("signals");
        me.finish();
    };
    world.begin();
    // This signal does nothing if nobody watches it.
    let begun = reactor.on_signal(Signal::WINCH, called);
    match begun.map(|begun| *watch.borrow_mut() = Some(begun)) {
        Ok(()) => kill_process(getpid(), rustix::process::Signal::WINCH).unwrap_or_else(|error| {
            world.violation(format!("no signal to oneself: {error}"));
        }),
        Err(error) => world.violation(format!("no watch on a signal: {error}")),
    }
}

/// Registers a socket of the program's own.
pub(super) fn source(world: &Rc<World>, reactor: &Handle) {
    let data = world.numbers.bytes(1000);
    let me = world.clone();
    world.begin();
    let result = UnixStream::pair().and_then(|(socket, mut peer)| {
        socket.set_nonblocking(true)?;
        peer.write_all(&data)?;
        drop(peer);
        let mut got = Vec::new();
        reactor.register(socket, Interest::READABLE, move |socket, _| {
            match socket.read_to_end(&mut got) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Ok(_) if got == data => {}
                other => me.violation(format!("{} of {} bytes: {other:?}", got.len(), data.len())),
            }
            socket.close();
            me.count("sources");
            me.finish();
        })
    });
    if let Err(error) = result {
        world.violation(format!("no source: {error}"));
    }
}

/// Runs a future on the loop: an async child, or a sleep.
pub(super) fn future(world: &Rc<World>, reactor: &Handle) {
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
            child.write(data.clone()).await.ok(); // the output shows whether it arrived
            child.close_stdin();
            let output = child.stdout().collect().await;
            if output != data {
                me.violation(format!("{} bytes of {}", output.len(), data.len()));
            }
            child.ended().await.ok(); // other callbacks got the status
        } else {
            child.close_stdin();
        }
        me.count("async children");
        me.finish();
    });
    drop(task); // dropping the handle does not stop it
}
