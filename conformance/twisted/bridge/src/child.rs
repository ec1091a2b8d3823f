//! A child: its events go to a Python object, its verbs are methods for Python.

use std::io;

use procession::prelude::*;
use procession::{Pace, Producer, ProducerErrorKind, SignalError, Transport};
use pyo3::exceptions::{PyKeyError, PyProcessLookupError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::call_python;

/// Reports the events of a child to `made`, `data`, `lost`, `exited` and `ended` of an object.
pub(crate) struct Sink(pub(crate) Py<PyAny>);

impl ProcessProtocol for Sink {
    fn connection_made(&mut self, process: &Process) {
        let child = Child(process.clone());
        call_python(&self.0, |sink| sink.call_method1("made", (child,)).map(drop));
    }

    fn child_data_received(&mut self, _: &Process, fd: ChildFd, data: Bytes) {
        call_python(&self.0, |sink| {
            let data = PyBytes::new(sink.py(), &data);
            sink.call_method1("data", (fd.as_raw(), data)).map(drop)
        });
    }

    fn child_connection_lost(&mut self, _: &Process, fd: ChildFd) {
        call_python(&self.0, |sink| sink.call_method1("lost", (fd.as_raw(),)).map(drop));
    }

    fn process_exited(&mut self, _: &Process, reason: ExitReason) {
        let status = raw_status(&reason);
        call_python(&self.0, |sink| sink.call_method1("exited", (status,)).map(drop));
    }

    fn process_ended(&mut self, _: &Process, _: ExitReason) {
        call_python(&self.0, |sink| sink.call_method0("ended").map(drop));
    }
}

/// Returns the status as `waitpid` gives it, or `None` if somebody else took it.
fn raw_status(reason: &ExitReason) -> Option<i32> {
    match reason {
        Ok(done) => done.raw_status(),
        Err(terminated) => terminated.raw_status(),
    }
}

/// A running child.
#[pyclass(unsendable)]
pub(crate) struct Child(Process);

#[pymethods]
impl Child {
    #[getter]
    fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// Raises `KeyError` if the descriptor cannot be written to.
    fn write(&self, fd: i32, data: &[u8]) -> PyResult<()> {
        let data = Bytes::copy_from_slice(data);
        self.0
            .write_to_child(fd, data)
            .map_err(|error| PyKeyError::new_err((fd, error.to_string())))
    }

    fn close(&self, fd: i32) {
        self.0.close_child_fd(fd);
    }

    fn abort(&self, fd: i32) {
        self.0.abort_connection(fd);
    }

    fn lose_connection(&self) {
        self.0.lose_connection();
    }

    fn pause(&self) {
        self.0.pause_all();
    }

    fn resume(&self) {
        self.0.resume_all();
    }

    /// Raises `ProcessLookupError` if the child was reaped.
    fn signal(&self, number: i32) -> PyResult<()> {
        self.0.signal(Signal::from_raw(number)).map_err(|error| match error {
            SignalError::ProcessExitedAlready => PyProcessLookupError::new_err(()),
            error => io::Error::from(error).into(),
        })
    }

    /// Returns false if the descriptor cannot be written to.
    fn register_producer(&self, fd: i32, streaming: bool, producer: Py<PyAny>) -> PyResult<bool> {
        let pace = if streaming { Pace::Push } else { Pace::Pull };
        match self.0.register_producer(fd, pace, PyProducer(producer)) {
            Ok(()) => Ok(true),
            Err(error) => match error.reason() {
                ProducerErrorKind::Write(_) => Ok(false),
                _ => Err(PyRuntimeError::new_err(error.to_string())),
            },
        }
    }

    fn unregister_producer(&self, fd: i32) {
        self.0.unregister_producer(fd);
    }
}

struct PyProducer(Py<PyAny>);

impl PyProducer {
    fn call(&self, method: &str) {
        call_python(&self.0, |producer| producer.call_method0(method).map(drop));
    }
}

impl Producer for PyProducer {
    fn resume(&mut self, _: &Transport) {
        self.call("resumeProducing");
    }

    fn pause(&mut self, _: &Transport) {
        self.call("pauseProducing");
    }

    fn stop(&mut self, _: &Transport) {
        self.call("stopProducing");
    }
}
