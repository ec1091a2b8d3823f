//! The acts of connections: an echo, and clients that end in every way.

use std::io;
use std::rc::Rc;
use std::time::Duration;

use procession::prelude::*;

use super::World;
use super::acts;
use super::model::Expected;

/// Sends back what it receives.
struct Echo;

impl Protocol for Echo {
    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        transport.write(data);
    }
}

/// Listens on any port for [`connect`].
pub(super) fn listen(world: &Rc<World>, reactor: &Handle) -> Result<Listener, String> {
    let listener =
        reactor.listen_tcp(("127.0.0.1", 0), || Echo).map_err(|error| error.to_string())?;
    world.port.set(listener.port().ok_or("no port")?);
    Ok(listener)
}

/// What a client does after it is connected.
#[derive(Debug, Clone, Copy, PartialEq)]
enum ClientManner {
    /// Closes when all data has come back.
    Closes,
    /// Ends its own direction at once, and waits for the other's end.
    HalfCloses,
    /// Pauses reading for a while.
    Pauses,
    /// Aborts the connection.
    Aborts,
    /// Gives the socket to a child.
    HandsOn,
}

/// All manners. The one that needs the listener longer is the last.
const MANNERS: [ClientManner; 5] = [
    ClientManner::Closes,
    ClientManner::HalfCloses,
    ClientManner::Pauses,
    ClientManner::Aborts,
    ClientManner::HandsOn,
];
const WITHOUT_A_CHILD: &[ClientManner] = MANNERS.split_at(4).0;

/// Sends some bytes, and compares what comes back.
struct Client {
    world: Rc<World>,
    manner: ClientManner,
    sent: Vec<u8>,
    got: usize,
    lost: bool,
    /// The listener, if it serves only this client.
    listener: Option<Listener>,
}

impl Client {
    /// Creates a client with one of these manners.
    fn new(world: &Rc<World>, manners: &[ClientManner]) -> Self {
        let manner = manners[world.numbers.index(manners.len())];
        let sent = world.numbers.bytes(100_000);
        Self { world: world.clone(), manner, sent, got: 0, lost: false, listener: None }
    }

    fn is_whole(&self) -> bool {
        self.got == self.sent.len()
    }
}

impl Protocol for Client {
    fn connection_made(&mut self, transport: &Transport) {
        if self.manner == ClientManner::HandsOn {
            return hand_on(&self.world, transport.clone());
        }
        transport.write(self.sent.clone());
        match self.manner {
            ClientManner::HalfCloses => transport.shutdown_write(),
            ClientManner::Aborts => transport.abort_connection(),
            ClientManner::Pauses => {
                transport.pause();
                let after = Duration::from_millis(self.world.numbers.below(20));
                let transport = transport.clone();
                Handle::current().call_later(after, move |_| transport.resume());
            }
            ClientManner::Closes | ClientManner::HandsOn => {}
        }
        if self.sent.is_empty() {
            transport.lose_connection();
        }
    }

    fn data_received(&mut self, transport: &Transport, data: Bytes) {
        let end = self.got + data.len();
        if self.lost || self.sent.get(self.got..end) != Some(&data[..]) {
            self.world.violation(format!("{:?}: an echo is not what was sent", self.manner));
        }
        self.got = end;
        if self.is_whole() && self.manner != ClientManner::HalfCloses {
            transport.lose_connection();
        }
    }

    fn connection_lost(&mut self, _: &Transport, reason: io::Result<()>) {
        let world = &self.world;
        if std::mem::replace(&mut self.lost, true) {
            world.violation("a connection was lost twice".to_owned());
        }
        let cut = self.manner == ClientManner::Aborts || world.is_over();
        if !cut && (!self.is_whole() || reason.is_err()) {
            let (manner, got, sent) = (self.manner, self.got, self.sent.len());
            world.violation(format!("{manner:?}: {got} bytes of {sent}, {reason:?}"));
        }
        world.count("connections");
        let Some(listener) = self.listener.take() else { return world.finish() };
        let path = listener.host();
        let me = world.clone();
        listener.stop_listening().done(move |result| {
            if result.is_err() {
                me.violation(format!("{path:?} was not removed: {result:?}"));
            }
            me.finish();
        });
    }
}

/// The child sends a word to the echo, and waits for it.
fn hand_on(world: &Rc<World>, transport: Transport) {
    let script = "echo word; read -r back; test \"$back\" = word && exit 9";
    let pair = transport.into_fd().and_then(|fd| Ok((fd.try_clone()?, fd)));
    match pair {
        Ok((input, output)) => {
            let command = Command::new("/bin/sh")
                .args(["-c", script])
                .child_fd(0, Fd::inherit(input))
                .child_fd(1, Fd::inherit(output));
            let expected = Expected {
                pipes: vec![2],
                readable: vec![2],
                code: Some(9),
                ..Expected::default()
            };
            acts::child(world, &Handle::current(), command, expected);
        }
        Err(error) => world.violation(format!("a connection is not to be taken: {error}")),
    }
    world.count("connections handed on");
    world.finish();
}

/// Connects to the echo.
pub(super) fn connect(world: &Rc<World>, reactor: &Handle) {
    let client = Client::new(world, &MANNERS);
    world.begin();
    let me = world.clone();
    reactor.connect_tcp(("127.0.0.1", world.port.get()), client).done(move |result| {
        match result {
            Ok(_) => {}
            // The listener has closed in the meantime.
            Err(_) if me.is_over() => me.finish(),
            Err(error) => me.violation(format!("no connection: {error}")),
        }
    });
}

/// Connects to an echo that listens on a path for this client only.
pub(super) fn connect_unix(world: &Rc<World>, reactor: &Handle) {
    let path = world.directory.path().join(world.numbers.below(u64::MAX).to_string());
    let mut client = Client::new(world, WITHOUT_A_CHILD);
    match reactor.listen_unix(&path, || Echo) {
        Ok(listener) => client.listener = Some(listener),
        Err(error) => return world.violation(format!("no listening on {path:?}: {error}")),
    }
    world.begin();
    let me = world.clone();
    reactor.connect_unix(&path, client).done(move |result| {
        if let Err(error) = result {
            me.violation(format!("no connection to {path:?}: {error}"));
        }
    });
}
