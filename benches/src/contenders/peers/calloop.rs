//! calloop: a loop of callbacks, without child processes.
//!
//! Its timers are left out. A turn handles the events of the timer source one by one, each by its
//! own token, and a million timers do not finish within minutes.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use anyhow::{Result, anyhow, ensure};
use calloop::channel::{Event, channel};
use calloop::generic::Generic;
use calloop::{EventLoop, Interest, LoopHandle, Mode, PostAction};

use crate::contenders::{Prepare, rounds};
use crate::job::{Job, Ready};

pub(super) fn row(id: &str) -> Option<Prepare> {
    Some(match id {
        "wake" => wake,
        "tcp-echo-1" | "tcp-echo-1k" => echo_server,
        _ => return None,
    })
}

fn wake(job: &Job) -> Result<Ready> {
    let count = job.count;
    Ok(Ready::rounds(move || {
        let mut reactor: EventLoop<'_, bool> = EventLoop::try_new()?;
        let (call, calls) = channel::<Box<dyn FnOnce() + Send>>();
        let inserted = reactor.handle().insert_source(calls, |event, (), over| match event {
            Event::Msg(call) => call(),
            Event::Closed => *over = true,
        });
        ensure!(inserted.is_ok(), "the channel is not to be inserted");
        let caller = thread::spawn(move || {
            rounds::calls(count, |answer| {
                let boxed: Box<dyn FnOnce() + Send> =
                    Box::new(move || answer.send(()).unwrap_or(()));
                call.send(boxed).map_err(|_| anyhow!("nobody listens"))
            })
        });
        let mut over = false;
        while !over {
            reactor.dispatch(None, &mut over)?;
        }
        rounds::join(caller)
    }))
}

fn echo_server(_: &Job) -> Result<Ready> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let mut listener = Some(listener);
    Ok(Ready::server(port, move || {
        let mut reactor: EventLoop<'_, ()> = EventLoop::try_new()?;
        let handle = reactor.handle();
        let listener = listener.take().ok_or_else(|| anyhow!("served already"))?;
        let source = Generic::new(listener, Interest::READ, Mode::Level);
        let inserted = reactor.handle().insert_source(source, move |_, listener, ()| {
            while let Ok((stream, _)) = listener.accept() {
                serve(&handle, stream)?;
            }
            Ok(PostAction::Continue)
        });
        ensure!(inserted.is_ok(), "the listener is not to be inserted");
        reactor.run(None, &mut (), |()| {})?;
        Ok(0.0)
    }))
}

fn serve(reactor: &LoopHandle<'static, ()>, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 4096];
    let source = Generic::new(stream, Interest::READ, Mode::Level);
    let inserted = reactor.insert_source(source, move |_, stream, ()| {
        let mut stream: &TcpStream = stream;
        match stream.read(&mut buffer) {
            Ok(0) => return Ok(PostAction::Remove),
            Ok(bytes) => stream.write_all(&buffer[..bytes])?,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        Ok(PostAction::Continue)
    });
    inserted.map(drop).map_err(std::io::Error::other)
}
