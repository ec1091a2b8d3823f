//! A forwarding between two sides that do what the input says. Its count is the number of bytes
//! moved, it ends once, and it never stops while there is data to move and room for it.
//!
//! The core is compiled into this target, because its crate does not export it. The driver is that
//! of `reactor/src/forward/forwarding.rs`, without descriptors.
#![no_main]

use std::io::ErrorKind;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;

use crate::flow::{Flow, FlowAct, FlowOutcome};

#[path = "../../crates/reactor/src/forward/flow.rs"]
#[expect(dead_code, reason = "it is written for its crate")]
mod flow;

#[derive(Debug, Clone, Copy, Arbitrary)]
enum Fact {
    /// This many bytes more arrive at the source.
    Arrive(u32),
    /// The last writer of the source is gone.
    End,
    /// The sink has room for this many bytes more.
    Room(u32),
    /// The program writes to the same sink.
    Beside(u8),
    Pause(bool),
    SourceClosed,
    SinkLost,
    Drain,
    CutOff,
    /// The kernel refuses to splice from now on.
    Refuse,
    /// An attempt fails, and the next one gives no reason.
    Fail,
    /// The poller reported the source as ready without a cause.
    Spurious,
}

#[derive(Debug, Arbitrary)]
struct Input {
    copying: bool,
    /// The sink never blocks, and no event reports its room.
    always_room: bool,
    facts: Vec<Fact>,
}

/// Both sides, and the state of a driver.
struct Sides {
    flow: Flow,
    /// The bytes in the source.
    held: u64,
    at_end: bool,
    /// The room of the sink in the kernel.
    room: u64,
    /// The bytes in the queue of the sink: copies, and the program's own writes.
    queued: u64,
    copying: bool,
    always_room: bool,
    fails: u8,
    paused: bool,
    /// The bytes that left the source.
    taken: u64,
    waits: bool,
    closed: bool,
    lost: bool,
    finished: Option<FlowOutcome>,
    drained: bool,
}

impl Sides {
    fn flush(&mut self) {
        if self.always_room {
            self.queued = 0;
        }
        let count = self.queued.min(self.room);
        self.queued -= count;
        self.room -= count;
    }

    fn has_room(&self) -> bool {
        self.always_room || self.room > 0
    }

    /// Reports what the poller would report: only a watched source.
    fn poll_ready(&mut self) {
        let readable = self.held > 0 || self.at_end;
        if readable && self.flow.wants_source() == Some(true) && !self.closed {
            self.flow.on_source_ready();
            self.run();
        }
    }

    /// Reports that the sink has written its queue, if it has.
    fn sink_ready(&mut self) {
        self.flush();
        if !self.lost && (self.queued == 0 && self.has_room()) {
            self.waits = false;
            self.flow.on_sink_ready();
            self.run();
        }
    }

    fn run(&mut self) {
        for turn in 0.. {
            assert!(turn < 1000, "a turn is bounded");
            let queued = usize::try_from(self.queued).expect("it fits");
            match self.flow.poll(queued) {
                FlowAct::Rest => return,
                FlowAct::Splice(most) => {
                    assert!(queued == 0, "what is queued goes first");
                    self.attempt(most, false);
                }
                FlowAct::Copy => self.attempt(64 << 10, true),
                FlowAct::CheckEnded => self.flow.on_seen_ended(self.at_end),
                FlowAct::CheckReadable => {
                    self.flow.on_seen_readable(self.held > 0 || self.at_end);
                }
                FlowAct::WaitForRoom => match self.always_room {
                    true => self.flow.on_always_room(),
                    false => self.waits = true,
                },
                FlowAct::Finish(outcome) => {
                    assert!(self.finished.is_none(), "it ends once");
                    assert!(outcome.result.is_err() || queued == 0, "copies that wait still go");
                    self.finished = Some(outcome);
                }
            }
        }
    }

    fn attempt(&mut self, most: usize, copies: bool) {
        assert!(self.finished.is_none() && !self.paused, "it is not to move now");
        let most = u64::try_from(most).expect("it fits");
        if self.fails > 0 && !copies {
            self.fails -= 1;
            return self.flow.on_unsure(ErrorKind::Other.into());
        }
        if self.copying && !copies {
            return self.flow.on_refused();
        }
        let room = if copies || self.always_room { u64::MAX } else { self.room };
        let count = self.held.min(most).min(room);
        if self.held == 0 && self.at_end {
            match self.flow.take_unsure() {
                Some(error) => self.flow.on_source_failed(error),
                None => self.flow.on_source_ended(),
            }
        } else if count == 0 {
            self.flow.on_would_block();
        } else {
            self.held -= count;
            self.taken += count;
            match copies {
                true => self.queued += count,
                false if !self.always_room => self.room -= count,
                false => {}
            }
            self.flow.on_moved(usize::try_from(count).expect("it fits"));
            self.flush();
        }
    }

    fn fact(&mut self, fact: Fact) {
        let over = self.finished.is_some();
        match fact {
            Fact::Arrive(_) if self.at_end => {}
            Fact::Arrive(bytes) => self.held += u64::from(bytes) % (6 << 20),
            Fact::End => self.at_end = true,
            Fact::Room(bytes) => {
                self.room += u64::from(bytes);
                self.sink_ready();
            }
            Fact::Beside(bytes) => self.queued += u64::from(bytes),
            Fact::Pause(paused) => {
                self.paused = paused;
                self.flow.on_paused(paused);
            }
            Fact::SourceClosed => {
                self.closed = true;
                self.flow.on_source_closed();
                self.run();
            }
            Fact::SinkLost => {
                self.lost = true;
                let unsent = usize::try_from(self.queued).expect("it fits");
                self.flow.on_sink_lost(ErrorKind::BrokenPipe.into(), unsent);
                self.run();
            }
            Fact::Drain => {
                self.drained = true;
                let held = usize::try_from(self.held).expect("it fits");
                if !self.flow.on_drain(held) {
                    self.run();
                }
            }
            Fact::CutOff => self.flow.on_cut_off(),
            Fact::Refuse => self.copying = true,
            Fact::Fail => self.fails = 1,
            Fact::Spurious => {
                self.flow.on_source_ready();
                self.run();
            }
        }
        self.poll_ready();
        if over {
            assert_eq!(self.flow.wants_source(), None);
        }
    }

    fn bring_to_its_end(&mut self) {
        self.fact(Fact::Pause(false));
        self.at_end = true;
        for _ in 0..1000 {
            if self.finished.is_some() {
                return;
            }
            self.room = self.room.saturating_add(1 << 40);
            self.sink_ready();
            self.poll_ready();
        }
    }
}

fuzz_target!(|input: Input| {
    let mut sides = Sides {
        flow: Flow::new(),
        held: 0,
        at_end: false,
        room: 4096,
        queued: 0,
        copying: input.copying,
        always_room: input.always_room,
        fails: 0,
        paused: false,
        taken: 0,
        waits: false,
        closed: false,
        lost: false,
        finished: None,
        drained: false,
    };
    for fact in input.facts {
        sides.fact(fact);
    }
    sides.bring_to_its_end();
    let Some(outcome) = &sides.finished else { panic!("it never ends") };
    match &outcome.result {
        Ok(()) => {
            assert_eq!(outcome.moved, sides.taken, "what left the source is what the sink has");
            assert!(sides.closed || sides.drained || sides.held == 0, "all was moved");
        }
        Err(_) => {
            assert!(outcome.moved <= sides.taken);
            assert!(!outcome.ended || sides.at_end);
        }
    }
});
