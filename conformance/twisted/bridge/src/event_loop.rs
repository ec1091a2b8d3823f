//! The loop: a reactor of procession, and its verbs.

use std::cell::RefCell;
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;

use procession::prelude::*;
use procession::{Phase, SystemEvent};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;

use crate::call_python;
use crate::child::Sink;
use crate::guards::{Call, Finished, OnEvent, SignalClaim, Source, Waker, duration, interest};
use crate::request::{Request, python_error};
use crate::sys::{InThisThread, lent};

type Shared = Rc<RefCell<Option<Reactor>>>;

thread_local! {
    /// The reactor of this thread. Tests make one after the other and end none, so the next one
    /// drops the one before.
    static LIVE: RefCell<Option<Shared>> = const { RefCell::new(None) };
}

/// A reactor. Signals are claimed one by one, with `on_signal`.
#[pyclass(unsendable)]
pub(crate) struct Loop {
    reactor: Shared,
    handle: Handle,
}

#[pymethods]
impl Loop {
    #[new]
    fn new() -> PyResult<Self> {
        if let Some(before) = LIVE.take() {
            drop(before.borrow_mut().take());
        }
        let reactor = Reactor::new()?.without_signals();
        let handle = reactor.handle();
        let reactor = Rc::new(RefCell::new(Some(reactor)));
        LIVE.set(Some(Rc::clone(&reactor)));
        Ok(Self { reactor, handle })
    }

    /// Turns once. Returns false in a callback, and after the start of a newer loop.
    #[pyo3(signature = (timeout))]
    fn turn(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let timeout = timeout.map(duration);
        self.without_the_lock(py, move |reactor| reactor.turn(timeout))
    }

    /// Runs until `stop`. Returns false in a callback, and after the start of a newer loop.
    fn run(&self, py: Python<'_>) -> PyResult<bool> {
        self.without_the_lock(py, |reactor| reactor.run().map(drop))
    }

    /// Returns false unless the loop runs.
    fn stop(&self) -> bool {
        self.handle.try_stop().is_ok()
    }

    fn call_later(&self, seconds: f64, call: Py<PyAny>) -> Call {
        let call = move |_: &Handle| call_python(&call, |call| call.call0().map(drop));
        Call(self.handle.call_later(duration(seconds), call))
    }

    fn call_when_running(&self, call: Py<PyAny>) {
        let call = move |_: &Handle| call_python(&call, |call| call.call0().map(drop));
        self.handle.call_when_running(call);
    }

    /// Calls `call(finished)` in a phase. If that returns true, waits for `finished.complete()`.
    fn on_event(&self, phase: &str, event: &str, call: Py<PyAny>) -> PyResult<OnEvent> {
        let phase = match phase {
            "before" => Phase::Before,
            "during" => Phase::During,
            "after" => Phase::After,
            _ => return Err(PyKeyError::new_err("invalid phase")),
        };
        let event = match event {
            "startup" => SystemEvent::Startup,
            "shutdown" => SystemEvent::Shutdown,
            _ => return Err(PyKeyError::new_err("no such event")),
        };
        let trigger = self.handle.add_system_event_trigger(phase, event, move |_: &Handle| {
            let (promise, finished) = Deferred::<(), &str>::new();
            let mut waits = false;
            call_python(&call, |call| {
                waits = call.call1((Finished(Some(promise)),))?.extract()?;
                Ok(())
            });
            waits.then_some(finished)
        });
        Ok(OnEvent(trigger))
    }

    /// Calls `call()` for each arrival of a signal, until the claim is closed.
    fn on_signal(&self, number: i32, call: Py<PyAny>) -> PyResult<SignalClaim> {
        let call = move |_: &Handle| call_python(&call, |call| call.call0().map(drop));
        Ok(SignalClaim(Some(self.handle.on_signal(Signal::from_raw(number), call)?)))
    }

    fn waker(&self) -> Waker {
        Waker(self.handle.remote())
    }

    /// Calls `ready(readable, writable, gone)` whenever the descriptor is ready.
    fn watch(&self, fd: RawFd, reads: bool, writes: bool, ready: Py<PyAny>) -> PyResult<Source> {
        let wanted = interest(reads, writes);
        let registration = self.handle.register(lent(fd)?, wanted, move |_, seen| {
            let args = (seen.readable, seen.writable, seen.hangup || seen.error);
            call_python(&ready, |ready| ready.call1(args).map(drop));
        })?;
        Ok(Source(registration))
    }

    /// Starts a child, and reports its events to methods of `sink`.
    fn spawn(&self, sink: Py<PyAny>, request: Request) -> PyResult<()> {
        let (command, pair) = request.command()?;
        if let Err(error) = self.handle.spawn_process(Sink(sink), command) {
            pair.give_back();
            return Err(python_error(&error));
        }
        Ok(())
    }
}

impl Loop {
    /// Calls `wait` while other threads may run Python. Returns false in a callback.
    fn without_the_lock(
        &self,
        py: Python<'_>,
        wait: impl FnOnce(&mut Reactor) -> io::Result<()>,
    ) -> PyResult<bool> {
        let Ok(mut slot) = self.reactor.try_borrow_mut() else { return Ok(false) };
        let Some(reactor) = slot.as_mut() else { return Ok(false) };
        let work = InThisThread::new((reactor, wait));
        py.detach(move || {
            let (reactor, wait) = work.take();
            wait(reactor)
        })?;
        Ok(true)
    }
}
