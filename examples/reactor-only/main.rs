//! The event loop alone, without processes: `reactor_only [PATH]`.
//!
//! The program is a server on the Unix socket PATH. It sends back what a client sends, and closes a
//! connection that is silent for a second. On SIGHUP it prints the number of connections. SIGINT
//! and SIGTERM stop it. Without PATH the socket is in the directory for temporary files, and the
//! server is its own client: it says hello at each tick, and stops.

use std::cell::Cell;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use procession_reactor::{DelayedCall, Handle, Interest, Reactor, Registered, Signal, Stopped};

const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(20);
const TICKS: usize = 3;

/// The number of connections.
type Count = Rc<Cell<usize>>;

/// A listening server. Dropping it removes the socket's file.
struct Server {
    path: PathBuf,
    connections: Count,
}

impl Server {
    fn start(reactor: &Handle, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let connections = Count::default();
        let server = Self { path: path.to_owned(), connections: Rc::clone(&connections) };
        listener.set_nonblocking(true)?;
        reactor.register(listener, Interest::READABLE, move |listener, _| {
            // The loop reports again while another client waits.
            if let Ok((stream, _)) = listener.accept()
                && let Err(error) = serve(listener.reactor(), stream, &connections)
            {
                eprintln!("reactor_only: {error}");
            }
        })?;
        Ok(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The file may be gone already.
        std::fs::remove_file(&self.path).ok();
    }
}

/// Sends back what a client sends, until the client ends or is silent for too long.
fn serve(reactor: &Handle, stream: UnixStream, connections: &Count) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    let too_long: Rc<Cell<Option<DelayedCall>>> = Rc::default();
    let (silence, count) = (Rc::clone(&too_long), Rc::clone(connections));
    let registration = reactor.register(stream, Interest::READABLE, move |stream, _| {
        if let Err(error) = echo(stream) {
            if error.kind() == ErrorKind::WouldBlock {
                return;
            }
            // The source is dropped after this; the timer must not close it again.
            silence.take().iter().for_each(DelayedCall::cancel);
            count.set(count.get() - 1);
            stream.close();
        } else if let Some(call) = silence.take() {
            call.reset(PATIENCE);
            silence.set(Some(call));
        }
    })?;
    connections.set(connections.get() + 1);
    let count = Rc::clone(connections);
    let call = reactor.call_later(PATIENCE, move |_| {
        println!("closed a silent connection");
        count.set(count.get() - 1);
        registration.close();
    });
    too_long.set(Some(call));
    Ok(())
}

/// Does one read and one write. What the client does not accept is lost, because this is not a
/// transport.
fn echo(stream: &mut Registered<'_, UnixStream>) -> io::Result<()> {
    let mut buffer = [0; 1024];
    match stream.read(&mut buffer)? {
        0 => Err(ErrorKind::UnexpectedEof.into()),
        bytes => stream.write_all(&buffer[..bytes]),
    }
}

/// Says hello at each tick, prints the answers, and stops the loop after the last one.
fn client(reactor: &Handle, path: &Path) -> io::Result<()> {
    let stream = UnixStream::connect(path)?;
    stream.set_nonblocking(true)?;
    let writer = stream.try_clone()?;
    let mut heard = 0;
    reactor.register(stream, Interest::READABLE, move |stream, _| {
        let mut buffer = [0; 64];
        if let Ok(bytes) = stream.read(&mut buffer) {
            println!("read {}", buffer[..bytes].escape_ascii());
            heard += 1;
        }
        if heard == TICKS {
            stream.reactor().stop();
        }
    })?;
    tick(reactor, writer, 1);
    Ok(())
}

fn tick(reactor: &Handle, mut writer: UnixStream, number: usize) {
    reactor.call_later(TICK, move |reactor| {
        let written = writer.write_all(format!("hello {number}").as_bytes());
        if written.is_ok() && number < TICKS {
            tick(reactor, writer, number + 1);
        }
    });
}

fn main() -> io::Result<Stopped> {
    let mut reactor = Reactor::new()?;
    let path = std::env::args_os().nth(1).map(PathBuf::from);
    let own = format!("reactor_only-{}", std::process::id());
    let is_own = path.is_none();
    let path = path.unwrap_or_else(|| std::env::temp_dir().join(own));

    let server = Server::start(&reactor, &path)?;
    let connections = Rc::clone(&server.connections);
    let hang_up =
        reactor.on_signal(Signal::HUP, move |_| println!("{} connections", connections.get()))?;
    if is_own {
        client(&reactor, &path)?;
    } else {
        // Print this when the loop runs, because from then on SIGINT and SIGTERM stop the server.
        reactor.call_when_running(move |_| println!("listening on {}", path.display()));
    }
    let stopped = reactor.run()?;
    match stopped {
        Stopped::Signal(signal) => println!("stopped by {signal}"),
        _ => println!("stopped"),
    }
    drop((server, hang_up));
    Ok(stopped)
}
