//! Area BP: large amounts, slow readers, pausing, and fairness between children.
#![cfg(feature = "reactor")]

mod util;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use procession_core::{Signal, WriteError};
use procession_protocol::Process;

use crate::util::{Event, PROBE, PROMPTLY, WATCHDOG, behaviour, bound, command, ms, probe, sh};

/// Returns whether the event is data on standard output.
fn out(event: &Event) -> bool {
    matches!(event, Event::Data(1, _))
}

/// Case BP-01.
#[test]
fn a_write_that_nobody_reads_does_not_block_the_loop() {
    behaviour("a_write_that_nobody_reads_does_not_block_the_loop", |driver| {
        // It reads nothing for as long as it lives, so whatever waits for that never returns.
        let child = driver.spawn(command("/bin/sleep").arg("600"));
        let ticks = driver.ticker();
        let data = vec![0; 64 << 20];
        let from = driver.now();
        child.process.write(data);
        assert!(driver.now() - from < bound(ms(200)), "the write returned late");
        driver.until("the timer has run many times", WATCHDOG, || ticks.get() >= 50);
        assert!(child.process.write_buffered(0) > 63 << 20);
        child.process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.signal(), child.record.lost()), (9, vec![0, 1, 2]));
        assert_eq!(child.process.write_buffered(0), 0, "the queue is released");
    });
}

/// Case BP-02.
#[test]
fn sixteen_mebibytes_come_back_byte_for_byte() {
    behaviour("sixteen_mebibytes_come_back_byte_for_byte", |driver| {
        let sent: Vec<u8> = (0..=250_u8).cycle().take(16 << 20).collect();
        driver.assert_echoes(command("/bin/cat"), &sent);
    });
}

/// Case BP-03.
#[test]
fn nothing_is_delivered_while_paused() {
    behaviour("nothing_is_delivered_while_paused", |driver| {
        let received = Rc::new(Cell::new(0_usize));
        let count = received.clone();
        let (recorder_process, seen) = {
            let child = driver.spawn_with(command("/bin/cat").arg("/dev/zero"), move |_, event| {
                if let Event::Data(_, data) = event {
                    count.set(count.get() + data.len());
                }
            });
            (child.process, child.record)
        };
        driver.run_for(ms(100));
        recorder_process.pause(1);
        let before = received.get();
        assert!(before > 0);
        driver.run_for(ms(300));
        assert_eq!(received.get(), before, "while paused");
        recorder_process.resume(1);
        driver.run_for(ms(50));
        assert!(received.get() > before, "the flow resumes");
        recorder_process.signal(Signal::KILL).unwrap();
        driver.drive_to_end(&seen);
        assert_eq!(seen.signal(), 9);
    });
}

/// Case BP-04.
#[test]
fn the_exit_does_not_wait_for_a_paused_stream_but_the_end_does() {
    behaviour("the_exit_does_not_wait_for_a_paused_stream_but_the_end_does", |driver| {
        let child = driver.spawn_with(sh("echo data; exit 0"), |process, event| {
            if *event == Event::Made {
                process.pause(1);
            }
        });
        let record = child.record.clone();
        driver.until("the exit", PROMPTLY, || record.exited().is_some());
        driver.run_for(ms(400));
        assert!(record.ended().is_none() && !record.is_lost(1) && !record.has(out), "{record:?}");
        child.process.resume(1);
        driver.drive_to_end(&record);
        let position = |like: fn(&Event) -> bool| record.position(like).unwrap();
        let exited = position(|event| matches!(event, Event::Exited(_)));
        let lost = position(|event| *event == Event::Lost(1));
        assert!(exited < position(out) && position(out) < lost, "{record:?}");
        assert_eq!((record.text(1).as_str(), record.code()), ("data\n", 0));
    });
}

/// Case BP-06.
#[test]
fn a_close_flushes_the_queue_first() {
    behaviour("a_close_flushes_the_queue_first", |driver| {
        // A shell that sleeps first, and then becomes the reader.
        let slow = format!("sleep 0.3; exec '{}' length", PROBE);
        let child = driver.spawn(sh(&slow));
        child.process.write(vec![b'x'; 1_000_000]);
        child.process.close_stdin();
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("1000000\n", 0));
        assert_eq!(child.record.count(|event| *event == Event::Lost(0)), 1);
        let lost = child.record.after_made(|event| *event == Event::Lost(0)).unwrap();
        assert!(lost > ms(250), "after the flush:\n{:?}", child.record);
    });
}

/// Case BP-08.
#[test]
fn a_flood_of_one_child_does_not_starve_the_others() {
    behaviour("a_flood_of_one_child_does_not_starve_the_others", |driver| {
        // A protocol of its own, because recording the flood would take all memory.
        struct Discard;
        impl procession_protocol::ProcessProtocol for Discard {}
        let zero = command("/bin/cat").arg("/dev/zero");
        let flood = procession_process_transport::SpawnProcess::spawn_process(
            &driver.handle(),
            Discard,
            zero,
        )
        .unwrap();
        let others: Vec<_> =
            (0..10).map(|_| driver.spawn(sh("sleep 0.1; echo ok; exit 3")).record).collect();
        driver.drive_all_to_end(ms(2000));
        for record in others {
            assert_eq!((record.text(1).as_str(), record.code()), ("ok\n", 3));
        }
        flood.signal(Signal::KILL).unwrap();
        driver.until("the flood ends", WATCHDOG, || flood.pid().is_none());
        driver.run_for(ms(50));
    });
}

