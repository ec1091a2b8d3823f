//! Any sequence of facts about a child: the events obey the contract's grammar.
#![no_main]

use std::collections::BTreeSet;
use std::time::Duration;

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use procession_core::Mark;
use procession_protocol::driver::{DataNow, Lifecycle};
use procession_protocol::{ChildFd, Event};

#[derive(Debug, Arbitrary)]
enum Fact {
    Data(i8, u8),
    DataNow(i8, u8),
    Mark(i8, bool),
    ReadClosed(i8),
    Closed(i8),
    Reaped(i32, u64),
    Time(u64),
    Paused(i8),
    Resumed(i8),
    NotHeld(i8),
    SetDrain(Option<u64>),
    Stopped,
    Terminated,
    Panicked,
    PollEvent,
    PollDrain,
}

#[derive(Debug, Arbitrary)]
struct Input {
    pipes: Vec<i8>,
    drain: Option<u64>,
    facts: Vec<Fact>,
}

#[derive(Default)]
struct Grammar {
    pipes: BTreeSet<i32>,
    seen: usize,
    lost: BTreeSet<i32>,
    read_closed: BTreeSet<i32>,
    /// The descriptors that were open when the loop stopped.
    stopped: BTreeSet<i32>,
    exited: bool,
    ended: bool,
    /// How many bytes were accepted and not delivered yet.
    taken: usize,
}

impl Grammar {
    fn check(&mut self, event: &Event) {
        assert!(!self.ended, "nothing comes after the end: {event:?}");
        assert_eq!(*event == Event::Made, self.seen == 0, "made is the first and comes once");
        self.seen += 1;
        match event {
            Event::Made => {}
            Event::Data(fd, data) => {
                assert!(!data.is_empty());
                self.taken -= data.len();
                assert!(self.open(*fd) && !self.read_closed.contains(&fd.as_raw()));
            }
            Event::ReadClosed(fd) => {
                assert!(self.open(*fd) && self.read_closed.insert(fd.as_raw()));
            }
            Event::Mark(fd, _) => assert!(self.open(*fd)),
            Event::Lost(fd) => assert!(self.open(*fd) && self.lost.insert(fd.as_raw())),
            Event::Exited(_) => assert!(!std::mem::replace(&mut self.exited, true)),
            Event::Ended(reason) => {
                assert!(self.exited && self.lost == self.pipes, "ended before its time");
                let (held, stopped) = match reason {
                    Ok(done) => (done.held_fds(), done.stopped_fds()),
                    Err(terminated) => (terminated.held_fds(), terminated.stopped_fds()),
                };
                assert_eq!(stopped.len(), self.stopped.len());
                assert!(stopped.iter().all(|fd| self.stopped.contains(&fd.as_raw())));
                assert!(held.iter().all(|fd| self.pipes.contains(&fd.as_raw())));
                self.ended = true;
            }
            other => panic!("an event that the model does not know: {other:?}"),
        }
    }

    fn open(&self, fd: ChildFd) -> bool {
        self.pipes.contains(&fd.as_raw()) && !self.lost.contains(&fd.as_raw())
    }
}

fuzz_target!(|input: Input| {
    let fd = |raw: i8| ChildFd::from(i32::from(raw));
    let after = |time: Option<u64>| time.map(Duration::from_millis);
    let mut child = Lifecycle::new(input.pipes.iter().map(|raw| fd(*raw)), after(input.drain));
    let mut grammar = Grammar {
        pipes: input.pipes.iter().map(|raw| i32::from(*raw)).collect(),
        ..Grammar::default()
    };
    let mut panicked = false;
    let mut reaped = false;
    let mut open = grammar.pipes.clone();
    for fact in input.facts {
        match fact {
            Fact::Data(raw, length) => {
                let accepted = child.accepts(fd(raw)) && length > 0;
                let refused = child.on_data(fd(raw), Bytes::from(vec![0; usize::from(length)]));
                assert_eq!(refused.is_none(), accepted);
                grammar.taken += usize::from(accepted) * usize::from(length);
            }
            Fact::DataNow(raw, length) => {
                let accepted = child.accepts(fd(raw)) && length > 0;
                let is_due = child.has_event();
                match child.on_data_now(fd(raw), Bytes::from(vec![0; usize::from(length)])) {
                    DataNow::Due(data) => {
                        assert!(accepted && !is_due);
                        grammar.taken += data.len();
                        grammar.check(&Event::Data(fd(raw), data));
                    }
                    DataNow::Queued => {
                        assert!(accepted && is_due);
                        grammar.taken += usize::from(length);
                    }
                    DataNow::Refused(data) => {
                        assert!(!accepted && data.len() == usize::from(length));
                    }
                }
            }
            Fact::Mark(raw, full) => {
                child.on_mark(fd(raw), if full { Mark::Full } else { Mark::Drained });
            }
            Fact::ReadClosed(raw) => child.on_read_closed(fd(raw)),
            Fact::Closed(raw) => {
                child.on_pipe_closed(fd(raw));
                open.remove(&i32::from(raw));
            }
            Fact::Reaped(status, now) => {
                child.on_reaped(Lifecycle::exit_reason(status, None), Duration::from_millis(now));
                reaped = true;
            }
            Fact::Time(now) => child.on_time(Duration::from_millis(now)),
            Fact::Paused(raw) => child.on_paused(fd(raw)),
            Fact::Resumed(raw) => child.on_resumed(fd(raw)),
            Fact::NotHeld(raw) => child.on_not_held(fd(raw)),
            Fact::SetDrain(time) => child.set_drain_after_exit(after(time)),
            Fact::Stopped => {
                child.on_stop();
                grammar.stopped.extend(&open);
            }
            Fact::Terminated => {
                let deadline = child.poll_deadline();
                child.on_terminated();
                assert_eq!(child.poll_deadline(), if reaped { None } else { deadline });
            }
            Fact::Panicked => {
                let spent = child.on_panicked().into_iter().map(|data| data.len());
                assert_eq!(spent.sum::<usize>(), std::mem::take(&mut grammar.taken));
                panicked = true;
            }
            Fact::PollEvent => {
                if let Some(event) = child.poll_event() {
                    assert!(!panicked, "an event after the panic: {event:?}");
                    grammar.check(&event);
                }
            }
            Fact::PollDrain => {
                if let Some(pipe) = child.poll_drain() {
                    assert!(reaped && open.contains(&pipe.as_raw()));
                }
            }
        }
        assert_eq!(child.is_reaped(), reaped);
        assert_eq!(child.is_ended(), reaped && open.is_empty());
        assert_eq!(child.open_fds().map(|fd| fd.as_raw()).collect::<BTreeSet<_>>(), open);
    }
    while let Some(event) = child.poll_event() {
        assert!(!panicked);
        grammar.check(&event);
    }
    assert_eq!(grammar.taken, 0, "all that was taken is delivered");
    assert!(panicked || grammar.ended == child.is_ended(), "an end that was not told");
});
