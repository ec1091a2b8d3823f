//! The variables that a child starts with.
//!
//! `std` copies the environment under its own lock, with two allocations for each variable: with
//! about forty variables this costs as much as the rest of the parent's half of a spawn. A program
//! with only one thread needs no copy, because nothing can change the environment before the child
//! has exec'd. With more threads, each thread keeps its last copy (`known_environment`).
#![cfg_attr(
    all(target_os = "linux", target_env = "gnu"),
    expect(unsafe_code, reason = "the C library's own variables")
)]

use std::ffi::c_char;
use std::rc::Rc;

use super::cstrings::CStringArray;
#[cfg(not(target_os = "linux"))]
use super::inherited::inherited;
#[cfg(target_os = "linux")]
use super::known_environment::current as copied;
#[cfg(all(target_os = "linux", target_env = "gnu"))]
use super::one_thread::has_one_thread;
use super::request::Request;

/// The environment for the duration of a clone.
#[derive(Debug)]
pub(super) enum Environment<'a> {
    /// The command changes some variables.
    Prepared(&'a CStringArray),
    /// This process's own variables.
    Own(*const *const c_char),
    /// A copy of them, because another thread could change them.
    Copied(Rc<CStringArray>),
}

impl<'a> Environment<'a> {
    /// Chooses the environment. Call it when no foreign code runs any more before the clone. `own_pid` is
    /// the number of this process.
    pub(super) fn of(request: &'a Request, own_pid: u32) -> Self {
        if let Some(envp) = &request.envp {
            return Self::Prepared(envp);
        }
        if let Some(own) = own() {
            return Self::Own(own);
        }
        Self::Copied(copied(own_pid))
    }

    /// Returns the vector in the form that `execve` takes.
    pub(super) fn as_ptr(&self) -> *const *const c_char {
        match self {
            Self::Prepared(envp) => envp.as_ptr(),
            Self::Own(envp) => *envp,
            Self::Copied(envp) => envp.as_ptr(),
        }
    }
}

/// Returns the C library's vector, if it has one and this process has one thread.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn own() -> Option<*const *const c_char> {
    unsafe extern "C" {
        static environ: *const *const c_char;
    }
    if !has_one_thread() {
        return None;
    }
    // SAFETY: environ(7): the library defines it, and no other thread exists that could change it.
    let own = unsafe { environ };
    (!own.is_null()).then_some(own)
}

/// Returns `None`: only the GNU C library tells how many threads there are.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
fn own() -> Option<*const *const c_char> {
    None
}

/// Returns a copy of the environment.
#[cfg(not(target_os = "linux"))]
fn copied(_: u32) -> Rc<CStringArray> {
    Rc::new(inherited(|_| false).finish())
}
