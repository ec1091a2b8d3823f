//! What has no safe form: a read into memory that is not initialised, and a closure that runs in the
//! child.
//!
//! # Audit
//!
//! - `read`: the buffer's bytes are never made uninitialised, because the only writer is the kernel;
//!   as many bytes are marked as initialised as the kernel has written. Test: every test that reads
//!   an output.
//! - `pre_exec`: passes its caller's promise on. Test: `a_closure_runs_before_the_exec`.

mod pre_exec;
mod read;

pub(crate) use read::read;
