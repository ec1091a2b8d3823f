//! Which callbacks of a child are due, and in which order.

use super::*;
use crate::ProcessDone;
use crate::reason::with_held_fds;

const OUT: ChildFd = ChildFd::STDOUT;
const GRACE: Duration = Duration::from_secs(1);

fn events(child: &mut Lifecycle) -> Vec<Event> {
    std::iter::from_fn(|| child.poll_event()).collect()
}

fn done() -> ExitReason {
    Ok(ProcessDone::default())
}

#[test]
fn exit_before_eof_ends_after_the_last_pipe() {
    let mut child = Lifecycle::new([OUT, ChildFd::STDERR], None);
    assert!(!child.is_idle() && child.reason().is_none());
    child.on_reaped(done(), Duration::ZERO);
    assert_eq!(child.reason(), Some(&done()));
    child.on_pipe_closed(OUT);
    assert_eq!(events(&mut child), [Event::Made, Event::Exited(done()), Event::Lost(OUT)]);
    assert!(child.is_idle(), "an open pipe alone is nothing to do");
    child.on_pipe_closed(ChildFd::STDERR);
    assert_eq!(events(&mut child), [Event::Lost(ChildFd::STDERR), Event::Ended(done())]);
    assert!(child.is_ended() && child.is_idle());
}

#[test]
fn a_child_without_pipes_ends_when_it_is_reaped() {
    let mut child = Lifecycle::new([], Some(GRACE));
    child.on_reaped(done(), Duration::ZERO);
    assert_eq!(events(&mut child), [Event::Made, Event::Exited(done()), Event::Ended(done())]);
    assert_eq!(child.poll_deadline(), None);
}

#[test]
fn a_held_pipe_is_drained_at_the_deadline_and_named() {
    let mut child = Lifecycle::new([OUT], Some(GRACE));
    child.on_reaped(done(), GRACE);
    assert_eq!(child.poll_deadline(), Some(GRACE * 2));
    child.on_time(GRACE * 2 - Duration::from_nanos(1));
    assert_eq!(child.poll_drain(), None);
    assert_eq!(events(&mut child).len(), 2);
    assert!(child.is_idle());
    child.on_time(GRACE * 2);
    assert!(!child.is_idle(), "a pipe is to be drained, though no event is due");
    assert_eq!((child.poll_drain(), child.poll_drain()), (Some(OUT), None));
    child.on_pipe_closed(OUT);
    let last = events(&mut child).pop().unwrap();
    assert_eq!(last, Event::Ended(with_held_fds(done(), vec![OUT])));
}

#[test]
fn a_pipe_whose_last_read_met_the_end_was_not_held() {
    let mut child = Lifecycle::new([OUT], Some(GRACE));
    child.on_reaped(done(), Duration::ZERO);
    child.on_time(GRACE);
    assert_eq!(child.poll_drain(), Some(OUT));
    child.on_not_held(OUT);
    child.on_pipe_closed(OUT);
    assert_eq!(events(&mut child).pop(), Some(Event::Ended(done())));
}

#[test]
fn a_paused_pipe_is_drained_when_it_is_resumed() {
    let mut child = Lifecycle::new([OUT], Some(GRACE));
    child.on_paused(OUT);
    child.on_reaped(done(), Duration::ZERO);
    child.on_time(GRACE);
    assert_eq!(child.poll_drain(), None);
    drop(events(&mut child));
    assert!(child.is_idle(), "until it is resumed");
    child.on_resumed(OUT);
    assert!(!child.is_idle());
    assert_eq!(child.poll_drain(), Some(OUT));
}

#[test]
fn a_stop_names_the_pipes_that_it_finds_open() {
    let mut child = Lifecycle::new([ChildFd::STDIN, OUT], None);
    child.on_pipe_closed(ChildFd::STDIN);
    child.on_stop();
    child.on_stop();
    child.on_pipe_closed(OUT);
    child.on_reaped(done(), Duration::ZERO);
    let Some(Event::Ended(Ok(done))) = events(&mut child).pop() else { panic!("it ended") };
    assert_eq!((done.stopped_fds(), done.held_fds()), (&[OUT][..], &[][..]));
}

#[test]
fn after_a_panic_there_is_only_bookkeeping_and_no_event() {
    let mut child = Lifecycle::new([OUT], None);
    assert_eq!(child.on_data(OUT, Bytes::from_static(b"lost")), None);
    assert!(!child.on_panicked().is_empty(), "the data are the caller's to drop");
    assert!(child.on_data(OUT, Bytes::from_static(b"lost")).is_some());
    child.on_reaped(done(), Duration::ZERO);
    child.on_pipe_closed(OUT);
    assert!(child.is_ended() && child.is_reaped());
    assert_eq!(child.poll_event(), None);
}
