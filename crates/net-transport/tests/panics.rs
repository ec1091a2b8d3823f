//! The state after a panic. The order is that of children, because both use the same driver.

mod util;

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;

use bytes::Bytes;
use procession_core::WriteError;
use procession_protocol::Transport;

use crate::util::{Event, Recorder, behaviour, drain};

/// An owner of data that looks at the connection when it is dropped, and then panics.
struct Explosive;

thread_local! {
    /// What the next dropped owner does before it panics. This is not in the owner, because `Bytes`
    /// requires owners to be `Send`.
    static LOOK: RefCell<Option<Box<dyn FnOnce()>>> = const { RefCell::new(None) };
}

impl Explosive {
    fn bytes(look: impl FnOnce() + 'static) -> Bytes {
        LOOK.with(|place| place.replace(Some(Box::new(look))));
        Bytes::from_owner(Self)
    }
}

impl AsRef<[u8]> for Explosive {
    fn as_ref(&self) -> &[u8] {
        b"data"
    }
}

impl Drop for Explosive {
    fn drop(&mut self) {
        let look = LOOK.with(|place| place.take());
        look.into_iter().for_each(|look| look());
        panic!("of an owner of data");
    }
}

#[test]
fn after_a_panic_the_connection_is_in_order_before_the_panic_goes_on() {
    behaviour("after_a_panic_the_connection_is_in_order_before_the_panic_goes_on", |driver| {
        let dropped = Rc::new(());
        let (looked, kept) = (Rc::new(Cell::new(false)), Rc::downgrade(&dropped));
        let open = util::open_fds().len();
        let looks = Rc::clone(&looked);
        let recorder = Recorder::new(move |transport: &Transport, event| {
            if matches!(event, Event::Data(_)) {
                let (transport, kept) = (transport.clone(), kept.clone());
                let (connection, looked) = (transport.clone(), Rc::clone(&looks));
                transport.write(Explosive::bytes(move || {
                    assert_eq!(connection.try_write("x"), Err(WriteError::Closed));
                    assert_eq!(kept.strong_count(), 0, "the protocol is dropped");
                    looked.set(true);
                }));
                assert_eq!(Rc::strong_count(&dropped), 1);
                panic!("of the protocol");
            }
        });
        let (record, transport, mut client) = driver.connection(recorder);
        client.write_all(b"x").unwrap();
        assert_eq!(driver.until_panic(), "of the protocol", "the first is the cause");
        assert!(looked.get(), "what is left over is dropped before the panic goes on");
        assert_eq!(transport.try_write("late"), Err(WriteError::Closed));
        drain(&mut client, &mut Vec::new());
        drop(client);
        let before = record.events();
        driver.turns(3);
        assert_eq!(record.events(), before, "no further call");
        assert_eq!(util::open_fds().len(), open);
    });
}

/// A panic outside the protocol does not affect the protocol, which gets the rest of its events.
#[test]
fn a_panic_of_an_owner_of_data_leaves_the_protocol() {
    behaviour("a_panic_of_an_owner_of_data_leaves_the_protocol", |driver| {
        // The data is written, which drains the queue; or an abort drops it unwritten.
        let (record, transport, mut client) = driver.connection(Recorder::quiet());
        transport.write(Explosive::bytes(|| ()));
        assert_eq!(driver.until_panic(), "of an owner of data");
        driver.turns(1);
        assert_eq!(record.events(), [Event::Made, Event::Drained]);
        let mut read = Vec::new();
        driver.until("it arrives", || {
            drain(&mut client, &mut read);
            read == b"data"
        });
        drop(client);
        driver.until("it is lost", || record.lost() == Some(Ok(())));

        let (record, transport, _client) = driver.connection(Recorder::quiet());
        driver.call_soon(move |_| {
            transport.write(Explosive::bytes(|| ()));
            transport.abort_connection();
        });
        assert_eq!(driver.until_panic(), "of an owner of data");
        driver.until("it is lost", || record.lost().is_some());
        assert_eq!(record.events().len(), 2, "{:?}", record.events());
    });
}
