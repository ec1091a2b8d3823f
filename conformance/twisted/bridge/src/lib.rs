//! procession's loop, descriptors, timers, signals and children, for a reactor of Twisted.
//!
//! The reactor itself is Python, in `../python/bridge`: it maps Twisted's interfaces to this module,
//! and differences between the two live there. This crate only translates types. Every callback is a
//! Python callable. If one raises an exception, Python prints it, and the loop goes on.

mod child;
mod event_loop;
mod guards;
mod request;
mod sys;

use pyo3::prelude::*;

/// Calls Python from a callback of the loop, which has no caller for an exception.
fn call_python(object: &Py<PyAny>, call: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<()>) {
    Python::attach(|py| {
        let object = object.bind(py);
        if let Err(error) = call(object) {
            error.write_unraisable(py, Some(object));
        }
    });
}

#[pymodule(name = "procession_twisted")]
mod module {
    #[pymodule_export]
    use super::event_loop::Loop;
}
