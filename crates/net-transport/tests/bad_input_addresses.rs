//! Extreme addresses, names, paths and sizes: an error that names the problem, never a panic.

mod util;

use std::cell::RefCell;
use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Duration;

use procession_core::WriteError;
use procession_net_transport::NetTransports;
use procession_protocol::{Protocol, Transport};

use crate::util::{behaviour, bound};

struct Quiet;
impl Protocol for Quiet {}

#[test]
fn addresses_that_cannot_be_listened_on() {
    behaviour("addresses_that_cannot_be_listened_on", |driver| {
        let factory = || Quiet;
        for bad in
            ["", ":", "127.0.0.1", "127.0.0.1:99999", "127.0.0.1:-1", ":80", "[::1", "a\0b:1"]
        {
            let error = driver.listen_tcp(bad, factory).expect_err(bad);
            assert!(error.to_string().starts_with("cannot listen on "), "{error}");
            assert!(!error.address().is_empty(), "{bad:?}");
        }
        let elsewhere = driver.listen_tcp(("192.0.2.1", 0), factory).expect_err("not ours");
        assert_eq!(elsewhere.kind(), ErrorKind::AddrNotAvailable);
        let nonsense = driver.listen_tcp("nonsense", factory).expect_err("no port");
        let text = "cannot listen on \"nonsense\": neither an address nor a name, with a port";
        assert_eq!(
            (nonsense.to_string().as_str(), nonsense.kind()),
            (text, ErrorKind::InvalidInput)
        );
        let zero = driver.listen_tcp(("a\0b", 1), factory).expect_err("a zero byte");
        assert_eq!(zero.address(), r#""a\0b":1"#);
        let long = "a".repeat(200);
        for bad in ["", "a\0b", "/no/such/directory/socket", "/", long.as_str()] {
            assert!(driver.listen_unix(bad, factory).is_err(), "{bad:?}");
        }
    });
}

#[test]
fn destinations_that_cannot_be_reached() {
    behaviour("destinations_that_cannot_be_reached", |driver| {
        for bad in ["", ":", "localhost", "localhost:", ":80", "localhost:99999", "localhost:x"] {
            let result = driver.connect_tcp(bad, Quiet).timeout(bound(Duration::from_secs(5)));
            let error = driver.block_on(result).expect_err(bad);
            assert!(error.error().is_some(), "{bad:?} is an error and does not time out");
        }
        for (host, port) in [("127.0.0.1", 0), ("a\0b", 1), ("", 1)] {
            let result =
                driver.connect_tcp((host, port), Quiet).timeout(bound(Duration::from_secs(5)));
            let error = driver.block_on(result).expect_err(host);
            assert!(error.error().is_some(), "{host:?} is an error and does not time out");
        }
        let long = "a".repeat(200);
        for bad in ["", "a\0b", "/no/such/socket", "/", long.as_str()] {
            let result = driver.connect_unix(bad, Quiet);
            assert!(driver.block_on(result).is_err(), "{bad:?}");
        }
    });
}

/// Stores its transport.
struct Keep(Rc<RefCell<Option<Transport>>>);
impl Protocol for Keep {
    fn connection_made(&mut self, transport: &Transport) {
        *self.0.borrow_mut() = Some(transport.clone());
    }
}

#[test]
fn sizes_of_any_magnitude_and_calls_after_the_end() {
    behaviour("sizes_of_any_magnitude_and_calls_after_the_end", |driver| {
        let listener = driver.listen_tcp(("127.0.0.1", 0), || Quiet).unwrap();
        let port = listener.port().unwrap();
        let kept = Rc::new(RefCell::new(None));
        let made = driver.connect_tcp(("127.0.0.1", port), Keep(kept.clone()));
        let transport = driver.block_on(made).unwrap();
        for (high, low) in [(0, 0), (usize::MAX, usize::MAX), (0, usize::MAX)] {
            transport.set_write_limits(high, low).unwrap();
        }
        transport.write("");
        transport.write_copy(&[]);
        transport.write_sequence(Vec::<&'static str>::new());
        assert_eq!(transport.try_write(""), Ok(()));
        assert_eq!(transport.write_buffered(), 0);
        transport.abort_connection();
        driver.turns(3);
        assert_eq!(transport.try_write("x"), Err(WriteError::Closed));
        transport.set_write_limits(1, 1).ok(); // the queue is gone
        for _ in 0..2 {
            transport.pause();
            transport.resume();
            transport.shutdown_write();
            transport.lose_connection();
            transport.abort_connection();
        }
        kept.borrow_mut().take();
        assert!(transport.into_fd().is_err());
        listener.stop_listening().detach();
        listener.stop_listening().detach();
        driver.turns(3);
    });
}
