//! From a command to a running child, in safe code over `sys`: `prepare` reads a `Command` once and
//! makes a `Prepared`; `launch` makes a `Launched` of it.

mod credentials;
mod ends;
mod exec_failure;
mod misread;
mod prepare;
mod route;
mod terminal;
mod which;

pub(crate) use ends::ParentEnd;
pub(crate) use prepare::{Policy, prepare};
pub(crate) use route::{Launched, launch};
pub(crate) use terminal::{Terminal, kernel_size, take_in};
pub use which::which;
