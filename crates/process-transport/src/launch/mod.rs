//! From a command to a running child, in safe code over `sys`: a `Command` is read once, by
//! `prepare`, which makes a `Prepared`; `launch` makes a `Launched` of that.

mod credentials;
mod ends;
mod exec_failure;
mod prepare;
mod route;
mod terminal;

pub(crate) use ends::ParentEnd;
pub(crate) use prepare::{Policy, prepare};
pub(crate) use route::{Launched, launch};
pub(crate) use terminal::{Terminal, kernel_size, take_in};
