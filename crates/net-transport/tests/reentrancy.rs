//! Every method of a transport may be called in every callback.

mod util;

use std::io::Write;
use std::net::Shutdown;

use procession_protocol::Transport;

use crate::util::{Event, Recorder, behaviour, pattern, try_drain};

/// Calls one method, or none.
type Action = fn(&Transport);

const ACTIONS: [Action; 10] = [
    |_| (),
    |transport| transport.write("x"),
    |transport| transport.write(pattern(1 << 20)),
    Transport::lose_connection,
    Transport::abort_connection,
    Transport::shutdown_write,
    Transport::pause,
    |transport| {
        transport.pause();
        transport.resume();
    },
    |transport| drop(transport.clone().into_fd()),
    |transport| transport.set_write_limits(1, 0).unwrap_or_default(),
];

const CALLBACKS: [fn(&Event) -> bool; 6] = [
    |event| *event == Event::Made,
    |event| matches!(event, Event::Data(_)),
    |event| *event == Event::ReadClosed,
    |event| *event == Event::Full,
    |event| *event == Event::Drained,
    |event| matches!(event, Event::Lost(_)),
];

/// Makes each pair of calls in each callback. The recorder checks that the callbacks are legal.
#[test]
fn every_pair_of_calls_is_allowed_in_every_callback() {
    behaviour("every_pair_of_calls_is_allowed_in_every_callback", |driver| {
        for callback in CALLBACKS {
            for first in ACTIONS {
                for second in ACTIONS {
                    let mut done = false;
                    let recorder = Recorder::new(move |transport, event| {
                        if *event == Event::Made {
                            transport.set_write_limits(100, 10).ok(); // it may be closed
                            transport.write(pattern(200));
                        }
                        if callback(event) && !done {
                            done = true; // writing on each `Drained` would never end
                            first(transport);
                            second(transport);
                        }
                    });
                    let record = recorder.record.clone();
                    let (_, transport, mut client) = driver.connection(recorder);
                    client.write_all(b"data").ok(); // it may be aborted already
                    driver.turns(2);
                    client.shutdown(Shutdown::Write).ok(); // it may be aborted already
                    let mut ended = false;
                    for _ in 0..3 {
                        driver.turns(2);
                        ended |= try_drain(&mut client, &mut Vec::new()).unwrap_or(true);
                    }
                    transport.resume();
                    driver.turns(3);
                    while !ended && record.lost().is_none() {
                        driver.turns(1);
                        ended = try_drain(&mut client, &mut Vec::new()).unwrap_or(true);
                    }
                    transport.abort_connection();
                    driver.turns(2);
                }
            }
        }
    });
}
