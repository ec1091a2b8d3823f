//! The loop and its children: stale events are dropped, an idle loop sleeps, two loops are
//! independent, and a handle may be dropped inside its own callback.
#![cfg(feature = "reactor")]

mod util;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use procession_process_transport::{Command, SpawnProcess};
use procession_protocol::{Process, ProcessProtocol};
use procession_reactor::{DelayedCall, Handle, Reactor};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use util::{Driver, Event, PROMPTLY, WATCHDOG, behaviour, command, isolated, ms, sh, sys};

/// Lets time pass without turning the loop.
fn block_thread(time: Duration) {
    let time = Timespec::try_from(time).expect("a short time");
    poll(&mut [], Some(&time)).expect("nothing to wait for but time");
}

/// Case RT-22.
#[test]
fn an_event_of_the_same_batch_for_a_closed_descriptor_is_dropped() {
    behaviour("an_event_of_the_same_batch_for_a_closed_descriptor_is_dropped", |driver| {
        let both: Rc<RefCell<Vec<Process>>> = Rc::default();
        let children: Vec<_> = ["a", "b"]
            .map(|name| {
                let others = Rc::clone(&both);
                driver.spawn_with(sh(&format!("echo {name}; sleep 0.5")), move |own, event| {
                    if let Event::Data(fd, _) = event
                        && *fd == 1
                    {
                        let others = others.borrow();
                        others
                            .iter()
                            .filter(|p| p.pid() != own.pid())
                            .for_each(Process::close_stdout);
                    }
                })
            })
            .into();
        both.borrow_mut().extend(children.iter().map(|child| child.process.clone()));
        block_thread(ms(300)); // both are readable in one batch
        driver.drive_all_to_end(WATCHDOG);
        both.borrow_mut().clear();
        let heard: Vec<_> =
            children.iter().filter(|child| !child.record.data(1).is_empty()).collect();
        assert_eq!(heard.len(), 1, "{}", driver.dump());
        assert!(children.iter().all(|child| child.record.is_lost(1)));
    });
}

/// Returns the processor time that this process has used.
fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("not negative")
}

/// Case RT-24.
#[test]
fn an_idle_loop_with_a_child_sleeps() {
    behaviour("an_idle_loop_with_a_child_sleeps", |driver| {
        let child = driver.spawn(command("/bin/sleep").arg("2"));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
        let source = driver
            .handle()
            .register(listener, procession_reactor::Interest::READABLE, |_, _| {})
            .expect("registered");
        // This turn makes the calls that precede the first wait.
        driver.turn();
        let (before, start) = (processor_time(), driver.now());
        let mut turns = 0;
        while driver.now() - start < ms(1000) {
            let left = ms(1000).saturating_sub(driver.now() - start);
            driver.reactor().turn(Some(left)).expect("a turn");
            turns += 1;
        }
        let used = processor_time() - before;
        assert!(used < ms(10), "{used:?} in a second of nothing");
        assert!(turns <= 3, "{turns} turns in a second of nothing");
        source.close();
        driver.drive_to_end(&child.record);
    });
}

/// Case RT-26.
#[test]
fn a_loop_that_is_dropped_leaves_another_thread_s_alone() {
    isolated("a_loop_that_is_dropped_leaves_another_thread_s_alone", || {
        let (started, other_started) = mpsc::channel();
        let (dropped, other_dropped) = mpsc::channel();
        let other = thread::spawn(move || {
            let mut driver = Driver::new();
            let child = driver.spawn(sh("read line; echo $line"));
            started.send(()).expect("the first thread waits");
            other_dropped.recv().expect("the first thread says so");
            child.process.write("still here\n");
            driver.drive_to_end(&child.record);
            child.record.text(1)
        });
        let mut driver = Driver::new();
        other_started.recv().expect("the other has a child");
        driver.run(command("/bin/true"));
        drop(driver);
        dropped.send(()).expect("the other waits");
        assert_eq!(other.join().expect("the other is well"), "still here\n");
    });
}

/// Case RT-27.
#[test]
fn the_last_handle_may_be_dropped_inside_its_own_callback() {
    behaviour("the_last_handle_may_be_dropped_inside_its_own_callback", |driver| {
        let timer: Rc<RefCell<Option<DelayedCall>>> = Rc::default();
        let own = Rc::clone(&timer);
        let called =
            driver.handle().call_later(Duration::ZERO, move |_| drop(own.borrow_mut().take()));
        *timer.borrow_mut() = Some(called);
        let process: Rc<RefCell<Option<Process>>> = Rc::default();
        let own = Rc::clone(&process);
        let child = driver.spawn_with(sh("echo a; exit 3"), move |_, event| {
            if matches!(event, Event::Data(..)) {
                drop(own.borrow_mut().take());
            }
        });
        let record = child.record.clone();
        *process.borrow_mut() = Some(child.process);
        driver.drive_to_end(&record);
        assert!(timer.borrow().is_none() && process.borrow().is_none());
        assert_eq!((record.code(), record.text(1)), (3, "a\n".to_owned()));
    });
}

struct SilentProtocol;
impl ProcessProtocol for SilentProtocol {}

#[test]
fn no_handler_for_sigchld_is_installed_if_there_are_pidfds() {
    isolated("no_handler_for_sigchld_is_installed_if_there_are_pidfds", || {
        let mut reactor = Reactor::new().expect("a reactor");
        let process =
            reactor.spawn_process(SilentProtocol, Command::new("/bin/true")).expect("spawned");
        if process.pidfd().is_err() {
            return util::skip("no handler for SIGCHLD", "no pidfds here");
        }
        reactor.call_later(PROMPTLY, Handle::stop);
        reactor.run().expect("run");
        assert_eq!(process.pid(), None, "it is reaped");
        assert_eq!(sys::handler(libc::SIGCHLD), libc::SIG_DFL);
    });
}

#[test]
fn the_poller_is_the_only_thing_a_host_has_to_watch() {
    behaviour("the_poller_is_the_only_thing_a_host_has_to_watch", |driver| {
        let child = driver.spawn(command("/bin/true"));
        let mut turns = 0;
        while child.record.ended().is_none() {
            let reactor = driver.reactor();
            let mut fds = [PollFd::new(&*reactor, PollFlags::IN)];
            let time = Timespec::try_from(WATCHDOG).expect("a short time");
            assert_ne!(poll(&mut fds, Some(&time)).expect("a poll"), 0, "it says when to turn");
            driver.reactor().turn(Some(Duration::ZERO)).expect("a turn");
            turns += 1;
        }
        assert!(turns < 20, "{turns} turns for one child");
    });
}
