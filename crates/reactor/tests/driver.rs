//! Tests the driver of transports with a machine whose protocol is a closure. The claims hold for
//! children and for connections.

#[path = "util/bound.rs"]
mod bound;
#[path = "util/each_loop.rs"]
mod each_loop;
#[path = "driver/toy.rs"]
mod toy;
#[path = "util/until.rs"]
mod until;

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::io::{PipeWriter, Write, pipe};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use each_loop::each_loop;
use procession_reactor::driver::{Machine, Pipe};
use procession_reactor::{Reactor, Stopped};
use toy::{Leftover, Toy};
use until::until;

fn no_wait(reactor: &mut Reactor) {
    reactor.turn(Some(Duration::ZERO)).expect("a turn");
}

/// Runs a turn that panics and returns the message.
fn panic_of_a_turn(reactor: &mut Reactor) -> String {
    let turned = catch_unwind(AssertUnwindSafe(|| reactor.turn(Some(Duration::ZERO))));
    (*turned.expect_err("it panics").downcast::<&str>().expect("a message")).to_owned()
}

#[test]
fn a_flush_requested_twice_runs_once_and_delivers_events_in_order() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        for event in ["one", "two", "three"] {
            toy.push(event);
            toy.queue_flush();
        }
        assert_eq!(toy.heard(), [""; 0], "no method delivers");
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["flush", "one", "two", "three"]);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), [""; 0]);
        toy.queue_flush();
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["flush"]);
    });
}

/// A machine that asks in its own event is flushed without the queue, in the same order.
#[test]
fn flushes_run_in_the_order_in_which_an_event_requests_them() {
    for own_first in [true, false] {
        each_loop(|mut reactor| {
            let order = Rc::new(RefCell::new(Vec::new()));
            let note = |name: &'static str| -> Leftover {
                let order = Rc::clone(&order);
                Box::new(move |_| order.borrow_mut().push(name))
            };
            let other = Toy::new(&reactor, |_, _| {});
            other.state.with(|state| state.at_flush = Some(note("other")));
            let asked = Rc::clone(&other);
            let toy = Toy::new(&reactor, move |toy, _| {
                if own_first {
                    toy.queue_flush();
                }
                asked.queue_flush();
                toy.queue_flush();
            });
            toy.state.with(|state| state.at_flush = Some(note("own")));
            let mut writer = toy.with_pipe(1);
            writer.write_all(b"x").unwrap();
            no_wait(&mut reactor);
            let expected = if own_first { ["own", "other"] } else { ["other", "own"] };
            assert_eq!(*order.borrow(), expected);
            assert_eq!(toy.heard(), ["data 1 x", "done", "flush"]);
            no_wait(&mut reactor);
            assert_eq!((toy.heard(), other.heard()), (vec![], vec!["flush".to_owned()]));
        });
    }
}

#[test]
fn only_the_first_callback_runs_before_the_loop() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |toy, event| {
            if event == "made" {
                toy.push("of the first");
                toy.pump(); // does nothing inside a callback
            }
        });
        toy.made(); // nothing is due yet
        assert_eq!(toy.heard(), [""; 0]);
        toy.push("made");
        toy.push("second");
        toy.made();
        assert_eq!(toy.heard(), ["made"]);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["flush", "second", "of the first"]);
    });
}

#[test]
fn no_callback_runs_inside_another() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |toy, event| {
            if event == "data 1 x" {
                toy.push("pushed");
                toy.queue_flush();
                toy.pump();
                toy.made();
            }
        });
        let mut writer = toy.with_pipe(1);
        writer.write_all(b"x").unwrap();
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["data 1 x", "done", "pushed", "flush"]);
    });
}

#[test]
fn data_wait_for_earlier_events() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        let mut writer = toy.with_pipe(1);
        writer.write_all(b"x").unwrap();
        toy.push("before");
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["done", "before", "queued data"]);
        // An event that a callback queues comes before the next read of the same ready event.
        let toy = Toy::new(&reactor, |toy, event| {
            if event == "data 1 ..." {
                toy.push("pushed");
            }
        });
        let mut writer = toy.with_pipe(1);
        writer.write_all(&vec![0; Pipe::READ_AGAIN_BYTES]).unwrap();
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["data 1 ...", "pushed", "over 1", "done"]);
    });
}

