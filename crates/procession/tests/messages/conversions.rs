//! The conversion of every public error to an [`io::Error`].

use std::any::type_name;
use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::time::Duration;

use procession::driver::core::Gone;
use procession::driver::reactor::OpenError;
use procession::prelude::*;
use procession::{
    AdoptError, AlreadyCompleted, BackgroundError, ChildError, ConnectError, Deferred,
    DialogueError, Failed, ForwardError, FrameError, LaunchError, ListenError, MonitorError,
    NoError, NotRunning, OutputError, Pace, ParseSignalError, ProcessTerminated, Producer,
    ProducerError, ProducerErrorKind, ReadyError, RunAllError, ScopeError, Signal, SignalError,
    SpawnError, TakeError, TimerError, WriteError,
};

use crate::declared;

/// Returns the name of the type, which only compiles if it converts.
fn converts<E: Into<io::Error>>() -> String {
    let name = type_name::<E>();
    let name = name.split('<').next().unwrap_or(name);
    name.rsplit("::").next().unwrap_or(name).to_owned()
}

#[test]
fn every_error_converts_to_an_io_error() {
    let converting = BTreeSet::from([
        converts::<AdoptError>(),
        converts::<AlreadyCompleted>(),
        converts::<BackgroundError>(),
        converts::<ChildError>(),
        converts::<ConnectError>(),
        converts::<DialogueError>(),
        converts::<Failed<NoError>>(),
        converts::<ForwardError>(),
        converts::<FrameError>(),
        converts::<Gone>(),
        converts::<LaunchError>(),
        converts::<ListenError>(),
        converts::<MonitorError>(),
        converts::<NoError>(),
        converts::<NotRunning>(),
        converts::<OpenError>(),
        converts::<OutputError>(),
        converts::<ParseSignalError>(),
        converts::<ProcessTerminated>(),
        converts::<ProducerError>(),
        converts::<ProducerErrorKind>(),
        converts::<ReadyError>(),
        converts::<RunAllError>(),
        converts::<ScopeError>(),
        converts::<SignalError>(),
        converts::<SpawnError>(),
        converts::<Stopped>(),
        converts::<TakeError>(),
        converts::<TimerError>(),
        converts::<WriteError>(),
    ]);
    assert_eq!(converting, declared::error_types());
}

struct Quiet;

impl ProcessProtocol for Quiet {}

impl Producer for Quiet {
    fn resume(&mut self, _: &Transport) {}
}

#[test]
fn an_end_is_awaited_with_a_question_mark() {
    fn run() -> io::Result<()> {
        let mut reactor = Reactor::new()?;
        let process = reactor.spawn_process(Quiet, Command::new("sh").args(["-c", "exit 3"]))?;
        reactor.block_on(process.ended())??;
        Ok(())
    }
    let error = run().expect_err("it fails");
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (ErrorKind::Other, "exited with status 3")
    );
    let kept = error.get_ref().and_then(|kept| kept.downcast_ref::<ProcessTerminated>());
    assert_eq!(kept.and_then(ProcessTerminated::exit_code), Some(3));
}

#[test]
fn an_error_without_a_system_call_has_a_fitting_kind_and_its_text() {
    let (promise, _deferred) = Deferred::<(), NoError>::new();
    promise.complete(Ok(()));
    let twice = promise.try_complete(Ok(())).expect_err("it fails");
    let reactor = Reactor::new().expect("a reactor");
    let call = reactor.call_later(Duration::from_secs(60), |_| ());
    call.cancel();
    let process = reactor.spawn_process(Quiet, Command::new("cat")).expect("it starts");
    let register = |fd: i32| process.register_producer(fd, Pace::Push, Quiet);
    register(0).expect("it is open");
    let (second, output) = (register(0).expect_err("it fails"), register(1).expect_err("it fails"));
    let mut errors = vec![
        (twice.to_string(), twice.into(), ErrorKind::AlreadyExists),
        (second.to_string(), io::Error::from(second), ErrorKind::AlreadyExists),
        (output.to_string(), output.into(), ErrorKind::InvalidInput),
    ];
    let late = call.try_cancel().expect_err("it fails");
    errors.push((late.to_string(), late.into(), ErrorKind::NotFound));
    let name = "NOSIG".parse::<Signal>().expect_err("it fails");
    errors.push((name.to_string(), name.into(), ErrorKind::InvalidInput));
    errors.push(("finished".to_owned(), Stopped::Finished.into(), ErrorKind::Other));
    let unsupported = ProducerErrorKind::Unsupported;
    errors.push((unsupported.to_string(), unsupported.into(), ErrorKind::Unsupported));
    for (text, error, kind) in errors {
        assert_eq!((error.kind(), error.to_string()), (kind, text));
    }
}
