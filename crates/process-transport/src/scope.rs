//! [`Scope`]: a container of processes that none of them can leave.
//!
//! # Model
//!
//! A scope is a cgroup below the program's own, if the system lets the program make one; else a cgroup
//! in a unit that the user's systemd starts for it; else the process groups of its children. The
//! mechanism is chosen once, at the beginning. `cgroup` and `folder` have the files of a cgroup, `branch`
//! the folder of one owned child in it, `manager`, `bus` and `unit` what concerns systemd, `groups` the
//! process groups. A command holds a scope. A child does not: it holds its branch, which does not
//! keep the scope, so that the drop of the last clone ends the child.

#[cfg(target_os = "linux")]
mod base;
#[cfg(target_os = "linux")]
mod branch;
#[cfg(target_os = "linux")]
mod bus;
#[cfg(target_os = "linux")]
mod cgroup;
mod ending;
mod error;
#[cfg(target_os = "linux")]
mod folder;
mod groups;
mod handle;
mod launch;
mod limits;
#[cfg(target_os = "linux")]
mod manager;
mod name;
#[cfg(not(target_os = "linux"))]
mod no_cgroup;
#[cfg(feature = "reactor")]
mod on_loop;
#[cfg(target_os = "linux")]
mod unit;
mod verbs;

#[cfg(target_os = "linux")]
pub(crate) use branch::Branch;
pub use ending::ScopeTermination;
pub use error::ScopeError;
pub use handle::{Scope, ScopeMechanism};
pub(crate) use launch::ScopeLaunch;
pub use limits::ScopeUsage;
#[cfg(not(target_os = "linux"))]
pub(crate) use no_cgroup::Branch;