#[test]
fn an_input_that_gives_much_is_read_again() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        let mut writer = toy.with_pipe(1);
        for (bytes, log) in [
            (Pipe::READ_AGAIN_BYTES - 1, vec!["data 1 ...", "done"]),
            (Pipe::READ_AGAIN_BYTES, vec!["data 1 ...", "over 1", "done"]),
        ] {
            writer.write_all(&vec![0; bytes]).unwrap();
            no_wait(&mut reactor);
            assert_eq!(toy.reads.take(), [bytes]);
            assert_eq!(toy.heard(), log);
        }
        // Refused data are no end of the input.
        writer.write_all(b"refused").unwrap();
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["done"]);
        drop(writer);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["over 1", "done"]);
    });
}

/// Needs a pipe that is larger than the budget of a turn.
#[cfg(target_os = "linux")]
#[test]
fn an_input_has_a_budget_per_turn_and_bulk_data_come_in_large_reads() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        let (reader, mut writer) = pipe().unwrap();
        rustix::pipe::fcntl_setpipe_size(&writer, 1 << 20).unwrap();
        writer.write_all(&vec![0; 700 << 10]).unwrap();
        toy.open(1, reader);
        no_wait(&mut reactor);
        assert_eq!(toy.reads.take(), [Pipe::READ_BUFFER_BYTES; 4]);
        no_wait(&mut reactor);
        assert_eq!(toy.reads.take(), [Pipe::READ_BUDGET_BYTES]);
        no_wait(&mut reactor);
        assert_eq!(toy.reads.take(), [188 << 10]);
        assert_eq!(toy.state.with(|state| state.later), 0, "the poller tells");
    });
}

#[test]
fn an_always_ready_input_is_read_up_to_the_budget_of_a_turn() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        toy.open(1, File::open("/dev/zero").unwrap());
        assert!(toy.is_always_ready(1), "the poller refuses it");
        for reads in [vec![Pipe::READ_BUFFER_BYTES; 4], vec![Pipe::READ_BUDGET_BYTES]] {
            toy.read_on(1);
            assert_eq!(toy.reads.take(), reads);
        }
        assert_eq!(toy.state.with(|state| state.later), 2);
        // A small read does not stop the reading.
        let mut file = tempfile();
        file.write_all(b"x").unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        toy.open(2, file);
        toy.heard();
        toy.read_on(2);
        assert_eq!(toy.heard(), ["data 2 x", "over 2"]);
        no_wait(&mut reactor);
    });
}

/// Makes a regular file without a name.
fn tempfile() -> File {
    let path = std::env::temp_dir().join(format!("procession-driver-{}", std::process::id()));
    let file = File::options().read(true).write(true).create_new(true).open(&path);
    std::fs::remove_file(&path).expect("it was made");
    file.expect("there is a place for temporary files")
}

#[test]
fn an_input_that_is_paused_or_closed_in_a_callback_is_not_read_again() {
    each_loop(|mut reactor| {
        let act: [fn(&Rc<Toy>); 2] = [
            |toy| {
                let reactor = toy.driver.reactor();
                toy.state.with(|state| {
                    state.inputs.get_mut(&1).expect("it is open").pause(reactor);
                });
            },
            |toy| drop(toy.close_all()),
        ];
        for act in act {
            let toy = Toy::new(&reactor, move |toy, _| act(toy));
            let mut writer = toy.with_pipe(1);
            writer.write_all(&vec![0; Pipe::READ_BUFFER_BYTES]).unwrap();
            no_wait(&mut reactor);
            no_wait(&mut reactor);
            assert_eq!(
                (toy.reads.take().len(), toy.heard()),
                (1, vec!["data 1 ...".to_owned(), "done".to_owned()])
            );
        }
    });
}

/// After a panic, the order of events is the same wherever the panic comes from.
#[test]
fn after_a_panic_the_machine_is_in_order_before_the_panic_goes_on() {
    type Cause = fn(&Rc<Toy>, &mut PipeWriter);
    let causes: [(&str, Cause); 3] = [
        ("data 1 x", |_, writer| writer.write_all(b"x").unwrap()),
        ("event", |toy, _| {
            toy.push("event");
            toy.push("never delivered");
            toy.queue_flush();
        }),
        ("read first", |toy, writer| {
            toy.push("read first");
            writer.write_all(b"x").unwrap();
        }),
    ];
    for (cause, act) in causes {
        each_loop(|mut reactor| {
            let toy = Toy::new(&reactor, |_, _| panic!("of the protocol"));
            let mut writer = toy.with_pipe(1);
            act(&toy, &mut writer);
            toy.leave(|toy| {
                // A closure that is called now may queue events. The next turn delivers them.
                toy.note("called");
                toy.push("queued event");
                drop(toy.protocol.replace(Some(Box::new(|_, _| {}))));
                toy.pump();
                panic!("of what is left over");
            });
            assert_eq!(panic_of_a_turn(&mut reactor), "of the protocol", "{cause}");
            let heard = toy.heard();
            let at = heard.iter().position(|note| note == cause).expect("it was called");
            assert_eq!(
                heard[at + 1..],
                ["panicked", "settled", "called", "queued event"],
                "{cause}"
            );
            assert!(toy.state.with(|state| state.inputs.is_empty()));
            toy.push("later");
            no_wait(&mut reactor);
            assert_eq!(toy.heard(), ["flush", "later"], "{cause}: it is delivered by the loop");
        });
    }
}