/// Case BP-10.
#[test]
fn a_slow_reader_gets_everything() {
    behaviour("a_slow_reader_gets_everything", |driver| {
        let sent: Vec<u8> = (0..=255_u8).cycle().take(70_000).collect();
        driver.assert_echoes(command("/bin/dd").args(["bs=1", "status=none"]), &sent);
    });
}

/// Case BP-11.
#[test]
fn pausing_and_resuming_at_odd_moments_is_harmless() {
    behaviour("pausing_and_resuming_at_odd_moments_is_harmless", |driver| {
        let child = driver.spawn(sh("read x; echo a; exec >&-; read x"));
        let (process, record) = (child.process.clone(), child.record.clone());
        for _ in 0..2 {
            process.pause(1);
            process.pause(1);
            process.resume(1);
            process.resume(1);
        }
        process.pause_all();
        process.resume_all();
        driver.run_for(ms(20));
        assert_eq!(record.events(), [Event::Made]);
        process.write("x\n");
        driver.until("lost(1)", WATCHDOG, || record.is_lost(1));
        process.pause(1);
        process.resume(1);
        driver.run_for(ms(20));
        process.write("x\n");
        driver.drive_to_end(&record);
        let events = record.events();
        process.pause_all();
        process.resume_all();
        process.pause(99);
        process.resume(99);
        driver.run_for(ms(20));
        assert_eq!(record.events(), events);
        assert_eq!(
            (record.text(1).as_str(), record.lost(), record.code()),
            ("a\n", vec![0, 1, 2], 0)
        );
    });
}

/// Case BP-12.
#[test]
fn a_lost_connection_ends_a_paused_child() {
    behaviour("a_lost_connection_ends_a_paused_child", |driver| {
        let child = driver.spawn(sh("echo unread; exit 0"));
        child.process.pause_all();
        let record = child.record.clone();
        driver.until("the exit", WATCHDOG, || record.exited().is_some());
        child.process.lose_connection();
        driver.until("the end", PROMPTLY, || record.ended().is_some());
        assert_eq!((record.lost(), record.code()), (vec![0, 1, 2], 0));
    });
}

/// Case BP-14.
#[test]
fn writing_in_the_data_callback_keeps_the_order() {
    behaviour("writing_in_the_data_callback_keeps_the_order", |driver| {
        let first: Vec<u8> = (0..=250_u8).cycle().take(8 << 20).collect();
        let again = Rc::new(RefCell::new(Vec::new()));
        let rewritten = again.clone();
        let rounds = Cell::new(0);
        let wanted = Rc::new(Cell::new(first.len()));
        let (total, received) = (wanted.clone(), Cell::new(0));
        let sent = first.clone();
        let record =
            driver.run_with(command("/bin/cat"), move |process: &Process, event| match event {
                Event::Made => process.write(sent.clone()),
                Event::Data(1, data) => {
                    received.set(received.get() + data.len());
                    if rounds.get() < 50 {
                        rounds.set(rounds.get() + 1);
                        rewritten.borrow_mut().extend_from_slice(data);
                        total.set(total.get() + data.len());
                        process.write(data.clone());
                    }
                    if received.get() == total.get() {
                        process.close_stdin();
                    }
                }
                _ => {}
            });
        let all = [first, again.take()].concat();
        assert!(record.data(1) == all, "{} of {} bytes", record.data(1).len(), all.len());
        assert_eq!((record.code(), wanted.get()), (0, all.len()));
    });
}

/// The water marks fire on crossing, and the hard limit refuses a write without queueing it.
#[test]
fn the_water_marks_pace_a_writer() {
    behaviour("the_water_marks_pace_a_writer", |driver| {
        let child = driver.spawn(probe(["length"]));
        let process = &child.process;
        process.set_write_limits(0, 100_000, 1000).unwrap();
        process.set_write_hard_limit(0, Some(200_000)).unwrap();
        process.write(vec![0; 150_000]);
        assert_eq!(process.write_buffered(0), 150_000);
        assert_eq!(process.write_to_child(0, vec![0; 60_000]), Err(WriteError::BufferFull));
        assert_eq!(process.write_buffered(0), 150_000, "nothing was queued");
        let record = child.record.clone();
        driver.until("drained", WATCHDOG, || record.has(|event| *event == Event::Drained(0)));
        process.close_stdin();
        driver.drive_to_end(&record);
        assert_eq!((record.text(1).as_str(), record.code()), ("150000\n", 0));
        let marks = |event: &Event| matches!(event, Event::Full(0) | Event::Drained(0));
        let marks: Vec<Event> = record.events().into_iter().filter(marks).collect();
        assert_eq!(marks, [Event::Full(0), Event::Drained(0)]);
        assert!(driver.now() > Duration::ZERO);
    });
}

/// A sequence has no gap: after a piece that the hard limit refuses, no further piece is queued.
#[test]
fn a_sequence_ends_at_the_first_piece_that_is_refused() {
    behaviour("a_sequence_ends_at_the_first_piece_that_is_refused", |driver| {
        let child = driver.spawn(command("/bin/cat"));
        child.process.set_write_hard_limit(0, Some(10)).unwrap();
        child.process.write_sequence(["aaa".to_owned(), "B".repeat(20), "ccc".to_owned()]);
        child.process.close_stdin();
        driver.drive_to_end(&child.record);
        assert_eq!((child.record.text(1).as_str(), child.record.code()), ("aaa", 0));
    });
}