#[test]
fn events_after_a_panic_are_delivered_by_the_next_turn() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        // Foreign code other than the protocol, such as the owner of written data.
        toy.state.with(|state| {
            state.at_flush = Some(Box::new(|toy| {
                toy.push("due");
                panic!("of an owner");
            }));
        });
        toy.queue_flush();
        assert_eq!(panic_of_a_turn(&mut reactor), "of an owner");
        assert_eq!(toy.heard(), ["flush"]);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["flush", "due"]);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), [""; 0], "once");
    });
}

#[test]
fn a_panic_of_the_first_callback_unwinds_out_of_that_call() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| panic!("of the protocol"));
        toy.push("made");
        let made = catch_unwind(AssertUnwindSafe(|| toy.made()));
        assert_eq!(made.unwrap_err().downcast_ref(), Some(&"of the protocol"));
        assert_eq!(toy.heard(), ["made", "panicked", "settled"]);
        no_wait(&mut reactor);
        assert_eq!(toy.heard(), ["flush"]);
    });
}

#[test]
fn a_stop_closes_and_delivers_the_loss() {
    each_loop(|reactor| {
        let mut reactor = reactor.without_signals();
        let toy = Toy::new(&reactor, |_, _| {});
        let _writer = toy.with_pipe(1);
        toy.leave(|toy| toy.note("called"));
        reactor.call_soon(|reactor| reactor.stop());
        assert_eq!(reactor.run().unwrap(), Stopped::Called);
        assert_eq!(toy.heard(), ["stops", "settled", "called", "flush", "lost"]);
        assert!(toy.state.with(|state| state.inputs.is_empty()));
    });
}

/// The loss is queued before a leftover can panic.
#[test]
fn a_panic_at_a_stop_does_not_prevent_the_loss_event() {
    each_loop(|reactor| {
        let mut reactor = reactor.without_signals();
        let toy = Toy::new(&reactor, |_, _| {});
        toy.leave(|_| panic!("of what is left over"));
        reactor.call_soon(|reactor| reactor.stop());
        let run = catch_unwind(AssertUnwindSafe(|| reactor.run()));
        assert_eq!(run.unwrap_err().downcast_ref(), Some(&"of what is left over"));
        until(&mut reactor, || toy.log.borrow().len() == 4);
        assert_eq!(toy.heard(), ["stops", "settled", "flush", "lost"]);
    });
}

#[test]
fn a_dropped_reactor_drops_the_leftovers_and_the_protocol() {
    struct Noted(Rc<Cell<u32>>);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
            assert!(thread::panicking() || self.0.get() != 2, "of a second drop");
        }
    }

    for panics in [false, true] {
        each_loop(|reactor| {
            let drops = Rc::new(Cell::new(0));
            let alive = Rc::new(());
            let (kept, noted) = (Rc::clone(&alive), Noted(Rc::clone(&drops)));
            let toy = Toy::new(&reactor, move |_, _| drop(Rc::clone(&kept)));
            let _writer = toy.with_pipe(1);
            toy.push("never delivered");
            toy.leave(move |_| drop(noted));
            if panics {
                let second = Noted(Rc::clone(&drops));
                toy.leave(move |_| drop(second));
            }
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(reactor)));
            assert_eq!(dropped.is_err(), panics);
            assert_eq!(drops.get(), if panics { 2 } else { 1 });
            assert_eq!(toy.heard(), ["gone", "retired"]);
            assert_eq!(Rc::strong_count(&alive), 1, "the protocol is dropped");
        });
    }
}

#[test]
fn the_loop_runs_on_after_a_machine_is_dropped() {
    each_loop(|mut reactor| {
        let toy = Toy::new(&reactor, |_, _| {});
        assert!(toy.driver.me().upgrade().is_some());
        assert!(format!("{:?}", toy.driver).contains("pumping: false"));
        drop(toy);
        reactor.call_soon(|reactor| reactor.stop());
        reactor.run().unwrap();
    });
}
